"""A client that goes away takes its upstream call with it, within a second."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ahttp, body, http2
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until
from tests.e2e.raw_http2 import RawHttp2

CLIENTS: dict[str, Callable[[Mitm], httpx.AsyncClient]] = {"h1": ahttp, "h2": http2}


@asynccontextmanager
async def calling(client: httpx.AsyncClient, **fields: Any) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A call under way, given up when the block ends."""
    task = asyncio.create_task(client.post("/v1/chat/completions", json=body(**fields)))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def asking(gateway: Mitm, *, abort: bool = False, **fields: Any) -> AsyncIterator[None]:
    """A call under way over HTTP/1, whose connection is closed for certain when the block ends.

    Not by httpx: cancelled, it keeps some connections open over HTTP/1, and breaks the one that its calls share over
    HTTP/2.
    """
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    asked = json.dumps(body(**fields)).encode()
    head = f"host: 127.0.0.1:{gateway.port}\r\ncontent-type: application/json\r\ncontent-length: {len(asked)}"
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\n%b\r\n\r\n%b" % (head.encode(), asked))
    try:
        yield
    finally:
        if abort:
            writer.transport.abort()
        else:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def until(there: Callable[[], bool]) -> None:
    """Wait for the other side."""
    end = time.monotonic() + 5
    while not there():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


def no_exchange_is_left(gateway: Mitm) -> None:
    """Every task of the gateway's own has ended."""
    wait_until(lambda: gateway.probe()["exchanges"] == [], 5, lambda: f"still running: {gateway.probe()}")


def took(sim: Simulator, left: float) -> float:
    """Seconds until the first call was cancelled at the upstream."""
    wait_until(lambda: sim.log[0].disconnected, 5, "the upstream was not told")
    assert sim.log[0].disconnected_at is not None
    return sim.log[0].disconnected_at - left


@pytest.mark.parametrize("protocol", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["stall-headers", "stall-body", "stall-mid;after=3"])
async def test_a_client_that_closes_its_connection(
    gateway: Mitm, sim: Simulator, protocol: str, stream: bool, fault: str
) -> None:
    sim.script([fault])
    async with CLIENTS[protocol](gateway) as client, calling(client, stream=stream):
        await until(lambda: bool(sim.log) and (fault == "stall-headers" or sim.log[0].answered_at is not None))
        await asyncio.sleep(0.05)
        assert not sim.log[0].disconnected
        left = time.time()

    assert took(sim, left) < 1
    assert len(sim.log) == 1
    no_exchange_is_left(gateway)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["stall-headers", "stall-mid;after=3"])
def test_an_http2_client_that_resets_its_stream(gateway: Mitm, sim: Simulator, stream: bool, fault: str) -> None:
    sim.script([fault])
    with RawHttp2(gateway) as client:
        number = client.ask(stream=stream)
        wait_until(lambda: bool(sim.log) and sim.log[0].complete_at is not None, 5, "nothing arrived")
        left = time.time()
        client.reset(number)

        assert took(sim, left) < 1
        no_exchange_is_left(gateway)


async def test_leaving_in_the_middle_of_a_stream(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.05
    async with ahttp(gateway) as client:
        async with client.stream("POST", "/v1/chat/completions", json=body(stream=True)) as answer:
            await anext(answer.aiter_raw())
            left = time.time()
        await until(lambda: sim.log[0].disconnected)

    assert took(sim, left) < 1
    no_exchange_is_left(gateway)


def test_resetting_one_stream_of_a_connection_leaves_the_others_alone(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.01
    with RawHttp2(gateway) as client:
        staying, leaving = client.ask(stream=True), client.ask(stream=True)
        client.until_data(leaving)
        client.reset(leaving)
        status, data, ended = client.answer(staying)

    assert (status, ended) == (200, True)
    assert data.endswith(b"data: [DONE]\n\n")
    assert sorted(received.disconnected for received in sim.log) == [False, True]


async def test_hundreds_of_leavers_leave_nothing_behind(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.02

    async def leaver(number: int) -> None:
        async with asking(gateway, abort=number % 2 > 0, stream=number % 3 > 0):
            await asyncio.sleep(0.002 * (number % 50))

    before = gateway.probe()
    for _ in range(3):
        await asyncio.gather(*(leaver(number) for number in range(50)))
    for _ in range(3):
        with RawHttp2(gateway) as raw:
            asked = [raw.ask(stream=number % 3 > 0) for number in range(50)]
            for number in asked[:40]:
                raw.reset(number)
                time.sleep(0.002)
    no_exchange_is_left(gateway)
    for _ in range(30):  # not as often as can be: asking is a task as well
        after = gateway.probe()
        if after["tasks"] <= before["tasks"] + 8:
            break
        time.sleep(0.3)

    assert after["tasks"] <= before["tasks"] + 8, after["kinds"]

    def unfinished() -> list[int]:
        return [one.number for one in sim.log if one.complete_at and not (one.ended_at or one.disconnected)]

    wait_until(lambda: not unfinished(), 5, lambda: f"the upstream still answers {unfinished()}")


async def test_a_client_that_leaves_costs_the_account_nothing(gateway: Mitm, sim: Simulator) -> None:
    for _ in range(5):
        sim.script(["stall-body"])
        async with ahttp(gateway) as client, calling(client, stream=True):
            await until(lambda: bool(sim.log) and sim.log[-1].answered_at is not None)
        sim.reset()
    (account,) = gateway.health().json()["checks"]["accounts"]

    assert account["status"] == "healthy"


async def test_the_flow_tells_that_the_client_left(gateway: Mitm, sim: Simulator) -> None:
    sim.script(["stall-mid;after=3"])
    async with ahttp(gateway) as client, calling(client, stream=True, user="the-leaver"):
        await until(lambda: bool(sim.log) and sim.log[-1].chunks > 2)
    no_exchange_is_left(gateway)
    wait_until(lambda: any(flow.error for flow in gateway.flows()), 5, "no flow of it")

    flow = [flow for flow in gateway.flows() if flow.metadata.get("qwen.client")][-1]
    assert "the-leaver" in flow.metadata["qwen.client"]["body"]
    assert flow.comment.startswith("qwen3.7-plus → qwen3.7-plus on qwen: cancelled")


@pytest.fixture(scope="module")
def tls_upstream() -> Iterator[Simulator]:
    """Qwen with TLS, which offers HTTP/2."""
    with Simulator.in_thread(tls=True) as simulator:
        yield simulator


@pytest.mark.parametrize("http2_option", [False, True])
async def test_cancelling_reaches_an_upstream_with_tls(
    starter: Starter, tls_upstream: Simulator, http2_option: bool
) -> None:
    tls_upstream.reset()
    options = {"qwen_ca_bundle": tls_upstream.ca_file, "qwen_http2": str(http2_option).lower()}
    with starter("cancel-tls", environ=one_account(tls_upstream), options=options) as gateway:
        tls_upstream.script(["stall-mid;after=3"])
        async with asking(gateway, stream=True):
            await until(lambda: bool(tls_upstream.log) and tls_upstream.log[-1].chunks > 2)
            left = time.time()

        assert took(tls_upstream, left) < 1
        assert tls_upstream.log[0].http_version == ("2" if http2_option else "1.1")
        no_exchange_is_left(gateway)
