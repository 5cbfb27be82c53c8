"""The client's end of an exchange: headers held back until there is something to show, then bytes as they come.

Whatever goes wrong becomes exactly one error: with its own status while nothing was sent, as an error event after that.
"""

import asyncio
from typing import Protocol

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Delta
from qwen_gateway.engine.watchdog import Watchdog
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.chat_answer import ChatObject, ChatStream
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.notices import HEADER, header_value

Headers = list[tuple[str, str]]


class Client(Protocol):
    """Where the answer goes: a leg of mitmproxy's, or a list in a test."""

    async def begin(self, status: int, headers: Headers, *, streamed: bool) -> None: ...

    async def send(self, data: bytes) -> None: ...

    async def end(self, *, torn: bool) -> None:
        """The answer ends; `torn` when it must not look complete."""


class Delivery:
    """Delivers one answer.

    Args:
        hold: seconds for which headers wait for the first content; then a stream begins with a comment.
        keep_alive: seconds of silence after which a stream gets a comment.
    """

    def __init__(
        self,
        exchange: Exchange,
        client: Client,
        writer: ChatStream | ChatObject,
        *,
        hold: float,
        keep_alive: float,
    ) -> None:
        self._exchange = exchange
        self._client = client
        self.writer = writer
        self._lock = asyncio.Lock()
        self._begun = False
        self._beats: set[asyncio.Task[None]] = set()
        self._watchdog: Watchdog | None = None
        if exchange.call.stream:
            self._watchdog = Watchdog(self._beat, first=hold, pause=keep_alive)

    async def write(self, deltas: list[Delta]) -> None:
        """Show deltas; the first ones begin the answer."""
        data = self.writer.write(deltas)
        if data:
            await self._send(data)

    async def finish(self) -> None:
        """The answer is complete."""
        self.stop()
        self._exchange.usage = self.writer.usage
        await self._send(self.writer.end())
        await self._client.end(torn=False)

    async def fail(self, error: OpenAIError) -> None:
        """The answer cannot be completed."""
        self.stop()
        self._exchange.usage = self.writer.usage
        async with self._lock:
            if self._begun:
                # The event says that the answer failed. Cutting the connection as well would lose it: fetch() in Node
                # throws away what it has not handed out when a body breaks off.
                await self._client.send(self.writer.fail(error))
                await self._client.end(torn=False)
                return
            self._begun = True
            body = error.encode()
            headers = [("content-type", "application/json"), *error.headers(), *self._headers()]
            await self._client.begin(error.status, headers, streamed=False)
            await self._client.send(body)
            await self._client.end(torn=False)

    def stop(self) -> None:
        """No more comments; called when the exchange ends in whatever way."""
        if self._watchdog is not None:
            self._watchdog.stop()

    async def _send(self, data: bytes) -> None:
        if self._watchdog is not None:
            self._watchdog.touch()
        async with self._lock:
            if not self._begun:
                await self._begin()
            await self._client.send(data)

    async def _begin(self) -> None:
        self._begun = True
        headers = [("content-type", self.writer.content_type), *self._headers()]
        if self._exchange.call.stream:
            headers.append(("cache-control", "no-cache"))
            headers.append(("x-accel-buffering", "no"))
        await self._client.begin(200, headers, streamed=self._exchange.call.stream)

    def _headers(self) -> Headers:
        exchange = self._exchange
        headers = [("x-request-id", exchange.id)]
        if exchange.model:
            headers.append(("x-gateway-model", printable(exchange.model)))
        if exchange.account:
            headers.append(("x-gateway-account", exchange.account))
        if exchange.upstream_request_id:
            headers.append(("x-gateway-upstream-request-id", printable(exchange.upstream_request_id)))
        if exchange.notices:
            headers.append((HEADER, header_value(exchange.notices)))
        return headers

    def _beat(self) -> None:
        task = asyncio.get_running_loop().create_task(self._send(sse.KEEP_ALIVE))
        self._beats.add(task)
        task.add_done_callback(self._beats.discard)


def printable(value: str) -> str:
    """A value that came from outside, as a header may carry it."""
    return "".join(char if "!" <= char <= "~" else "_" for char in value)[:200]
