"""A gateway that is told to stop: what runs finishes or is told, nothing new begins, and the process ends with 0."""

import asyncio
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests import referee
from tests.e2e.asking import ahttp, body, dumped, error, events, http, http2, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, free_port, wait_until
from tests.e2e.test_launcher import running, wait_for

CHAT = "/v1/chat/completions"


def started(starter: Starter, sim: Simulator, command: str = "mitmdump", **options: Any) -> Mitm:
    if command == "mitmweb":
        options |= {"web_port": free_port(), "web_open_browser": "false"}
    return starter("drain", command=command, environ=one_account(sim), options=options).start()


@asynccontextmanager
async def streams(client: httpx.AsyncClient, number: int) -> AsyncIterator[list[httpx.Response]]:
    """Streams whose first content is there."""
    async with AsyncExitStack() as stack:
        calls = [stack.enter_async_context(client.stream("POST", CHAT, json=body(stream=True))) for _ in range(number)]
        yield [await call for call in calls]


async def until(there: Callable[[], bool]) -> None:
    """Wait for the other side without holding up the clients."""
    end = time.monotonic() + 10
    while not there():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)


async def stopping(gateway: Mitm, client: httpx.AsyncClient) -> httpx.Response:
    """What a new call is told, once the signal has arrived."""
    while True:
        answer = await client.get("/health/ready")
        if answer.status_code == 503:
            assert answer.json()["status"] == "stopping"
            return await client.post(CHAT, json=body())
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("command", ["mitmdump", "mitmweb"])
async def test_fifty_streams_finish_and_none_begins(starter: Starter, sim: Simulator, command: str) -> None:
    gateway = started(starter, sim, command, qwen_drain=60)
    sim.script(["long-answer;words=40"] * 50)
    sim.state.pace = 0.05
    async with ahttp(gateway) as old, ahttp(gateway) as new, streams(old, 50) as answers:
        assert (await new.get("/v1/models")).status_code == 200  # a connection that was used before
        await until(lambda: len(sim.log) >= 50)
        asked = len(sim.log)
        gateway.tell(signal.SIGTERM)
        refused = await stopping(gateway, new)
        whole = await asyncio.gather(*(answer.aread() for answer in answers))

        code = await asyncio.to_thread(gateway.ended, 20)

    assert code == 0
    assert [text(answer).split()[-1] for answer in answers] == [text(answers[0]).split()[-1]] * 50
    assert [data.endswith(b"data: [DONE]\n\n") for data in whole] == [True] * 50
    assert (refused.status_code, error(refused)["code"]) == (503, "shutting_down")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-should-retry"] == "true"
    assert sum(row.path.endswith("/chat/completions") for row in sim.log[asked:]) == 0


@pytest.mark.parametrize("command", ["mitmdump", "mitmweb"])
@pytest.mark.parametrize("protocol", ["h1", "h2"])
async def test_what_cannot_finish_in_time_is_told(
    starter: Starter, sim: Simulator, command: str, protocol: str
) -> None:
    gateway = started(starter, sim, command, qwen_drain=1)
    sim.script(["stall-mid;after=3", "stall-headers"])
    clients: dict[str, Callable[[Mitm], httpx.AsyncClient]] = {"h1": ahttp, "h2": http2}
    async with clients[protocol](gateway) as client, streams(client, 1) as (streamed,):
        waiting = asyncio.create_task(client.post(CHAT, json=body()))
        await until(lambda: len(sim.log) == 2)
        gateway.tell(signal.SIGTERM)
        data = await streamed.aread()
        whole = await waiting

    assert gateway.ended(10) == 0
    assert events(streamed)[-1]["error"]["code"] == "shutting_down"
    assert b"[DONE]" not in data
    assert (whole.status_code, error(whole)["code"]) == (503, "shutting_down")
    referee.assert_valid(whole.json(), "error")
    wait_until(lambda: all(row.disconnected for row in sim.log), 5, "the upstream was not told")


FORMS = {
    "/v1/responses": ({"input": "Say hi"}, b'"response.failed"', b'"response.completed"'),
    "/v1/completions": ({"prompt": "Say hi"}, b'data: {"error"', b"[DONE]"),
}


