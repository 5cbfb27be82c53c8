"""The ledger as addons see it: reads and writes off the event loop; the database opens when it is first needed."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from qwen_gateway.ledger.entries import Entry, Later
from qwen_gateway.ledger.errors import LedgerError
from qwen_gateway.ledger.settings import LedgerSettings
from qwen_gateway.ledger.writer import Counters, Writer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qwen_gateway.ledger.database import Database

RETRY = 5.0
"""Seconds for which a database that could not be opened is not tried again."""


class Ledger:
    """One per process. Making it opens nothing and starts nothing."""

    def __init__(self, settings: LedgerSettings | None = None) -> None:
        self.settings = settings or LedgerSettings()
        self._open: Database | None = None
        self._opening = threading.Lock()
        self._failed: tuple[float, LedgerError] | None = None
        self._on_open: list[Callable[[Database], object]] = []
        self._readers: ThreadPoolExecutor | None = None
        self._writer = Writer(
            self.database,
            flush=self.settings.flush,
            most=self.settings.queue,
            heaviest=self.settings.queue_size,
            full=self.settings.full,
        )

    @property
    def counters(self) -> Counters:
        """What happened since the start."""
        return self._writer.counters

    @property
    def waiting(self) -> int:
        """Records that are not written yet."""
        return len(self._writer)

    @property
    def weight(self) -> int:
        """Bytes that they hold, roughly."""
        return self._writer.weight

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written now; None while all is well."""
        return self._writer.trouble

    @property
    def is_open(self) -> bool:
        """Whether the database has been opened."""
        return self._open is not None

    def configure(self, settings: LedgerSettings) -> None:
        """Take new settings. Another database is opened when it is next needed."""
        moved = settings.where != self.settings.where
        self.settings = settings
        writer = self._writer
        writer.flush, writer.most = settings.flush, settings.queue
        writer.heaviest, writer.full = settings.queue_size, settings.full
        if moved and self._open is not None:
            writer.submit(lambda _: self._let_go())

    def on_open(self, work: "Callable[[Database], object]") -> None:
        """Have it done whenever the database has just been opened, before anything else is."""
        self._on_open.append(work)

    def every(self, seconds: float, work: "Callable[[Database], object]") -> None:
        """Have it done in the writer's thread now and then, once the database is open."""
        self._writer.every(seconds, work)

    def put(self, entry: Entry) -> bool:
        """Have it written with the next batch. Never waits; False when it was dropped, which is counted."""
        return self._writer.put(entry)

    def later(self, work: "Callable[[Connection], object]") -> bool:
        """Have it done with the next batch."""
        return self._writer.put(Later(work))

    async def room(self) -> None:
        """Wait until there is room for another call's records, if that is the operator's choice (`full="block"`).

        Where the database fails nobody waits: calls matter more than their records.
        """
        if not self._writer.is_behind or self._writer.full != "block":
            return
        self.counters.blocked += 1
        while self._crowded():  # noqa: ASYNC110 - what is waited for happens in another thread
            await asyncio.sleep(0.02)

    def _crowded(self) -> bool:
        return self._writer.is_behind and self._writer.trouble is None

    async def read[Result](self, work: "Callable[[Connection], Result]") -> Result:
        """The work's result, from a thread for readers.

        Raises:
            LedgerError: the database cannot be used.
        """
        if self._readers is None:
            self._readers = ThreadPoolExecutor(4, thread_name_prefix="ledger reader")
        return await asyncio.get_running_loop().run_in_executor(self._readers, lambda: self.database().read(work))

    async def write[Result](self, work: "Callable[[Connection], Result]") -> Result:
        """The work's result, once it is committed. What was put before is written before.

        Raises:
            LedgerError: the database cannot be used; nothing of the work was done.
        """
        return await asyncio.wrap_future(self._writer.submit(lambda database: database.write(work)))

    async def flush(self) -> None:
        """Return when everything that was put so far is written, or could not be."""
        await asyncio.wrap_future(self._writer.submit(lambda _: None))

    def close(self, timeout: float = 10.0) -> bool:
        """Write what waits and let go of the database. Blocks; False when it took too long."""
        ended = self._writer.close(timeout)
        if self._readers is not None:
            self._readers.shutdown(wait=ended)
        if ended:
            self._let_go()
        return ended

    async def aclose(self, timeout: float = 10.0) -> bool:  # noqa: ASYNC109 - a thread cannot be cancelled
        """The same off the event loop."""
        return await asyncio.to_thread(self.close, timeout)

    def database(self) -> "Database":
        """The open database. Blocks: only for threads.

        Raises:
            LedgerError: it cannot be opened; the reason is remembered for some seconds.
        """
        if self._open is not None:
            return self._open
        from qwen_gateway.ledger.database import Database  # noqa: PLC0415 - SQLAlchemy takes long to import

        with self._opening:
            if self._open is None:
                if self._failed and time.monotonic() < self._failed[0]:
                    raise self._failed[1].with_traceback(None)
                try:
                    self._open = self._opened(Database)
                except LedgerError as error:
                    self._failed = (time.monotonic() + RETRY, error)
                    raise
                self._failed = None
            return self._open

    def _opened(self, kind: "type[Database]") -> "Database":
        if not self.settings.where:
            raise LedgerError("the ledger has no database yet; the gateway is starting")
        database = kind(self.settings.where)
        try:
            for work in self._on_open:
                work(database)
        except BaseException:
            database.close()
            raise
        return database

    def _let_go(self) -> None:
        with self._opening:
            if self._open is not None:
                self._open.close()
            self._open = self._failed = None
