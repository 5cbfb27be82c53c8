"""The end of an answer whose last event was seen: it follows at once, or its connection is not worth keeping."""

import asyncio
from collections.abc import AsyncIterator, Callable

from qwen_gateway.engine.transport import TransportFault

PATIENCE = 1.0
"""Seconds to wait for it."""


class LastBytes:
    """Reads the ends of answers that nobody waits for any more."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self, chunks: AsyncIterator[bytes], done: Callable[[], None]) -> None:
        """Read to the end, or until that took too long; `done` is called in any case."""
        task = asyncio.get_running_loop().create_task(self._read(chunks, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, chunks: AsyncIterator[bytes], done: Callable[[], None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                async for _ in chunks:
                    pass
        except (TimeoutError, TransportFault):
            pass
        finally:
            done()

    def cancel(self) -> None:
        """Wait no longer."""
        for task in list(self._tasks):
            task.cancel()
