"""The client's end of an exchange: headers held back until there is something to show, then bytes as they come.

Whatever goes wrong becomes exactly one error: with its own status while nothing was sent, as an error event after that.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Delta, Usage
from qwen_gateway.engine.watchdog import Watchdog
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.notices import HEADER, header_value

Headers = list[tuple[str, str]]


class Client(Protocol):
    """Where the answer goes: a leg of mitmproxy's, or a list in a test."""

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole answer at once."""

    async def begin(self, status: int, headers: Headers) -> None:
        """A stream begins."""

    def send_now(self, data: bytes) -> bool:
        """More of the stream, if it can go out at once; False when nothing happened and `send` must do it."""

    async def send(self, data: bytes) -> None:
        """More of the stream; waits while the client is slower than we are."""

    async def end(self, *, torn: bool) -> None:
        """The stream ends; `torn` when it must not look complete."""


class Writer(Protocol):
    """A surface's form of one answer: deltas into the client's bytes, streamed or collected. No I/O; never raises."""

    @property
    def content_type(self) -> str:
        """What the client is told that the bytes are."""

    @property
    def usage(self) -> Usage | None:
        """Tokens, summed over the choices, as far as the upstream has told them."""

    @property
    def problem(self) -> OpenAIError | None:
        """Why the end that was written tells of a failure; None after every other one."""

    def rename(self, names: Mapping[str, str]) -> None:
        """The upstream's names of tools, and the client's own; said anew before every attempt."""

    def write(self, deltas: list[Delta]) -> bytes:
        """What these deltas show the client now; nothing when the answer is collected."""

    def end(self) -> bytes:
        """What is missing to a complete answer."""

    def fail(self, error: OpenAIError) -> bytes:
        """What a begun answer ends with instead."""


class Delivery:
    """Delivers one answer.

    Args:
        hold: seconds for which headers wait for the first content; then a stream begins with a comment.
        keep_alive: seconds of silence after which a stream gets a comment.
        headers: added to every answer (CORS).
        ended: told that the exchange ended, before the last bytes go out.
    """

    def __init__(
        self,
        exchange: Exchange,
        client: Client,
        writer: Writer,
        *,
        hold: float,
        keep_alive: float,
        headers: Headers,
        ended: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._client = client
        self.writer = writer
        self._extra = headers
        self._ended = ended
        self._lock = asyncio.Lock()
        self.pieces = 0
        """Deltas of the answer so far."""
        self._begun = False
        self._over = False
        self._beats: set[asyncio.Task[None]] = set()
        self._watchdog: Watchdog | None = None
        if exchange.call.stream:
            self._watchdog = Watchdog(self._beat, first=hold, pause=keep_alive)

    async def write(self, deltas: list[Delta]) -> None:
        """Show deltas; the first ones begin the answer."""
        if rest := self.write_now(deltas):
            await self.send(rest)

    def write_now(self, deltas: list[Delta]) -> bytes:
        """Show deltas if nothing must be waited for; else the bytes that `send` has to bring to the client."""
        self.pieces += len(deltas)
        data = self.writer.write(deltas)
        if data and self._begun and not self._over and not self._lock.locked() and self._client.send_now(data):
            if self._watchdog is not None:
                self._watchdog.touch()
            return b""
        return data

    async def finish(self) -> None:
        """The answer is complete."""
        self.stop()
        self._exchange.usage = self.writer.usage
        last = self.writer.end()
        problem = self.writer.problem
        self._exchange.end("failed" if problem else "finished", problem)
        if not self._exchange.call.stream:
            self._ended()
            headers = [("content-type", self.writer.content_type), *self._headers()]
            await self._client.whole(200, headers, last)
            return
        async with self._lock:
            if not self._begun:
                await self._begin()
            await self._client.send(last)
            self._ended()
            await self._client.end(torn=False)

    async def fail(self, error: OpenAIError) -> None:
        """The answer cannot be completed."""
        self.stop()
        self._exchange.usage = self.writer.usage
        self._exchange.end("failed", error)
        async with self._lock:
            if self._begun:
                # The event says that the answer failed. Cutting the connection as well would lose it: fetch() in Node
                # throws away what it has not handed out when a body breaks off.
                await self._client.send(self.writer.fail(error))
                self._ended()
                await self._client.end(torn=False)
                return
            self._begun = True
            self._ended()
            headers = [("content-type", "application/json"), *error.headers(), *self._headers()]
            await self._client.whole(error.status, headers, error.encode())

    def stop(self) -> None:
        """No more comments; called when the exchange ends in whatever way."""
        if self._watchdog is not None:
            self._watchdog.stop()
        self._over = True

    async def send(self, data: bytes) -> None:
        """Bring bytes to the client, however slow it is; the first ones begin the answer."""
        if self._watchdog is not None:
            self._watchdog.touch()
        async with self._lock:
            if self._over:
                return  # a comment that waited for the last bytes to go out
            if not self._begun:
                await self._begin()
            await self._client.send(data)

    async def _begin(self) -> None:
        self._begun = True
        headers = [("content-type", self.writer.content_type), ("cache-control", "no-cache"), *self._headers()]
        await self._client.begin(200, headers)

    def _headers(self) -> Headers:
        exchange = self._exchange
        headers = [("x-request-id", exchange.id), *self._extra]
        if exchange.model:
            headers.append(("x-gateway-model", printable(exchange.model)))
        if exchange.account:
            headers.append(("x-gateway-account", exchange.account))
        if exchange.upstream_request_id:
            headers.append(("x-gateway-upstream-request-id", printable(exchange.upstream_request_id)))
        if exchange.repeated:
            headers.append(("x-gateway-cache", "hit"))
        if exchange.notices:
            headers.append((HEADER, header_value(exchange.notices)))
        return headers

    def _beat(self) -> None:
        task = asyncio.get_running_loop().create_task(self.send(sse.KEEP_ALIVE))
        self._beats.add(task)
        task.add_done_callback(self._beats.discard)


def printable(value: str) -> str:
    """A value that came from outside, as a header may carry it."""
    return _UNPRINTABLE.sub("_", value[:200])


_UNPRINTABLE = re.compile(r"[^!-~]")
