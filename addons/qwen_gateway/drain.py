"""A clean end: no new calls, those that run finish in time or are told, and what observers hold is written."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from mitmproxy import ctx, http
from mitmproxy.log import ALERT

from qwen_gateway import exits, flows, local, options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.hooks import QwenFlushHook
from qwen_gateway.legs import Legs
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.router import CALLS

logger = logging.getLogger(__name__)

LAST_WORDS = 2.0
"""Seconds that clients have to read why their calls were ended."""

FLUSH = 10.0
"""Seconds that observers have to write what they hold."""

LOOK = 0.03
"""Seconds between two looks whether the last call has ended."""

LONGEST_WAIT = 60
"""OpenAI's clients ignore a longer `retry-after` (openai-python `_base_client.py`)."""


class Drain:
    """Holds mitmproxy's end back, for `qwen_drain` seconds at most; a second signal ends at once."""

    def __init__(self, engine: Engine, legs: Legs) -> None:
        self._engine = engine
        self._legs = legs
        self._until = 0.0

    def configure(self, updated: set[str]) -> None:
        if "qwen_drain" in updated:
            self._seconds = options.read(ctx.options).drain

    def request(self, flow: http.HTTPFlow) -> None:
        """No new calls; all else is answered until the end."""
        if self._engine.leaving and not flow.response and not flow.error and flow.metadata.get(flows.SURFACE) in CALLS:
            wait = max(1.0, min(self._until - time.monotonic(), LONGEST_WAIT))
            local.refuse(flow, shutting_down("takes no new calls", retry_after=wait))

    def done(self) -> Awaitable[None] | None:
        """Nothing to wait for when a script is loaded anew: its `done` is called without an event loop's patience."""
        return self._leave() if exits.asked() else None

    async def _leave(self) -> None:
        exits.ask_again()
        self._engine.leaving = True
        self._until = time.monotonic() + self._seconds
        if number := self._left():
            logger.log(ALERT, "Stopping: %d running, %g s to finish. Again to end at once.", number, self._seconds)
        await wait_for(lambda: not self._left() or exits.asked(), self._seconds)
        if number := self._left():
            logger.log(ALERT, "%d could not finish.", number)
            exits.ask_again()
            self._engine.stop(shutting_down("could not finish this call"))
            await wait_for(lambda: not self._left() or exits.asked(), LAST_WORDS)
        try:
            async with asyncio.timeout(FLUSH):
                await ctx.master.addons.trigger_event(QwenFlushHook())  # type: ignore[no-untyped-call]
        except TimeoutError:
            logger.error("What the last calls left could not be written within %g s.", FLUSH)

    def _left(self) -> int:
        """Calls that are not over yet, those of nobody who waits among them."""
        return max(exits.under_way(self._legs), len(self._engine.running))


def shutting_down(what: str, retry_after: float = 1.0) -> OpenAIError:
    """What a client is told, before its call or amid it."""
    return OpenAIError(
        f"The gateway is shutting down and {what}; try again in a moment.",
        status=503,
        code="shutting_down",
        retry_after=retry_after,
        should_retry=True,
    )


async def wait_for(met: Callable[[], bool], seconds: float) -> None:
    """Until something is so, or the time is over."""
    end = time.monotonic() + seconds
    while not met() and time.monotonic() < end:  # noqa: ASYNC110 - no socket tells that it is empty
        await asyncio.sleep(LOOK)
