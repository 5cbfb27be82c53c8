"""A failure of the simulator itself is loud."""

import logging
from collections.abc import Iterator

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from qwen_gateway.simulator.log import Received
from qwen_gateway.simulator.server import Server
from qwen_gateway.simulator.wire import Reply, Step


async def served(sim: Simulator, client: httpx.AsyncClient, application: object) -> httpx.Response:
    server = Server(application, sim.state.log, max_streams=10)  # type: ignore[arg-type]
    port = await server.start("127.0.0.1", 0, None)
    try:
        return await client.get(f"http://127.0.0.1:{port}/")
    finally:
        await server.stop()


async def test_an_application_that_fails_is_an_answer(
    sim: Simulator, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    def application(_: Received) -> Reply:
        raise KeyError("oops")

    with caplog.at_level(logging.ERROR):
        answer = await served(sim, client, application)

    assert answer.status_code == 500
    assert answer.text == "the simulator failed: KeyError: 'oops'"
    assert "could not answer GET /" in caplog.text


async def test_a_body_that_fails_breaks_the_answer_off(
    sim: Simulator, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    def body() -> Iterator[Step]:
        yield b"so far"
        raise ValueError("no further")

    with pytest.raises(httpx.RemoteProtocolError), caplog.at_level(logging.ERROR):
        await served(sim, client, lambda _: Reply(200, [], body()))

    assert "failed while answering GET /" in caplog.text
