"""Records exchanges in the ledger: hands references over and lets the ledger's thread make rows of them."""

import asyncio
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mitmproxy import ctx, http
from mitmproxy.utils import asyncio_utils

from qwen_gateway import flows, options
from qwen_gateway.exchange import Exchange
from qwen_gateway.ledger import Ledger, LedgerError, database, exchanges, gateways, retention
from qwen_gateway.ledger.identity import BEAT, Gateway
from qwen_gateway.ledger.lineage import Lineage
from qwen_gateway.ledger.record import How, Origin, Record
from qwen_gateway.ledger.redaction import Redactor

if TYPE_CHECKING:
    from qwen_gateway.ledger.database import Database

RECEIVED_LIMIT = 1024 * 1024
"""Bytes of an upstream's answer that are kept."""

PREPARE = 1.0
"""Seconds after the start at which nobody calls yet, mostly."""

TIDY = 30.0
"""Seconds between two looks whether records are to be forgotten."""


class Recorder:
    """Listens to exchanges; tells the database when this gateway comes, lives and goes, and keeps it small."""

    def __init__(self, ledger: Ledger, gateway: Gateway) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._lineage = Lineage()
        self._origins: weakref.WeakKeyDictionary[Exchange, Origin] = weakref.WeakKeyDictionary()
        self._how: How | None = None
        self._task: asyncio.Task[None] | None = None
        ledger.on_open(self._arrive)
        ledger.every(BEAT, self._beat)
        ledger.every(TIDY, self._tidy)

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            settings = options.read(ctx.options)
            kept = settings.recording
            self._how = None
            if settings.persistence and kept.what != "off":
                self._how = How(kept.what == "full", kept.events, Redactor(kept.redact), self._lineage)

    def running(self) -> None:
        if self._how is not None:
            self._task = asyncio_utils.create_task(self._prepare(), name="prepare the ledger", keep_ref=True)

    async def qwen_start(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if self._how is None:
            return
        await self._ledger.room()
        kept = flow.metadata.get(flows.CLIENT)
        peer: Any = flow.client_conn.peername  # a replay has none
        origin = Origin(self._gateway.id, peer[0] if peer else "", kept["headers"] if kept else [])
        self._origins[exchange] = origin
        if self._how.bodies:
            exchange.keep = RECEIVED_LIMIT
        self._ledger.put(Record(exchange, origin, self._how, ended=False))

    def qwen_exchange(self, _flow: http.HTTPFlow, exchange: Exchange) -> None:
        origin = self._origins.pop(exchange, None)
        if origin is not None and self._how is not None:
            self._ledger.put(Record(exchange, origin, self._how, ended=True))

    async def qwen_flush(self) -> None:
        """The process is about to end: what the last calls left is written before it does."""
        if self._ledger.waiting:
            with suppress(LedgerError):  # it has been told
                await self._ledger.flush()

    def done(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._ledger.is_open:
            self._ledger.later(lambda connection: gateways.end(connection, self._gateway, time.time()))

    async def _prepare(self) -> None:
        """Import what the first record needs while nobody calls: a second of processor time."""
        await asyncio.sleep(PREPARE)
        if not self._ledger.is_open:
            await asyncio.to_thread(lambda: (database.Database, exchanges.save))

    def _arrive(self, opened: "Database") -> None:
        """The first thing in a database: what gateways that were killed left running is no longer."""
        now = time.time()
        opened.write(lambda connection: gateways.begin(connection, self._gateway, now))
        opened.write(lambda connection: gateways.bury(connection, self._gateway, now))

    def _beat(self, opened: "Database") -> None:
        now = time.time()
        opened.write(lambda connection: gateways.beat(connection, self._gateway, now))
        opened.write(lambda connection: gateways.bury(connection, self._gateway, now))

    def _tidy(self, opened: "Database") -> None:
        """A few at a time, so that records do not wait long; the rest the next time."""
        keep, until = self._ledger.settings.keep, time.monotonic() + TIDY / 10
        forgot = 0
        while time.monotonic() < until:
            some = opened.write(lambda connection: retention.forget_some(connection, keep, time.time()))
            forgot += some
            if not some:
                break
        if forgot:
            retention.give_back_room(opened)
