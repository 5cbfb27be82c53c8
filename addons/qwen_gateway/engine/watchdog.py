"""Silence, measured with one timer per stream: a beat in each pause, and an end when it lasts too long.

`touch` is called for every chunk, so it only stores a time; the timer looks at it when it goes off.
"""

import asyncio
from collections.abc import Callable


class Watchdog:
    """Calls `beat` after each `pause` seconds without a touch.

    Args:
        first: seconds until the first beat.
        pause: seconds between beats after that.
    """

    def __init__(self, beat: Callable[[], None], *, first: float, pause: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._beat = beat
        self._pause = pause
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(first, self._look, first)

    def touch(self) -> None:
        """Something was sent."""
        self._last = self._loop.time()

    def stop(self) -> None:
        """No more beats."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, wanted: float) -> None:
        silence = self._loop.time() - self._last
        if silence + 0.001 >= wanted:
            self._beat()
            if self._timer is None:
                return  # the beat ended it
            self._last = self._loop.time()
            silence = 0.0
            wanted = self._pause
        self._timer = self._loop.call_later(max(wanted - silence, 0.001), self._look, wanted)
