"""Faults of the transport, on HTTP/1.1 and HTTP/2."""

import asyncio
import time

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import ask, text

BROKEN = (httpx.RemoteProtocolError, httpx.ReadError)


async def received_until_it_broke(sim: Simulator, client: httpx.AsyncClient, fault: str, stream: bool = True) -> bytes:
    body = {"model": "qwen3.7-plus", "messages": [{"role": "user", "content": "你好"}], "stream": stream}
    url, headers = sim.url() + "/chat/completions", {"x-sim-fault": fault}
    got = b""
    try:
        async with client.stream("POST", url, json=body, headers=headers) as answer:
            async for data in answer.aiter_raw():
                got += data
    except BROKEN:
        return got
    pytest.fail(f"nothing broke: {got!r}")


@pytest.mark.parametrize("fault", ["drop-before-headers", "reset", "drop-in-headers"])
async def test_the_connection_breaks_before_the_answer(sim: Simulator, client: httpx.AsyncClient, fault: str) -> None:
    with pytest.raises(BROKEN):
        await ask(sim, client, fault=fault, stream=True)

    assert sim.log[-1].dropped
    assert not sim.log[-1].disconnected
    assert sim.log[-1].status is None


@pytest.mark.parametrize("how", ["", ";reset=1"])
@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("drop-after-headers", b""),
        ("drop-after;after=2", b"}\n\n"),
        ("drop-before-done", b"}\n\n"),
        ("drop-mid-json;after=1", b""),
        ("drop-mid-chunk;after=1", b""),
        ("drop-mid-utf8", b'"content":"\xe2'),
        ("truncated", b"data: [DONE]\n\n"),
    ],
)
async def test_the_connection_breaks_within_a_stream(
    sim: Simulator, client: httpx.AsyncClient, fault: str, end: bytes, how: str
) -> None:
    got = await received_until_it_broke(sim, client, fault + how)

    assert sim.log[-1].dropped
    if not how:  # a reset may overtake what was sent before
        # One byte of the space may stand before the letter.
        assert got.replace(b' "', b'"').replace(b'" ', b'"').endswith(end)


@pytest.mark.parametrize("fault", ["drop-before-headers", "drop-after;after=2", "drop-mid-utf8", "truncated", "reset"])
async def test_a_stream_of_http2_breaks(tls: Simulator, client2: httpx.AsyncClient, fault: str) -> None:
    await received_until_it_broke(tls, client2, fault)

    assert tls.log[-1].dropped
    assert tls.log[-1].http_version == "2"


async def test_a_body_is_cut_in_half(sim: Simulator, client: httpx.AsyncClient) -> None:
    got = await received_until_it_broke(sim, client, "truncated", stream=False)

    assert got.startswith(b'{"choices"')
    assert not got.endswith(b"}")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_length_that_is_too_long(sim: Simulator, client: httpx.AsyncClient, stream: bool) -> None:
    got = await received_until_it_broke(sim, client, "length-too-long", stream)

    assert got


async def test_a_length_that_is_too_short(sim: Simulator, client: httpx.AsyncClient) -> None:
    whole = await ask(sim, client)
    answer = await ask(sim, client, fault="length-too-short;bytes=-10")

    assert len(answer.content) == len(whole.content) - 10


async def test_a_connection_lives_on_after_ordinary_answers_only(sim: Simulator, client: httpx.AsyncClient) -> None:
    await ask(sim, client)
    await ask(sim, client, stream=True)
    await ask(sim, client, fault="length-too-short")
    await ask(sim, client)

    assert [received.connection for received in sim.log] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("fault", "seen"), [("stall-headers", False), ("stall-body", True), ("stall-mid;after=2", True)]
)
async def test_silence(sim: Simulator, client: httpx.AsyncClient, fault: str, seen: bool) -> None:
    client.timeout = httpx.Timeout(0.15)

    with pytest.raises(httpx.ReadTimeout):
        await ask(sim, client, fault=fault, stream=True)

    await asyncio.sleep(0.02)
    assert (sim.log[-1].answered_at is not None) is seen
    assert sim.log[-1].disconnected


async def test_slowness(sim: Simulator, client: httpx.AsyncClient) -> None:
    begin = time.monotonic()
    await ask(sim, client, fault="slow;headers=0.05;first=0.05")
    waited = time.monotonic() - begin
    answer = await ask(sim, client, fault="slow;chunk=0.002", stream=True)

    received = sim.log[-1]
    assert waited >= 0.1
    assert received.ended_at is not None
    assert received.answered_at is not None
    assert received.ended_at - received.answered_at >= 0.002 * received.chunks
    assert text(answer)


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("bad-gateway", 502, "text/html"),
        ("service-unavailable", 503, "text/html"),
        ("gateway-timeout", 504, "text/html"),
        ("text-500", 500, "text/plain"),
        ("empty-404", 404, None),
        ("empty-200", 200, None),
    ],
)
async def test_pages_of_the_edge(
    sim: Simulator, client: httpx.AsyncClient, fault: str, status: int, kind: str | None
) -> None:
    answer = await ask(sim, client, key="sk-sim-" + fault)

    assert answer.status_code == status
    assert answer.headers.get("content-type") == kind
    assert ("alibaba-ga" in answer.text) is (kind == "text/html")


async def test_wrong_content_type_and_retry_after(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="wrong-content-type;type=text/html, retry-after;seconds=3, throttling")

    assert answer.status_code == 429
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["retry-after"] == "3"


async def test_gzip_of_a_whole_answer(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="gzip")

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["object"] == "chat.completion"
