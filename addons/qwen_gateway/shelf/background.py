"""Responses that are made while nobody waits: polled, followed as a stream from any event on, cancelled."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from qwen_gateway.codec import sse
from qwen_gateway.exchange import Exchange
from qwen_gateway.ledger import objects
from qwen_gateway.ledger.identity import machine
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.responses_request import ResponsesCall
from qwen_gateway.openai.responses_stream import ResponsesStream
from qwen_gateway.shelf import responses
from qwen_gateway.shelf.shelf import Shelf

RUNNING = frozenset({"queued", "in_progress"})
LONGEST = 3_600.0
"""Seconds after which a response that another machine began is taken for lost."""


class Running:
    """One response in the making; where its answer goes (engine.delivery.Client).

    Attributes:
        events: all events so far; the place of each is its `sequence_number`.
    """

    def __init__(self, exchange: Exchange, call: ResponsesCall, writer: ResponsesStream, owner: str) -> None:
        self._exchange = exchange
        self._writer = writer
        self.call = call
        self.owner = owner
        self.events: list[bytes] = []
        self.over = False
        self.task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._add(writer.enqueue())

    @property
    def response(self) -> dict[str, Any]:
        """The response as it is now."""
        return self._writer.response

    async def whole(self, _status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
        """Nothing went well before the first content."""
        error = self._exchange.error or OpenAIError("The response was not made.", code="internal_error")
        self._add(self._writer.fail(error))

    async def begin(self, _status: int, _headers: list[tuple[str, str]]) -> None:
        """Nobody waits for headers."""

    def send_now(self, data: bytes) -> bool:
        """As `send`."""
        self._add(data)
        return True

    async def send(self, data: bytes) -> None:
        """More events, or a comment that keeps nobody alive."""
        self._add(data)

    async def end(self, *, torn: bool) -> None:
        """See `close`."""

    def close(self) -> None:
        """Nothing more comes, whatever the reason."""
        if self.response["status"] in RUNNING:
            self._writer.cancel()
        self.over = True
        self._wake()

    async def follow(self, after: int, pause: float) -> AsyncIterator[bytes]:
        """The events behind the one of that number, as they come; a comment after each pause, in seconds."""
        place = after + 1
        while True:
            news = self._news
            if place < len(self.events):
                begin, place = place, len(self.events)
                yield b"".join(self.events[begin:place])
            elif self.over:
                return
            else:
                try:
                    await asyncio.wait_for(news.wait(), pause)
                except TimeoutError:
                    yield sse.KEEP_ALIVE

    def _add(self, data: bytes) -> None:
        self.events += split(data)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def split(data: bytes) -> list[bytes]:
    """Events one by one, without comments."""
    return [event + b"\n\n" for event in data.split(b"\n\n") if event and not event.startswith(b":")]


async def told(events: list[bytes], after: int) -> AsyncIterator[bytes]:
    """The events of a response that is over, behind the one of that number."""
    yield b"".join(events[after + 1 :])


class Background:
    """The responses that this process makes in the background."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._running: dict[str, Running] = {}

    def begin(self, exchange: Exchange, call: ResponsesCall, writer: ResponsesStream, owner: str) -> Running:
        """Enter a response; it can be polled from now on, and is known after a crash."""
        running = Running(exchange, call, writer, owner)
        self._running[call.id] = running
        responses.keep(self._shelf, call, running.response, owner, holder=holder())
        return running

    def end(self, running: Running) -> None:
        """It is over: kept with its events."""
        running.close()
        events = b"".join(running.events).decode("utf-8", "replace")
        responses.keep(self._shelf, running.call, running.response, running.owner, events=events)
        self._running.pop(running.call.id, None)

    def find(self, response_id: str, owner: str) -> Running | None:
        """One that is still being made here, for this caller."""
        running = self._running.get(response_id)
        return running if running is not None and running.owner == owner else None


def holder() -> dict[str, Any]:
    """Which process makes a response."""
    return {"machine": machine(), "pid": os.getpid()}


def lost(stored: "objects.Stored", now: float) -> bool:
    """Whether nobody makes this response any more: its process is gone."""
    holding = stored.content.get("holder")
    if stored.content["response"]["status"] not in RUNNING:
        return False
    if not isinstance(holding, dict) or now - stored.created_at > LONGEST:
        return True
    if holding.get("machine") != machine():
        return False
    pid = holding.get("pid")
    return not isinstance(pid, int) or pid == os.getpid() or not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def interrupted(response: dict[str, Any]) -> dict[str, Any]:
    """A response whose process is gone, as clients see it."""
    message = "The gateway stopped while it made this response; ask again."
    return response | {"status": "failed", "error": {"code": "server_error", "message": message}}