@pytest.mark.parametrize("path", FORMS)
async def test_every_surface_is_told_in_its_own_form(starter: Starter, sim: Simulator, path: str) -> None:
    gateway = started(starter, sim, qwen_drain=1)
    fields, failed, finished = FORMS[path]
    sim.script(["stall-mid;after=3"])
    async with ahttp(gateway) as client:
        call = {"model": "qwen3.7-plus", "stream": True, **fields}
        async with client.stream("POST", path, json=call) as streamed:
            gateway.tell(signal.SIGTERM)
            data = await streamed.aread()

    assert gateway.ended(10) == 0
    assert failed in data
    assert b"shutting down" in data
    assert finished not in data


async def test_what_was_told_is_in_the_records(starter: Starter, sim: Simulator) -> None:
    gateway = started(starter, sim, qwen_drain=1, qwen_ledger_flush=60_000)
    sim.script(["stall-mid;after=3"])
    async with ahttp(gateway) as client, streams(client, 1) as (streamed,):
        gateway.tell(signal.SIGTERM)
        await streamed.aread()

    assert gateway.ended(20) == 0
    with sqlite3.connect(gateway.home / "ledger.db") as ledger:
        found = ledger.execute("SELECT id, outcome, error_code FROM requests WHERE surface = 'chat'").fetchall()
    assert found == [(streamed.headers["x-request-id"], "failed", "shutting_down")]


async def test_a_second_signal_ends_at_once(starter: Starter, sim: Simulator) -> None:
    gateway = started(starter, sim, qwen_drain=600)
    sim.script(["stall-mid;after=3"])
    async with ahttp(gateway) as client, ahttp(gateway) as other, streams(client, 1) as (streamed,):
        gateway.tell(signal.SIGINT)
        await stopping(gateway, other)
        gateway.tell(signal.SIGINT)
        await streamed.aread()

    assert gateway.ended(10) == 0
    assert events(streamed)[-1]["error"]["code"] == "shutting_down"


def test_idle_connections_hold_nothing_up(starter: Starter, sim: Simulator) -> None:
    gateway = started(starter, sim, qwen_drain=600)
    with http(gateway) as used, socket.create_connection(("127.0.0.1", gateway.port), 5) as silent:
        assert used.post(CHAT, json=body()).status_code == 200
        half = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500\r\n\r\n{"
        silent.sendall(half)  # who never sends its body waits for nothing
        gateway.tell(signal.SIGTERM)

        assert gateway.ended(10) == 0


def test_a_client_that_reads_slowly_gets_its_last_bytes(starter: Starter, sim: Simulator) -> None:
    gateway = started(starter, sim, qwen_drain=60)
    sim.script(["long-answer;words=8000"])
    call = dumped(body(stream=True, model="qwen3-coder-plus"))
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", gateway.port))
        head = f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(call)}\r\n\r\n"
        reader.sendall(head.encode() + call)
        data = reader.recv(100)
        gateway.tell(signal.SIGTERM)
        while piece := reader.recv(20_000):
            data += piece
            time.sleep(0.005)  # the gateway has written all of it long before it was read

    assert gateway.ended(20) == 0
    assert b"data: [DONE]\n\n" in data[-40:]


def test_the_launcher_lets_a_stream_finish(tmp_path: Path, sim: Simulator) -> None:
    sim.state.pace = 0.03
    port = free_port()
    with running(tmp_path, "--port", str(port), **one_account(sim)) as (process, printed):
        base_url = wait_for(printed, r"Base URL\s+(\S+)")[1]
        with httpx.stream("POST", f"{base_url}/chat/completions", json=body(stream=True), timeout=20) as answer:
            pieces = answer.iter_bytes()
            data = next(pieces)
            process.send_signal(signal.SIGINT)
            data += b"".join(pieces)
        assert process.wait(20) == 0

    assert data.endswith(b"data: [DONE]\n\n")
    assert "1 running" in printed.read_text()
    assert "could not finish" not in printed.read_text()
    assert "Traceback" not in printed.read_text()
