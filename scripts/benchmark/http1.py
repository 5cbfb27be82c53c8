"""A client for HTTP/1.1 that costs next to nothing: one connection, one call at a time, kept alive."""

import asyncio
import re
from typing import Protocol

STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:\s*chunked")


class Exchange(Protocol):
    """One call and what becomes of its answer."""

    request: bytes

    def feed(self, data: bytes) -> None:
        """Take a piece of the body."""

    def close(self, status: int, problem: str | None) -> None:
        """The answer is complete, or it has a problem."""


class Connection(asyncio.Protocol):
    """A connection to one side, for one call after the other."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.lost = False
        self.clear()

    def clear(self) -> None:
        """Forget the last answer."""
        self.buffer = b""
        self.status = 0
        self.left: int | None = None  # bytes to come of the body or of the chunk; None: a chunk's head comes next
        self.chunked = False

    def call(self, exchange: Exchange) -> asyncio.Future[None]:
        """Begin a call; the future is done when its answer has ended, well or badly."""
        self.clear()
        self.exchange = exchange
        self.ended = asyncio.get_running_loop().create_future()
        if self.transport is None or self.lost:
            self.end("not connected")
        else:
            self.transport.write(exchange.request)
        return self.ended

    def give_up(self) -> None:
        """Hang up; a call that is under way has failed."""
        self.lost = True
        if self.transport:
            self.transport.abort()
        self.end("no end in time")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has gone; a call that was under way has failed."""
        self.lost = True
        self.end(f"connection lost: {exc}" if exc else "connection closed before the end")

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self.buffer += data
        if not self.status and not self.read_head():
            return
        if self.chunked:
            self.read_chunks()
        else:
            self.read_plain()

    def read_head(self) -> bool:
        """Read status and framing, once they are complete."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status, length = STATUS.match(self.buffer), LENGTH.search(self.buffer, 0, end + 2)
        self.status = int(status[1]) if status else 0
        self.chunked = bool(CHUNKED.search(self.buffer, 0, end + 2))
        self.buffer = self.buffer[end + 4 :]
        if not self.status or not (self.chunked or length):
            self.end("an answer without status or framing")
            return False
        self.left = None if self.chunked else int(length[1]) if length else 0
        return True

    def read_plain(self) -> None:
        """A body of known length."""
        body, self.buffer = self.buffer, b""
        self.left = (self.left or 0) - len(body)
        if self.exchange:
            self.exchange.feed(body)
        if self.left <= 0:
            self.end(None if self.left == 0 else "more bytes than announced")

    def read_chunks(self) -> None:
        """A chunked body."""
        buffer, at = self.buffer, 0
        pieces = []
        while self.exchange:
            head = buffer.find(b"\r\n", at)
            if head < 0:
                break
            size = int(buffer[at:head], 16)
            end = head + 2 + size
            if len(buffer) < end + 2:
                break
            at = end + 2
            if size == 0:
                self.exchange.feed(b"".join(pieces))
                self.buffer = buffer[at:]
                self.end(None if not self.buffer else "bytes after the end")
                return
            pieces.append(buffer[head + 2 : end])
        self.buffer = buffer[at:]
        if pieces and self.exchange:
            self.exchange.feed(b"".join(pieces))

    def end(self, problem: str | None) -> None:
        """Report the end of the call and be idle again."""
        exchange, self.exchange = self.exchange, None
        if exchange:
            exchange.close(self.status, problem)
            if not self.ended.done():
                self.ended.set_result(None)
