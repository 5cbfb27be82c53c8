"""One HTTP/1.1 connection to an upstream: a request goes out in one write, its answer comes through aiohttp's parser.

`aiohttp.ClientSession` takes three times as long for a small call (docs/explanation/decisions/client-library.md). Below
it we rely on this (aiohttp 3.14; `tests/engine/test_connection.py` holds it to that):

* `TCPConnector.connect` gives a connection whose transport takes another protocol. What had arrived before is in its
  first protocol's `_tail`. Closing the connector closes every connection that was not released, and waits until the
  first protocol's `connection_lost` was called.
* `HttpResponseParser` is made for each answer, as aiohttp does: it keeps the trailers of one for the next. `feed_data`
  gives the heads that are complete, each with the reader that its body is fed into, unpacked; it raises for what is
  not HTTP or over its limits. `feed_eof` says that the connection ended, and raises if the body is not complete; it
  gives what has come of another head, None between two answers.
* The reader asks the protocol to pause when it holds too much, and to resume whenever there is room. A parser that was
  paused may hold bytes, and goes on when it is fed nothing.
* `StreamReader.read_nowait` gives all there is, or raises what `set_exception` was given.
* asyncio's TLS transport hands what it encrypts to another one, `_ssl_protocol._transport`, and knows nothing of what
  waits there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import aiohttp.connector
from aiohttp.http_parser import HttpResponseParser, RawResponseMessage
from multidict import CIMultiDictProxy

from qwen_gateway.engine.last_bytes import LastBytes
from qwen_gateway.engine.transport import TransportFault, describe

ROOM = 2**18
"""Bytes of a body that may wait to be read; at twice as many the upstream has to wait."""


class Malformed(aiohttp.ClientError):
    """What came is not the head of an answer, or over the limits of one."""


class Connection(asyncio.Protocol):
    """A connection that was made; carries one request at a time.

    Args:
        lease: aiohttp's hold on it.
        idle: told when it waits for its next request.
    """

    def __init__(self, lease: aiohttp.connector.Connection, idle: Callable[["Connection"], None]) -> None:
        assert lease.transport is not None
        assert lease.protocol is not None
        self._loop = asyncio.get_running_loop()
        self._lease = lease
        self._idle = idle
        self._first = lease.protocol
        self._early = lease.protocol._tail
        self.transport = lease.transport
        self.transport.set_protocol(self)
        self.idle_since = 0.0
        below = getattr(lease.transport, "_ssl_protocol", None)
        self._below: asyncio.Transport | None = getattr(below, "_transport", None)
        self._asked = False
        self._head: RawResponseMessage | None = None
        self._body: aiohttp.StreamReader = aiohttp.EMPTY_PAYLOAD
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._was_paused = False  # in this answer
        self._over: Exception | None = None
        self._last = False

    async def ask(self, request: bytes) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        """Send a request; the head of its answer, and what its body comes from.

        Raises:
            aiohttp.ServerDisconnectedError, aiohttp.ClientOSError: the connection ended before an answer.
            Malformed: something else than an answer came.
        """
        self._expect()
        self.transport.write(request)
        early, self._early = self._early, b""
        if early:
            self._parse(early)
        try:
            while self._head is None and self._over is None:
                await self.more()
        except asyncio.CancelledError:
            self.close()
            raise
        if self._head is None:
            assert self._over is not None
            raise self._over
        return self._head, self._body

    def _expect(self) -> None:
        """Expect an answer."""
        self._asked, self._was_paused = True, False
        self._head, self._body = None, aiohttp.EMPTY_PAYLOAD
        self._parser = HttpResponseParser(
            self,  # type: ignore[arg-type]
            self._loop,
            ROOM,
            payload_exception=aiohttp.ClientPayloadError,
            read_until_eof=True,
        )

    def more(self) -> asyncio.Future[None]:
        """Done when something has arrived, or the connection has ended."""
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def let_go(self) -> None:
        """The answer is not read any further: keep the connection if it can carry another request."""
        self._asked = False
        if self._is_clean():
            self._idle(self)
        else:
            self.close()

    def _is_clean(self) -> bool:
        """Whether this question and its answer are over to the last byte, and nothing else has begun."""
        head = self._head
        if head is None or head.should_close or self._last or self._over or self._paused or not self._body.is_eof():
            return False
        try:
            return not self._unsent() and self._parser.feed_eof() is None
        except Exception:  # whatever has begun, it is not over
            return False

    def _unsent(self) -> int:
        """Bytes of the request that have not left: it was answered, or given up, before the upstream had all of it."""
        waiting = self.transport.get_write_buffer_size()
        return waiting if self._below is None else waiting + self._below.get_write_buffer_size()

    def close(self) -> None:
        """Close it. An upstream that still reads or writes is cancelled so, at once: TLS would ask it for its leave."""
        if self._head is None or not self._body.is_eof() or self._unsent():
            self.transport.abort()
        self._lease.close()

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer. Without a question they are a mistake, or the end of another answer."""
        if self._asked:
            self._parse(data)
            self._wake()
        else:
            self.close()

    def _parse(self, data: bytes) -> None:
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except Exception as error:
            self._over = Malformed(str(error))
            if not self._body.is_eof():
                self._body.set_exception(aiohttp.ClientPayloadError())
            self.close()
            return
        for head, body in messages:
            if 100 <= head.code < 200 and not upgraded:
                continue
            if self._head is None:
                self._head, self._body = head, body
            else:
                self._last = True  # two answers to one question
        self._last |= upgraded

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended; for a body without a length that is its end. What the parser still holds is read first."""
        if self._asked and self._over is None and not self._paused:
            self._end_body()
        ended = aiohttp.ClientOSError(*exc.args) if isinstance(exc, OSError) else aiohttp.ServerDisconnectedError()
        self._over = self._over or ended
        self._first.connection_lost(exc)
        self._lease.close()
        self._wake()

    def _end_body(self) -> None:
        try:
            self._parser.feed_eof()
        except Exception:  # the body is not complete, in whatever way
            self._body.set_exception(aiohttp.ClientPayloadError())

    def pause_reading(self) -> None:
        """The body's reader holds enough."""
        self._paused = self._was_paused = True
        self._parser.pause_reading()
        self.transport.pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """There is room again; asked for with every read. The parser may have paused itself meanwhile."""
        if not self._was_paused:
            return
        was_paused, self._paused = self._paused, False
        if resume_parser:
            self._parse(b"")
        if self._paused:
            return
        if self._over is None:
            self.transport.resume_reading()
        elif was_paused and not self._body.is_eof():
            self._end_body()


