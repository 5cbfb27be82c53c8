"""Which connections carry another request, and how new ones are made."""

import asyncio
import gzip
import socket

import pytest

from qwen_gateway.engine import connections
from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from qwen_gateway.engine.transport import TransportFault
from tests.engine.wire import Authority, Do, Script, Wire, taken_by, upstream, wire

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


async def call(transport: AiohttpTransport, playing: Wire, method: str = "POST", host: str = "127.0.0.1") -> bytes:
    async with asyncio.timeout(10):
        answer = await transport.send(method, playing.url(host=host), {"content-type": "x"}, b"{}")
        body = b"".join([chunk async for chunk in answer.chunks()])
        await answer.aclose(reuse=True)
        return body


def used(playing: Wire) -> list[int]:
    """The connection of each request."""
    return [number for number, _ in playing.requests]


AGAIN: dict[str, tuple[Script, bool]] = {
    "a length": ([OK], True),
    "chunks": ([CHUNKED], True),
    "no body": ([b"HTTP/1.1 204 No Content\r\n\r\n"], True),
    "an error": ([OK.replace(b"200", b"500")], True),
    "an interim answer": ([b"HTTP/1.1 102 Processing\r\n\r\n", Do.PAUSE, OK], True),
    "a body up to the close": ([b"HTTP/1.1 200 OK\r\n\r\nok", Do.CLOSE], False),
    "connection: close": ([OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")], False),
    "HTTP/1.0": ([OK.replace(b"/1.1", b"/1.0")], False),
    "an answer nobody asked for": ([OK + OK], False),
    "half an answer nobody asked for": ([OK + OK[:25]], False),
    "a letter nobody asked for": ([OK + b"H"], False),
    "thousands of chunks": (
        [CHUNKED.partition(b"2\r")[0] + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"],
        True,
    ),
    "trailers": ([CHUNKED[:-2] + b"x-request-id: 1\r\nset-cookie: a=b\r\n\r\n"], True),
    "bytes nobody asked for": ([OK, Do.PAUSE, b"more"], False),
    "a close while it waits": ([OK, Do.PAUSE, Do.CLOSE], False),
    "a reset while it waits": ([OK, Do.PAUSE, Do.RESET], False),
}


@pytest.mark.parametrize("name", AGAIN)
async def test_a_connection_is_used_again_after(transport: AiohttpTransport, name: str) -> None:
    script, again = AGAIN[name]
    async with wire(script) as playing:
        for _ in range(3):
            await call(transport, playing)
            await asyncio.sleep(0.03)

    assert used(playing) == ([1, 1, 1] if again else [1, 2, 3])


@pytest.mark.parametrize(
    "trailer", ["x-request-id: of-another", "set-cookie: token=of-another", "content-encoding: gzip"]
)
async def test_what_follows_a_body_is_not_the_next_answers(transport: AiohttpTransport, trailer: str) -> None:
    """Other accounts call on the same connections: a cookie would end in another one's session."""
    async with wire([CHUNKED[:-2] + trailer.encode() + b"\r\nx-more: 1\r\n\r\n"], [OK]) as playing:
        await call(transport, playing)
        answer = await transport.send("POST", playing.url(), {}, b"")
        body = b"".join([chunk async for chunk in answer.chunks()])
        await answer.aclose()

    assert used(playing) == [1, 1]
    assert body == b"ok"
    assert dict(answer.headers) == {"Content-Length": "2"}
    assert answer.set_cookies == []


async def test_answers_of_every_kind_follow_each_other(transport: AiohttpTransport) -> None:
    packed = gzip.compress(b"ok")
    kinds = [
        OK,
        CHUNKED,
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed,
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        CHUNKED.replace(b"2\r\nok\r\n", b""),
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ]
    order = [*kinds, *reversed(kinds), *kinds[::3], *kinds[::2]]
    async with wire(*([kind] for kind in order)) as playing:
        bodies = [await call(transport, playing) for _ in order]

    full = {OK: b"ok", CHUNKED: b"ok", kinds[3]: b"ok", kinds[6]: b"ok"}
    assert bodies == [full.get(kind, b"") for kind in order]
    assert playing.connections == 1


async def test_calls_at_the_same_time_have_connections_of_their_own(transport: AiohttpTransport) -> None:
    async with wire([Do.PAUSE, OK]) as playing:
        for _ in range(2):
            assert await asyncio.gather(*(call(transport, playing) for _ in range(5))) == [b"ok"] * 5

    assert playing.connections == 5
    assert sorted(used(playing)) == sorted([1, 2, 3, 4, 5] * 2)


@pytest.mark.parametrize("ending", [Do.CLOSE, Do.RESET])
async def test_a_request_that_does_no_harm_is_sent_again_when_it_met_a_close(
    transport: AiohttpTransport, ending: Do
) -> None:
    async with wire([OK], [ending], [OK]) as playing:
        assert await call(transport, playing, "GET") == b"ok"
        assert await call(transport, playing, "GET") == b"ok"

    assert used(playing) == [1, 1, 2]


@pytest.mark.parametrize("ending", [Do.CLOSE, Do.RESET])
async def test_any_other_request_is_sent_once(transport: AiohttpTransport, ending: Do) -> None:
    """A model may have begun to write: who asks again pays twice, and only the engine may decide that."""
    async with wire([OK], [ending], [OK]) as playing:
        await call(transport, playing)
        with pytest.raises(TransportFault) as broken:
            await call(transport, playing)

    assert broken.value.origin == "cut"
    assert used(playing) == [1, 1]


@pytest.mark.parametrize("secure", [False, True])
async def test_an_answer_to_half_a_request_is_the_last_one(authority: Authority, secure: bool) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b"200 OK", b"413 Too Much"))
        await answered.wait()
        taken.set_result(await taken_by(reader))
        writer.close()

    answered = asyncio.Event()
    taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with upstream(refuse, authority, secure=secure) as (transport, url):
        answer = await transport.send("POST", url, {}, bytes(2**24))
        await answer.aclose(reuse=True)
        answered.set()

        assert answer.status == 413
        assert await taken < 2**24


async def test_what_waits_too_long_is_closed(transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEP", 0.05)
    async with wire([OK]) as playing:
        await call(transport, playing)
        await asyncio.sleep(0.2)

        assert playing.closed == {1}
        assert await call(transport, playing) == b"ok"


async def test_closing_leaves_no_connection(transport: AiohttpTransport) -> None:
    async with wire([Do.PAUSE, OK]) as playing:
        await asyncio.gather(*(call(transport, playing) for _ in range(3)))
        await transport.aclose()
        async with asyncio.timeout(10):
            while len(playing.closed) < 3:
                await asyncio.sleep(0.002)
        assert await call(transport, playing) == b"ok"  # and it can be used again


async def test_certificates_are_checked_and_the_host_is_named(authority: Authority) -> None:
    context, bundle = authority
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, context: names.append(name)
    trusting, strict = AiohttpTransport(ca_bundle=str(bundle)), AiohttpTransport()
    async with wire([OK], context=context) as playing:
        assert await call(trusting, playing, host="localhost") == b"ok"
        assert await call(trusting, playing, host="localhost") == b"ok"
        with pytest.raises(TransportFault) as unknown:
            await call(strict, playing, host="localhost")
        with pytest.raises(TransportFault) as another:
            await call(trusting, playing, host="127.0.0.1")
    await trusting.aclose()
    await strict.aclose()

    assert names[0] == "localhost"
    assert used(playing) == [1, 1]
    assert unknown.value.origin == another.value.origin == "connect"
    assert "localhost" in unknown.value.message


async def test_an_upstream_may_speak_first(authority: Authority) -> None:
    """One that is too busy does: the answer is there before the request is."""
    context, bundle = authority
    transport = AiohttpTransport(ca_bundle=str(bundle))
    busy = b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno"
    async with wire([Do.HANG], greeting=busy, context=context) as playing:
        assert await call(transport, playing, host="localhost") == b"no"
    await transport.aclose()


async def test_a_handshake_that_is_not_answered_takes_its_time_and_no_more() -> None:
    transport = AiohttpTransport(connect_timeout=0.3)
    async with wire([Do.HANG]) as playing:
        playing.secure = True
        with pytest.raises(TransportFault) as silent:
            await call(transport, playing)

    assert silent.value.origin == "connect"
    assert "timeout" in silent.value.message
    await transport.aclose()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
async def test_addresses_of_six_are_reached(transport: AiohttpTransport) -> None:
    async with wire([OK], host="::1") as playing:
        assert await call(transport, playing, host="[::1]") == b"ok"

    assert b"Host: [::1]:%d\r\n" % playing.port in playing.requests[0][1]


async def test_every_address_of_a_name_is_tried(transport: AiohttpTransport) -> None:
    async with wire([OK]) as playing:  # on 127.0.0.1 alone; the name may have ::1 before it
        assert await call(transport, playing, host="localhost") == b"ok"


async def test_a_name_that_nobody_has_is_told_as_such(transport: AiohttpTransport) -> None:
    with pytest.raises(TransportFault) as unknown:
        await transport.send("GET", "http://nowhere.invalid/", {}, b"")

    assert unknown.value.origin == "connect"
    assert "nowhere.invalid" in unknown.value.message


async def test_a_url_without_a_host_is_told_as_such(transport: AiohttpTransport) -> None:
    for url in ("http:///x", "/x"):
        with pytest.raises(TransportFault) as unusual:
            await transport.send("GET", url, {}, b"")
        assert unusual.value.origin == "connect"
