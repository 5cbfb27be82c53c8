"""What the tests of connections share."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from qwen_gateway.simulator.certificates import make_context


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport(connect_timeout=5)
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS at localhost, and the file of who signed its certificate."""
    folder = tmp_path_factory.mktemp("authority")
    return make_context(folder, ["localhost"], http2=False), folder / "ca.pem"