class DirectAnswer:
    """An answer on a connection of ours."""

    __slots__ = ("_body", "_connection", "_last_bytes", "headers", "status")

    def __init__(
        self, connection: Connection, head: RawResponseMessage, body: aiohttp.StreamReader, last_bytes: LastBytes
    ) -> None:
        self._connection: Connection | None = connection
        self._body = body
        self._last_bytes = last_bytes
        self.status: int = head.code
        self.headers: CIMultiDictProxy[str] = head.headers

    @property
    def set_cookies(self) -> list[str]:
        return self.headers.getall("set-cookie", [])

    def chunks(self) -> AsyncIterator[bytes]:
        return self  # an async generator is dearer, and one that is not read to its end dearer still

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        body = self._body
        try:
            while not body.at_eof():
                if self._connection is None:
                    raise aiohttp.ClientConnectionError("it was let go")
                if chunk := body.read_nowait():
                    return chunk
                await self._connection.more()
        except aiohttp.ClientError as error:
            raise TransportFault("cut", f"the answer broke off ({describe(error)})") from None
        raise StopAsyncIteration

    async def aclose(self, *, reuse: bool = False) -> None:
        if reuse and not self._body.is_eof():
            self._last_bytes.read(self.chunks(), self._let_go)
        else:
            self._let_go()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.let_go()
