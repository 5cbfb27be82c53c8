"""Shares accounts between the gateways of one PostgreSQL: what rests, how much was called, who renews a login.

Every two seconds a gateway tells what it has learned and takes over what others have. Counts are added to by each and
read by all, so they are exact. With SQLite there is nobody to share with; the files of one home do the same there.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mitmproxy import http
from mitmproxy.utils import asyncio_utils

from qwen_auth.pool import State
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.ledger import Ledger, LedgerError, accounts, locks, windows
from qwen_gateway.ledger.identity import Gateway
from qwen_gateway.ledger.states import News
from qwen_gateway.ledger.uses import SECONDS, Span, uses_of

logger = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks at what others told."""

OVERLAP = 30.0
"""Seconds that a look reaches back before the last one: clocks differ, and transactions end after they began."""

LEASE = 45.0
"""Seconds after which a lock is free although nobody gave it back: longer than a renewal may take."""

KEPT: dict[Span, float] = {"minute": 5 * 3600.0, "hour": 31 * 86_400.0}
"""Seconds for which counts matter."""


class Sharing:
    """Does nothing until the ledger is one that others can reach."""

    def __init__(self, engine: Engine, ledger: Ledger, gateway: Gateway) -> None:
        self._engine = engine
        self._ledger = ledger
        self._gateway = gateway
        self._news = News()
        self._heard = 0.0
        self._counted = False
        self._task: asyncio.Task[None] | None = None
        self._told = ""

    @property
    def shared(self) -> bool:
        """Whether there may be other gateways."""
        return "://" in self._ledger.settings.where

    def running(self) -> None:
        if self.shared:
            self._task = asyncio_utils.create_task(self._keep_sharing(), name="share accounts", keep_ref=True)

    def qwen_exchange(self, _flow: http.HTTPFlow, exchange: Exchange) -> None:
        if self.shared and (used := uses_of(exchange)):
            self._counted = True
            self._ledger.later(lambda connection: windows.add(connection, used))

    def done(self) -> None:
        if self._task is not None:
            self._task.cancel()

    @asynccontextmanager
    async def guard(self, account: str) -> AsyncIterator[None]:
        """Hold the account's lock among all gateways. A ledger that fails keeps no login from being renewed."""
        if not self.shared:
            yield
            return
        name, holder = f"renew {account}", f"{self._gateway.id} {id(asyncio.current_task())}"
        try:
            pause = 0.05
            while not await self._ledger.write(lambda c: locks.take(c, name, holder, time.time(), LEASE)):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 1.0)
        except LedgerError as error:
            self._warn(f"the login of {account!r} is renewed without asking other gateways: {error}")
        try:
            yield
        finally:
            self._ledger.later(lambda connection: locks.release(connection, name, holder))

    async def _keep_sharing(self) -> None:
        while True:
            try:
                await self._share()
                self._told = ""
            except LedgerError as error:
                self._warn(f"accounts are not shared with other gateways: {error}")
            except Exception:
                logger.exception("sharing accounts failed")
            await asyncio.sleep(EVERY)

    async def _share(self) -> None:
        now = time.time()
        told = self._news.to_tell(self._engine.pool.states(), now)
        if told:
            await self._ledger.write(lambda c: accounts.tell(c, told, self._gateway.id, now))
        since, ours = self._heard - OVERLAP, {account.name for account in self._engine.pool.accounts}
        for known in await self._ledger.read(lambda c: accounts.told_since(c, since, but=self._gateway.id)):
            if known.account in ours and self._news.is_new(known):
                self._engine.pool.hear(
                    State(known.account, known.model, known.status, known.until, known.reason, known.cause)  # type: ignore[arg-type]
                )
        await self._read_counts(now, everything=not self._heard)
        self._heard = now

    async def _read_counts(self, now: float, *, everything: bool) -> None:
        """What all gateways counted; the newest buckets, once the older ones are known."""
        if self._counted:
            self._counted = False
            await self._ledger.flush()
        for span, kept in KEPT.items():
            begins = int(now - (kept if everything else 2 * SECONDS[span] + OVERLAP))
            used = await self._ledger.read(lambda c, span=span, begins=begins: windows.since(c, span, begins))  # type: ignore[misc]
            self._engine.spent.hear(span, [(use.account, use.begins, use.calls) for use in used])

    def _warn(self, message: str) -> None:
        """Once, until it goes well again."""
        if message != self._told:
            self._told = message
            logger.warning(message)
