"""Calls that aiohttp's session carries: through a proxy, and to URLs with a password in them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from tests.engine.wire import Do, Wire, wire

Ask = Callable[[AiohttpTransport, Wire], Awaitable[bytes]]


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def through(transport: AiohttpTransport, playing: Wire) -> bytes:
    """To an upstream without TLS: the proxy gets the whole request."""
    return await call(transport, "http://up.test/v1", f"http://127.0.0.1:{playing.port}")


async def with_password(transport: AiohttpTransport, playing: Wire) -> bytes:
    return await call(transport, playing.url("user:secret@"))


async def call(transport: AiohttpTransport, url: str, proxy: str | None = None) -> bytes:
    async with asyncio.timeout(10):
        answer = await transport.send("POST", url, {"content-type": "x"}, b"{}", proxy)
        body = b"".join([chunk async for chunk in answer.chunks()])
        await answer.aclose(reuse=True)
        return body


@pytest.mark.parametrize("ask", [through, with_password])
@pytest.mark.parametrize("unasked", [ok(b"another's"), ok(b"another's")[:-1], ok(b"") * 2], ids=["one", "half", "two"])
async def test_an_answer_nobody_asked_for_is_nobodys(transport: AiohttpTransport, ask: Ask, unasked: bytes) -> None:
    async with wire([ok(b"1"), Do.PAUSE, unasked], [ok(b"2")], [ok(b"3")]) as playing:
        bodies = []
        for _ in range(3):
            bodies.append(await ask(transport, playing))
            await asyncio.sleep(0.03)

    assert bodies == [b"1", b"2", b"3"]
    assert [number for number, _ in playing.requests] == [1, 2, 2]


async def test_only_the_connections_that_got_one_are_closed(transport: AiohttpTransport) -> None:
    async with wire([Do.PAUSE, ok(b"1")], [Do.PAUSE, ok(b"1"), Do.PAUSE, ok(b"another's")], [ok(b"2")]) as playing:
        assert await asyncio.gather(*(through(transport, playing) for _ in range(2))) == [b"1", b"1"]
        await asyncio.sleep(0.03)
        spoilt = playing.requests[1][0]
        assert [await through(transport, playing) for _ in range(2)] == [b"2", b"2"]

    assert {number for number, _ in playing.requests[2:]} == {1, 2} - {spoilt}
