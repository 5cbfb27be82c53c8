"""A connection of our own over real sockets: whatever an upstream does is the same there as in aiohttp's session."""

import asyncio
import contextlib
import gzip
import select
import socket
import ssl
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from qwen_gateway.engine import last_bytes
from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from qwen_gateway.engine.transport import TransportFault
from tests.engine.wire import Authority, Do, Script, Wire, taken_by, upstream, wire

OK = b"HTTP/1.1 200 OK\r\n"
TEXT = b'{"said": "' + "你好 ".encode() * 40 + b'"}'
WHOLE = OK + b"content-length: %d\r\n\r\n" % len(TEXT) + TEXT
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def chunks(body: bytes, size: int = 50) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in split(body, size)) + b"0\r\n\r\n"


def split(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def slowly(data: bytes, size: int) -> Script:
    script: Script = []
    for piece in split(data, size):
        script += [piece, Do.PAUSE]
    return script


def packed(encoding: bytes, body: bytes) -> bytes:
    return OK + b"content-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (encoding, len(body)) + body


WAYS = pytest.mark.parametrize("user", ["", "user:word@"], ids=["direct", "session"])
"""A password in the URL makes aiohttp's session serve it: what both do is held together here."""


async def outcome(transport: AiohttpTransport, playing: Wire, user: str = "", method: str = "POST") -> object:
    """The status and the body, or the origin and the words of the fault."""
    try:
        async with asyncio.timeout(10):
            answer = await transport.send(method, playing.url(user), {"content-type": "x"}, b"{}")
            try:
                body = b"".join([chunk async for chunk in answer.chunks()])
            finally:
                await answer.aclose(reuse=True)
    except TransportFault as fault:
        return fault.origin, fault.message
    return answer.status, body


ANSWERS: dict[str, tuple[Script, tuple[int, bytes]]] = {
    "of a length": ([WHOLE], (200, TEXT)),
    "byte by byte": ([*slowly(WHOLE[:90], 1), WHOLE[90:]], (200, TEXT)),
    "in pieces": (slowly(WHOLE, 100), (200, TEXT)),
    "in chunks": ([CHUNKED, Do.PAUSE, chunks(TEXT)], (200, TEXT)),
    "in chunks that are cut anywhere": (slowly(CHUNKED + chunks(TEXT), 33), (200, TEXT)),
    "in chunks with extensions and trailers": (
        [CHUNKED + b"5;a=b\r\nhello\r\n0\r\nx-later: 1\r\n\r\n"],
        (200, b"hello"),
    ),
    "up to the close": ([OK + b"\r\n" + TEXT, Do.PAUSE, TEXT, Do.CLOSE], (200, TEXT * 2)),
    "of HTTP/1.0": ([b"HTTP/1.0 200 OK\r\n\r\n" + TEXT, Do.CLOSE], (200, TEXT)),
    "without a body": ([b"HTTP/1.1 204 No Content\r\n\r\n"], (204, b"")),
    "without a body, with a length": ([b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"], (304, b"")),
    "of length nought": ([OK + b"content-length: 0\r\n\r\n"], (200, b"")),
    "an error": ([b"HTTP/1.1 429 Slow Down\r\ncontent-length: 2\r\n\r\nno"], (429, b"no")),
    "after interim ones": (
        [b"HTTP/1.1 100 Continue\r\n\r\n", Do.PAUSE, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + WHOLE],
        (200, TEXT),
    ),
    "with line feeds alone": ([b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok"], (200, b"ok")),
    "by gzip": ([packed(b"gzip", gzip.compress(TEXT))], (200, TEXT)),
    "by gzip, in pieces": (slowly(packed(b"gzip", gzip.compress(TEXT)), 20), (200, TEXT)),
    "by deflate": ([packed(b"deflate", zlib.compress(TEXT))], (200, TEXT)),
    "by gzip, up to the close": (
        [OK + b"content-encoding: gzip\r\n\r\n" + gzip.compress(TEXT), Do.CLOSE],
        (200, TEXT),
    ),
}


@WAYS
@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_comes_whole(transport: AiohttpTransport, name: str, user: str) -> None:
    script, expected = ANSWERS[name]
    async with wire(script) as playing:
        assert await outcome(transport, playing, user) == expected


BEFORE = "the connection broke before an answer "
WITHIN = "the answer broke off (its body ended too early or was malformed)"
FAULTS: dict[str, tuple[Script, str]] = {
    "a close": ([Do.CLOSE], BEFORE + "(the server closed the connection)"),
    "a reset": ([Do.PAUSE, Do.RESET], BEFORE + "(Connection reset by peer)"),
    "half a head": ([OK + b"content-le", Do.PAUSE, Do.CLOSE], BEFORE + "(the server closed the connection)"),
    "no HTTP": ([b"SSH-2.0-OpenSSH_9.6\r\n", Do.HANG], BEFORE + "(its head is not HTTP)"),
    "a status that is none": ([b"HTTP/1.1 2x0 OK\r\n\r\n", Do.HANG], BEFORE + "(its head is not HTTP)"),
    "a long line": ([OK + b"x: " + b"y" * 9000 + b"\r\n\r\n", Do.HANG], BEFORE + "(its head is not HTTP)"),
    "many headers": ([OK + b"x: y\r\n" * 200 + b"\r\n", Do.HANG], BEFORE + "(its head is not HTTP)"),
    "two lengths": (
        [OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab", Do.HANG],
        BEFORE + "(its head is not HTTP)",
    ),
    "a length that is too short": (
        [OK + b"content-length: 5\r\n\r\n" + TEXT, Do.HANG],
        BEFORE + "(its head is not HTTP)",
    ),
    "a length that is too long": ([OK + b"content-length: 999\r\n\r\n" + TEXT, Do.PAUSE, Do.CLOSE], WITHIN),
    "torn chunks": ([CHUNKED, Do.PAUSE, chunks(TEXT)[:-5], Do.PAUSE, Do.CLOSE], WITHIN),
    "a reset within the body": ([CHUNKED, chunks(TEXT)[:-5], Do.PAUSE, Do.RESET], WITHIN),
    "what is not gzip": ([packed(b"gzip", TEXT)], WITHIN),
}  # fmt: skip


@WAYS
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_told_as_such(transport: AiohttpTransport, name: str, user: str) -> None:
    script, expected = FAULTS[name]
    async with wire(script) as playing:
        assert await outcome(transport, playing, user) == ("cut", expected)


async def test_chunks_that_are_none_are_a_fault_at_once(transport: AiohttpTransport) -> None:
    async with wire([CHUNKED + b"5\r\nhello\r\n", Do.PAUSE, b"hello\r\n", Do.HANG]) as playing:
        assert await outcome(transport, playing) == ("cut", WITHIN)


async def test_every_cookie_that_an_answer_sets_is_told(transport: AiohttpTransport) -> None:
    async with wire([OK + b"Set-Cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n"]) as playing:
        answer = await transport.send("GET", playing.url(), {}, b"")
        await answer.aclose()

    assert answer.set_cookies == ["a=1", "b=2"]
    assert answer.headers["SET-COOKIE"] == "a=1"


async def ended(playing: Wire, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(playing.closed) < count:
            await asyncio.sleep(0.002)


async def test_a_call_that_is_cancelled_before_its_answer_ends_at_the_upstream(transport: AiohttpTransport) -> None:
    async with wire([Do.HANG]) as playing:
        call = asyncio.create_task(outcome(transport, playing))
        await asyncio.sleep(0.05)
        call.cancel()
        await ended(playing)


async def test_an_answer_that_is_let_go_ends_at_the_upstream(transport: AiohttpTransport) -> None:
    async with wire([CHUNKED + b"2\r\nab\r\n", Do.HANG]) as playing:
        answer = await transport.send("GET", playing.url(), {}, b"")
        async for _ in answer.chunks():
            break
        await answer.aclose()
        await ended(playing)
        with pytest.raises(TransportFault):
            async for _ in answer.chunks():
                pass


async def test_last_bytes_are_not_waited_for_very_long(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_bytes, "PATIENCE", 0.05)
    async with wire([CHUNKED + b"2\r\nab\r\n", Do.HANG]) as playing:
        answer = await transport.send("GET", playing.url(), {}, b"")
        await answer.aclose(reuse=True)
        await ended(playing)


@pytest.mark.parametrize("secure", [False, True])
async def test_a_request_that_is_not_taken_is_dropped_with_its_call(authority: Authority, secure: bool) -> None:
    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await cancelled.wait()
        taken.set_result(await taken_by(reader))
        writer.close()

    reached, cancelled = asyncio.Event(), asyncio.Event()
    taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with upstream(dawdle, authority, secure=secure) as (transport, url):
        call = asyncio.create_task(transport.send("POST", url, {}, bytes(2**24)))
        await reached.wait()
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.wait([call])
        cancelled.set()

        assert await taken < 2**24


@asynccontextmanager
async def secure_upstream(
    authority: Authority, talk: Callable[[ssl.SSLSocket], None]
) -> AsyncIterator[tuple[AiohttpTransport, str]]:
    """An upstream that answers one connection after the other in a thread, where it decides when TLS is read."""
    context, bundle = authority

    def serve() -> None:
        while True:
            try:
                plain = listener.accept()[0]
            except OSError:
                return
            with plain, contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(2**16)
                talk(connection)

    transport = AiohttpTransport(ca_bundle=str(bundle))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield transport, f"https://localhost:{listener.getsockname()[1]}/"
        finally:
            await transport.aclose()
            listener.shutdown(socket.SHUT_RDWR)


async def test_an_upstream_that_does_not_read_hears_of_a_cancel_at_once(
    authority: Authority,
) -> None:
    """The leave that TLS takes is waited for half a minute, and a model that thinks does not read it."""
    heard: asyncio.Queue[bool] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def think(connection: ssl.SSLSocket) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, False)
        hung_up = select.poll()
        hung_up.register(connection.fileno(), select.POLLRDHUP)
        loop.call_soon_threadsafe(heard.put_nowait, bool(hung_up.poll(10_000)))

    async with secure_upstream(authority, think) as (transport, url), asyncio.timeout(5):
        call = asyncio.create_task(transport.send("POST", url, {}, b"{}"))
        await heard.get()
        call.cancel()
        assert await heard.get()


async def test_a_slow_reader_gets_all_of_an_answer_whose_upstream_has_left(
    authority: Authority,
) -> None:
    def hurry(connection: ssl.SSLSocket) -> None:
        piece = bytes(2**10)
        connection.sendall(CHUNKED + b"400\r\n%b\r\n" % piece * 700 + b"0\r\n\r\n")
        connection.unwrap()

    async with secure_upstream(authority, hurry) as (transport, url), asyncio.timeout(20):
        for _ in range(6):  # whether the leave overtakes what the reader has no room for is a matter of luck
            answer = await transport.send("POST", url, {}, b"{}")
            await asyncio.sleep(0.1)
            received = 0
            async for chunk in answer.chunks():
                received += len(chunk)
                await asyncio.sleep(0.02)
            await answer.aclose()
            assert received == 700 * 2**10


@pytest.mark.parametrize("head", [CHUNKED, OK + b"\r\n", OK + b"content-length: %d\r\n\r\n" % (2**26)])
async def test_an_upstream_waits_for_a_reader_that_is_slow(transport: AiohttpTransport, head: bytes) -> None:
    piece = bytes(2**16)
    framed = b"%x\r\n%b\r\n" % (len(piece), piece) if head == CHUNKED else piece
    end = [b"0\r\n\r\n"] if head == CHUNKED else []
    async with wire([head, *[framed] * 2**10, *end, Do.CLOSE]) as playing:
        answer = await transport.send("GET", playing.url(), {}, b"")
        await asyncio.sleep(0.2)
        held = playing.sent
        received = 0
        async for chunk in answer.chunks():
            received += len(chunk)

    assert held < 2**24  # what fits into the sockets' own buffers, and half a megabyte
    assert received == 2**26


async def test_what_swells_waits_as_well(transport: AiohttpTransport) -> None:
    async with wire([packed(b"gzip", gzip.compress(bytes(2**26)))]) as playing:
        answer = await transport.send("GET", playing.url(), {}, b"")
        sizes = [len(chunk) async for chunk in answer.chunks()]

    assert sum(sizes) == 2**26
    assert max(sizes) <= 2**20


async def test_a_transport_that_is_closed_ends_what_is_under_way(transport: AiohttpTransport) -> None:
    async with wire([CHUNKED + b"2\r\nab\r\n", Do.HANG]) as playing:
        call = asyncio.create_task(outcome(transport, playing))
        await asyncio.sleep(0.05)
        await transport.aclose()

        assert await call == ("cut", WITHIN)
        await ended(playing)
