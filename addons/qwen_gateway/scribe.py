"""What is written to terminals and files is written by a thread: a full pipe or a slow disk must hold up no call."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

logger = logging.getLogger(__name__)

MOST = 10_000
"""What may wait; beyond that it is dropped, and told."""


FEW = 50
"""What may wait as it is."""

PAUSE = 0.05
"""Seconds for which work gathers: a thread that wakes for every line costs a call a tenth of its processor time."""


class Scribe:
    """Does what it is given, in order. Its thread starts with the first piece of work.

    Args:
        what: what it writes, for a message when that does not work.
    """

    def __init__(self, what: str, *, most: int = MOST) -> None:
        self._what = what
        self._most = most
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._told: set[str] = set()
        self.lost = 0

    @property
    def busy(self) -> bool:
        """Whether so much waits that it should be made small: a call that waits keeps its bodies in memory."""
        return self._queue.qsize() > FEW

    def put(self, work: Callable[[], None]) -> None:
        """Have it done soon. Never waits, never raises."""
        if self._queue.qsize() >= self._most:
            self.lost += 1
            self._tell("it is too slow, and some of it is left out")
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"write {self._what}", daemon=True)
            self._thread.start()
        self._queue.put(work)
        if self.busy:
            self._hurry.set()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until what was put has been done; False: it took too long."""
        if self._thread is None:
            return True
        done = threading.Event()
        self._queue.put(done.set)
        self._hurry.set()
        return done.wait(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Do what waits, and end."""
        if self._thread is not None:
            self._queue.put(None)
            self._hurry.set()
            self._thread.join(timeout)
            self._thread = None

    def _run(self) -> None:
        queue = self._queue
        while (work := queue.get()) is not None:
            try:
                work()
            except OSError as error:
                self._tell(error.strerror or str(error))
            except Exception:
                if self._first("bug"):
                    logger.exception("%s: a line could not be written", self._what)
            if queue.empty():
                self._hurry.wait(PAUSE)
                self._hurry.clear()

    def _tell(self, why: str) -> None:
        if self._first(why):
            logger.warning("%s: %s; calls go on", self._what, why)

    def _first(self, why: str) -> bool:
        """A cause is told once: a full disk would fill the log."""
        new = why not in self._told
        self._told.add(why)
        return new
