"""A simulator on real sockets, and clients for it."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from qwen_gateway.simulator import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def tls() -> AsyncIterator[Simulator]:
    async with Simulator(tls=True) as simulator:
        yield simulator


# Reading the authorities of the system takes longer than a test.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": "Bearer sk-sim"}
    async with httpx.AsyncClient(headers=headers, timeout=5, verify=NO_AUTHORITIES) as made:
        yield made


@pytest.fixture
async def client2(tls: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks HTTP/2 and trusts the simulator's authority."""
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    headers = {"authorization": "Bearer sk-sim"}
    async with httpx.AsyncClient(http2=True, verify=trust, headers=headers, timeout=5) as made:
        yield made
