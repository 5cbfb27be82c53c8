"""HTTP/1.1 on a bare socket."""

import asyncio
import json

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import HI, ask

BODY = json.dumps({"model": "qwen3.7-plus", "messages": HI}).encode()


def request(extra: bytes = b"", version: bytes = b"1.1") -> bytes:
    head = b"POST /compatible-mode/v1/chat/completions HTTP/%b\r\nHost: x\r\nAuthorization: Bearer sk-sim\r\n" % version
    return head + extra + b"Content-Length: %d\r\n\r\n" % len(BODY)


async def talk(sim: Simulator, *pieces: bytes) -> bytes:
    """Send, and read until the simulator closes or says nothing more."""
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    got = b""
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    try:
        async with asyncio.timeout(0.1):
            while data := await reader.read(65_536):
                got += data
    except TimeoutError:
        pass
    writer.close()
    await writer.wait_closed()
    return got


async def test_a_request_in_single_bytes(sim: Simulator) -> None:
    whole = request() + BODY
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    for byte in whole:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()

    assert head.startswith(b"HTTP/1.1 200 ")


async def test_two_requests_in_one_write_are_answered_in_turn(sim: Simulator) -> None:
    got = await talk(sim, (request() + BODY) * 2)

    assert got.count(b"HTTP/1.1 200 ") == 2
    assert [received.connection for received in sim.log] == [1, 1]


async def test_a_client_that_waits_for_100_is_told_to_go_on(sim: Simulator) -> None:
    got = await talk(sim, request(b"Expect: 100-continue\r\n"), BODY)

    assert got.startswith(b"HTTP/1.1 100 ")
    assert b"HTTP/1.1 200 " in got


async def test_http_1_0_gets_an_answer_without_chunks(sim: Simulator) -> None:
    got = await talk(sim, request(version=b"1.0") + BODY)

    assert got.startswith(b"HTTP/1.1 200 ")
    assert b"chunked" not in got


async def test_connection_close_is_honoured(sim: Simulator) -> None:
    await talk(sim, request(b"Connection: close\r\n") + BODY)

    assert not any(connection.open for connection in sim.connections)


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01 hello\r\n\r\n", b"POST / HTTP/1.1\r\nno colon\r\n\r\n"])
async def test_nonsense_is_refused(sim: Simulator, nonsense: bytes) -> None:
    assert (await talk(sim, nonsense)).startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_leaves_while_sending_is_noted(sim: Simulator) -> None:
    await talk(sim, request() + BODY[:10])
    await asyncio.sleep(0.01)

    assert sim.log[-1].disconnected
    assert sim.log[-1].complete_at is None


async def test_slow_readers_hold_the_stream_up(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = json.dumps({"model": "qwen3.7-plus", "messages": HI, "stream": True}).encode()
    sim.script(["long-answer;words=100000"])
    _, writer = await asyncio.open_connection(sim.host, sim.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(request().replace(b"Length: %d" % len(BODY), b"Length: %d" % len(body)) + body)
    sent = -1
    while not sim.log or sim.log[0].sent != sent:
        sent = sim.log[0].sent if sim.log else -1
        await asyncio.sleep(0.05)
    answer = await ask(sim, client)

    assert sim.log[0].ended_at is None
    assert answer.status_code == 200
    writer.close()
    await writer.wait_closed()
