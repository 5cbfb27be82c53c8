"""Play a reply on a stream: the one place where the simulator waits."""

import asyncio
import logging
import time
from typing import Protocol

from .log import Received
from .wire import Drop, Pause, Raw, Reply, Step

logger = logging.getLogger(__name__)


class Stream(Protocol):
    """One request and its answer on a connection; HTTP/1.1 and HTTP/2 each have one."""

    received: Received

    def start(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """Send the headers; without a length the body comes in chunks."""

    async def send(self, data: bytes) -> None:
        """Send a piece of the body, waiting until there is room for it."""

    def raw(self, data: bytes) -> None:
        """Send bytes past the framing."""

    def end(self) -> None:
        """End the body properly."""

    def drop(self, drop: Drop) -> None:
        """Break off."""


class Dropped(Exception):
    """The answer has been broken off on purpose."""


async def play(reply: Reply, stream: Stream) -> None:
    """Send a reply, step by step. Cancelled when the client leaves."""
    received = stream.received
    try:
        for step in reply.before:
            await _take(step, stream)
        received.status = reply.status
        if isinstance(reply.body, bytes):
            await _play_whole(reply, reply.body, stream)
        else:
            stream.start(reply.status, reply.headers, None)
            received.answered_at = time.time()
            for step in reply.body:
                await _take(step, stream)
        stream.end()
    except Dropped:
        pass
    except Exception:
        logger.exception("the simulator failed while answering %s %s", received.method, received.target)
        received.dropped = True
        stream.drop(Drop())
    finally:
        if reply.after is not None:
            reply.after()
    received.ended_at = time.time()


async def _play_whole(reply: Reply, body: bytes, stream: Stream) -> None:
    stream.start(reply.status, reply.headers, max(len(body) + reply.lie, 0))
    stream.received.answered_at = time.time()
    if not reply.lie:
        if body:
            await _take(body, stream)
        return
    # A length that lies is past what a state machine lets through, and the connection is lost with it.
    await _take(Raw(body), stream)
    await stream.send(b"")
    await _take(Drop(), stream)


async def _take(step: Step, stream: Stream) -> None:
    received = stream.received
    if isinstance(step, bytes):
        received.chunks += 1
        received.sent += len(step)
        await stream.send(step)
        # Without this a stream without pauses would keep the loop to itself.
        await asyncio.sleep(0)
    elif isinstance(step, Pause):
        if step.seconds > 1e9:
            await asyncio.Event().wait()
        await asyncio.sleep(step.seconds)
    elif isinstance(step, Raw):
        stream.raw(step.data)
    else:
        received.dropped = True
        stream.drop(step)
        raise Dropped
