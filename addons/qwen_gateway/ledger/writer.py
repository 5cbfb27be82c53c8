"""The one thread that writes: entries in batches, urgent work in between, chores when it is time for them.

Nobody who puts an entry waits. What cannot be written now, because the disk is full or the database is locked, is tried
again while there is room for it; what no database would take is left out. Both are counted and told once, never silent.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from qwen_gateway.ledger.entries import Chore, Entry, Urgent, save_in_order
from qwen_gateway.ledger.errors import LedgerError
from qwen_gateway.ledger.settings import Full

if TYPE_CHECKING:
    from qwen_gateway.ledger.database import Database

logger = logging.getLogger(__name__)

BATCH = 500
"""Entries in one transaction; so many do not wait for the interval."""

BACKLOG = 2_000
"""Entries before a thread that is merely slow; the rest of the queue is for when the database fails."""

LONGEST_PAUSE = 30.0
"""Seconds between two tries at most, while the database fails. The first pause is a second."""


@dataclass(slots=True)
class Counters:
    """What happened since the start.

    Attributes:
        saved: entries that are in the database.
        dropped: entries that were lost: the queue was full, or no database would take them.
        failures: times that the database failed.
        blocked: calls that waited for room in the queue.
    """

    saved: int = 0
    dropped: int = 0
    failures: int = 0
    blocked: int = 0


class Writer:
    """Starts its thread with the first thing to do.

    Args:
        database: gives the open database, or raises `LedgerError`; asked in the thread.
        flush: seconds that an entry waits at most for others to join it.
        most: entries that may wait.
        heaviest: bytes that they may weigh together.
        full: whether new calls wait for room, or what does not fit is dropped.
    """

    def __init__(
        self, database: "Callable[[], Database]", *, flush: float, most: int, heaviest: int, full: Full
    ) -> None:
        self.flush, self.most, self.heaviest, self.full = flush, most, heaviest, full
        self.counters = Counters()
        self.trouble: str | None = None
        self.weight = 0
        self._database = database
        self._queue: deque[Entry | Urgent] = deque()
        self._oldest = 0.0
        self._urgent = 0
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._chores: list[Chore] = []
        self._again_at = 0.0
        self._pause = 0.0
        self._told_full = 0.0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether what comes now does not fit."""
        return len(self._queue) >= self.most or self.weight >= self.heaviest

    @property
    def is_behind(self) -> bool:
        """Whether whoever brings more had better wait."""
        return self.is_full or len(self._queue) >= BACKLOG

    def put(self, entry: Entry) -> bool:
        """Have it written soon. False: it was dropped, and counted."""
        with self._wake:
            # Who may block has waited for room already: that much more fits, for the calls that were under way.
            roomy = 2 if self.full == "block" and self.trouble is None else 1
            if self._closed or len(self._queue) >= self.most * roomy or self.weight >= self.heaviest * roomy:
                self._drop(1, "the ledger is closed" if self._closed else "the ledger's queue is full")
                return False
            self._queue.append(entry)
            self.weight += entry.weight
            waiting = len(self._queue)
            if waiting == 1:
                self._oldest = time.monotonic()
            if waiting in (1, BATCH):
                self._start()
        return True

    def submit[Result](self, work: "Callable[[Database], Result]") -> "Future[Result]":
        """Have it done at once, after everything that was put before it."""
        future: Future[Result] = Future()
        with self._wake:
            if self._closed:
                future.set_exception(LedgerError("the ledger is closed; the gateway is ending"))
                return future
            self._queue.append(Urgent(work, future))
            self._urgent += 1
            self._start()
        return future

    def every(self, seconds: float, work: "Callable[[Database], object]") -> None:
        """Do it now and then, while the database is open; a failure is tried again the next time."""
        with self._wake:
            self._chores.append(Chore(seconds, work, 0.0))

    def close(self, timeout: float) -> bool:
        """Write what waits, once, and end. False: it took too long."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _start(self) -> None:
        """Wake the thread; its lock is held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger writer", daemon=True)
            self._thread.start()
        self._wake.notify()

    def _run(self) -> None:
        while True:
            batch, closed = self._next()
            if batch:
                self._work_off(batch)
            if closed:
                if self._queue:
                    self._drop(len(self._queue), "the gateway ends before they could be written")
                return
            self._do_chores()

    def _next(self) -> tuple[list[Entry | Urgent], bool]:
        """What is to be done now, after waiting until there is something; nothing when only chores are due."""
        with self._wake:
            while True:
                now = time.monotonic()
                due = self._due(now)
                if self._closed or self._urgent or now >= due:
                    break
                self._wake.wait(None if due == _NEVER else due - now)
            if not (self._closed or self._urgent or now >= max(self._flush_at(), self._again_at)):
                return [], False
            count = len(self._queue) if self._closed or self._urgent else min(len(self._queue), BATCH)
            batch = [self._queue.popleft() for _ in range(count)]
            self._oldest = now
            self._urgent = 0
            return batch, self._closed

    def _flush_at(self) -> float:
        if not self._queue:
            return _NEVER
        return 0.0 if len(self._queue) >= BATCH else self._oldest + self.flush

    def _due(self, now: float) -> float:
        chores = min((chore.due for chore in self._chores), default=_NEVER)
        if not self._queue:
            return chores
        return min(chores, max(self._flush_at(), self._again_at, now if self._closed else 0.0))

    def _work_off(self, batch: list[Entry | Urgent]) -> None:
        """In order: who waits for urgent work finds written what was put before it."""
        for urgent, group in groupby(batch, key=lambda item: isinstance(item, Urgent)):
            items: list[Any] = list(group)
            if not urgent:
                self._save(items)
                continue
            for item in items:
                if not item.future.set_running_or_notify_cancel():
                    continue
                try:
                    item.future.set_result(item.work(self._database()))
                except BaseException as error:
                    item.future.set_exception(error)

    def _save(self, entries: list[Entry]) -> None:
        from qwen_gateway.ledger.database import is_passing  # noqa: PLC0415 - SQLAlchemy is imported in this thread

        try:
            self._database().write(lambda connection: save_in_order(connection, entries))
        except LedgerError as error:
            if is_passing(error):
                self._put_back(entries, error)
                return
            self._save_singly(entries, error)
        except Exception as error:
            self._save_singly(entries, error)
        else:
            self._saved(entries)

    def _save_singly(self, entries: list[Entry], error: Exception) -> None:
        """One of them is what no database takes: find out which, and leave it out."""
        if len(entries) == 1:
            logger.error("a record is left out: %s", error, exc_info=None if isinstance(error, LedgerError) else error)
            with self._wake:
                self.weight -= entries[0].weight
                self.counters.dropped += 1
            return
        middle = len(entries) // 2
        self._save(entries[:middle])
        self._save(entries[middle:])

    def _saved(self, entries: list[Entry]) -> None:
        with self._wake:
            self.weight -= sum(entry.weight for entry in entries)
            self.counters.saved += len(entries)
            self._pause = self._again_at = 0.0
            recovered, self.trouble = self.trouble, None
        if recovered:
            logger.warning("the ledger records again")

    def _put_back(self, entries: list[Entry], error: LedgerError) -> None:
        """Keep them for the next try, which waits longer each time."""
        with self._wake:
            told, self.trouble = self.trouble, str(error)
            self.counters.failures += 1
            self._pause = min(max(1.0, self._pause * 2), LONGEST_PAUSE)
            self._again_at = time.monotonic() + self._pause
            self._queue.extendleft(reversed(entries))
        if told is None:
            logger.error("records wait in memory: %s", error)

    def _drop(self, number: int, why: str) -> None:
        """Count, and tell at most once a minute."""
        self.counters.dropped += number
        now = time.monotonic()
        if now > self._told_full:
            self._told_full = now + 60.0
            logger.error(
                "%s: records are dropped (%d so far)%s", why, self.counters.dropped,
                f"; {self.trouble}" if self.trouble else "",
            )  # fmt: skip

    def _do_chores(self) -> None:
        now = time.monotonic()
        for chore in self._chores:
            if now < chore.due or self.trouble:
                chore.due = max(chore.due, now + 1.0) if self.trouble else chore.due
                continue
            chore.due = now + chore.every
            try:
                chore.work(self._database())
            except LedgerError as error:
                self.counters.failures += 1
                logger.warning("the ledger could not be tended: %s", error)
            except Exception:
                logger.exception("the ledger could not be tended")


_NEVER = float("inf")
