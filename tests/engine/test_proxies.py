"""Calls that aiohttp's session carries: through a proxy, and to URLs with a password in them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from qwen_gateway.engine.transport import TransportFault
from tests.engine.wire import Do, Script, Wire, wire

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


@pytest.mark.parametrize("upstream", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
async def test_a_proxy_that_is_not_there_is_named(transport: AiohttpTransport, upstream: str, host: str) -> None:
    async with wire([Do.HANG]) as gone:
        pass
    with pytest.raises(TransportFault) as broken:
        await call(transport, f"{upstream}://up.test/v1", f"http://user:secret@{host}:{gone.port}")

    assert broken.value.origin == "connect"
    assert broken.value.message.startswith(f"no connection to the proxy http://***@{host}:{gone.port} (")
    assert "up.test" not in broken.value.message


async def test_a_proxy_that_refuses_the_way_is_named_with_its_status(transport: AiohttpTransport) -> None:
    async with wire([b"HTTP/1.1 407 Who Are You\r\ncontent-length: 0\r\n\r\n"]) as playing:
        with pytest.raises(TransportFault) as broken:
            await call(transport, "https://up.test/v1", f"http://user:secret@127.0.0.1:{playing.port}")

    assert broken.value.origin == "connect"
    assert broken.value.message == (
        f"no connection to up.test through the proxy http://***@127.0.0.1:{playing.port} (it answers 407)"
    )


async def test_an_upstream_that_breaks_off_behind_a_proxy_is_not_taken_for_it(transport: AiohttpTransport) -> None:
    script: Script = [b"HTTP/1.1 200 Go\r\n\r\n", Do.HANG, b"this is no handshake"]  # once ours has begun
    async with wire(script) as playing:
        with pytest.raises(TransportFault) as broken:
            await call(transport, "https://up.test/v1", f"http://127.0.0.1:{playing.port}")

    assert broken.value.origin == "connect"
    assert broken.value.message.startswith("no connection to up.test (")


async def test_a_proxy_that_does_not_answer_takes_its_time_and_no_more() -> None:
    transport = AiohttpTransport(connect_timeout=0.2)
    async with wire([Do.HANG]) as playing:
        with pytest.raises(TransportFault) as silent:
            await call(transport, "https://up.test/v1", f"http://user:secret@127.0.0.1:{playing.port}")
        async with asyncio.timeout(10):
            while not playing.closed:
                await asyncio.sleep(0.002)
    await transport.aclose()

    place = f"up.test through the proxy http://***@127.0.0.1:{playing.port}"
    assert silent.value.origin == "connect"
    assert silent.value.message == f"no connection to {place} within the 0.2 s of qwen_connect_timeout"


@pytest.mark.parametrize("proxied", [False, True], ids=["upstream", "proxy"])
async def test_addresses_that_do_not_answer_share_the_time(proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take the connection, and say nothing in the handshake."""
    loop = asyncio.get_running_loop()
    transport = AiohttpTransport(connect_timeout=0.2)
    async with wire([Do.HANG]) as playing:
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", playing.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 6)
        silent = f"https://silent.test:{playing.port}"
        began = loop.time()
        with pytest.raises(TransportFault) as fault:
            await (call(transport, "http://up.test/", silent) if proxied else call(transport, silent))
        took = loop.time() - began
    await transport.aclose()

    assert 0.15 < took < 0.8
    assert fault.value.origin == "connect"
    assert "qwen_connect_timeout" in fault.value.message


async def test_an_answer_may_take_longer_than_a_connection() -> None:
    transport = AiohttpTransport(connect_timeout=0.1)
    async with wire([*[Do.PAUSE] * 20, ok(b"1")]) as playing:
        assert [await through(transport, playing) for _ in range(2)] == [b"1", b"1"]
    await transport.aclose()
