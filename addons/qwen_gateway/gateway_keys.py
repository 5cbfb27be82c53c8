"""The gateway's own keys while it runs: read from the ledger every second, their use told to it as often.

Most calls find what they need in memory. A key that is revoked counts no more within about a second.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from mitmproxy import ctx, exceptions
from mitmproxy.utils import asyncio_utils

from qwen_gateway import options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.keys.gate import Gate, Unavailable
from qwen_gateway.keys.grants import Grant, grant_of
from qwen_gateway.keys.purse import Answer, Report
from qwen_gateway.keys.ring import KeyRing
from qwen_gateway.ledger import Ledger, LedgerError, keys, leases
from qwen_gateway.ledger.presence import may_exist
from qwen_gateway.prices import BadPrices, read_prices

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks at the keys."""

TIDY = 600
"""Looks after which old counts are thrown away."""


class GatewayKeys:
    """Keeps the ring and the gate up to date."""

    def __init__(self, engine: Engine, ledger: Ledger, ring: KeyRing) -> None:
        self._ledger = ledger
        self._ring = ring
        self._gate = Gate(ring, self._fetch)
        self._task: asyncio.Task[None] | None = None
        self._told = ""
        self._known = ""
        engine.gate = self._gate

    def configure(self, updated: set[str]) -> None:
        if not any(name.startswith("qwen_") for name in updated):
            return
        settings = options.read(ctx.options)
        self._ring.plain = options.caller_keys(settings)
        try:
            self._gate.prices = read_prices(settings.prices)
        except BadPrices as error:
            raise exceptions.OptionsError(f"qwen_prices: {error}.") from None
        where = settings.ledger.where
        if where != self._known:
            self._known = where
            self._ring.loaded = not may_exist(where)

    def running(self) -> None:
        self._task = asyncio_utils.create_task(self._follow(), name="follow the gateway's keys", keep_ref=True)

    async def look_up(self) -> None:
        """Know the keys as they are now. What is known stays known where the ledger cannot be read."""
        if not may_exist(self._known):
            self._ring.replace([])
            return
        try:
            rows = await self._ledger.read(every_key)
        except LedgerError as error:
            self._complain(f"the gateway's keys cannot be read: {error}")
            return
        self._ring.replace(grant for row in rows if (grant := self._grant(row)))
        self._told = ""

    async def qwen_flush(self) -> None:
        """The end: what was used is told, what was set aside goes back."""
        await self._tell()
        await self._tell()

    def done(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        looks = 0
        while True:
            await self.look_up()
            await self._tell()
            looks += 1
            if looks % TIDY == 0 and self._ring:
                self._ledger.later(forget)
            await asyncio.sleep(EVERY)

    async def _tell(self) -> None:
        try:
            await self._gate.tell()
        except Unavailable as error:
            self._complain(f"what keys used is not written down yet: {error}")

    async def _fetch(self, key_id: str, report: Report) -> list[Answer]:
        used = [(span, begins, each) for (span, begins), each in report.used.items()]
        asks = [ask for _, ask in report.asks]
        try:
            return await self._ledger.write(lambda connection: leases.exchange(connection, key_id, used, asks))
        except LedgerError as error:
            self._complain(f"limits of keys cannot be looked up: {error}")
            raise Unavailable(str(error)) from error

    def _grant(self, row: "keys.GatewayKey") -> Grant | None:
        try:
            return grant_of(row.id, row.hash, row.name, row.limits, disabled=row.disabled, expires_at=row.expires_at)
        except ValueError as error:
            self._complain(f"{error}; it opens nothing")
            return None

    def _complain(self, message: str) -> None:
        """Once: this happens every second."""
        if message != self._told:
            self._told = message
            logger.warning(message)


# Looked up when they are called, which is in the ledger's threads: SQLAlchemy takes long to import.


def every_key(connection: "Connection") -> "list[keys.GatewayKey]":
    """All keys."""
    return keys.every(connection)


def forget(connection: "Connection") -> None:
    """Throw old counts away."""
    leases.forget(connection)
