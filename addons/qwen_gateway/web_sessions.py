"""Sessions in the ledger, shared by every gateway that uses it; in memory while nothing is to be kept."""

import logging
import secrets
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from qwen_gateway.histories import Session, SessionsInMemory
from qwen_gateway.ledger import Ledger, LedgerError, chats

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger(__name__)

LEASE = 900.0
"""Seconds for which a call may be at a session: the longest that an exchange takes."""


class SessionsInLedger:
    """Sessions as rows of `chats`. What the ledger cannot do is left undone: then a chat begins anew.

    Args:
        persistent: whether the ledger is to be used at all now.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        persistent: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._persistent = persistent
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._memory = SessionsInMemory(clock, lease=LEASE)

    async def take(self, history: str, accounts: Collection[str]) -> Session | None:
        if not self._persistent():
            return await self._memory.take(history, accounts)

        def work(connection: "Connection") -> Session | None:
            for account in accounts:
                row = chats.take(connection, [history], self._holder, self._clock(), LEASE, account=account)
                if row is not None:
                    return Session(row.account, row.chain, row.chat_id, row.parent_id, row.model)
            return None

        try:
            return await self._ledger.write(work)
        except LedgerError as error:
            logger.debug("no session from the ledger: %s", error)
            return None

    def keep(self, session: Session) -> None:
        if not self._persistent():
            self._memory.keep(session)
            return
        now = self._clock()

        def work(connection: "Connection") -> None:
            chat = chats.Chat(session.account, session.history, session.chat_id, session.parent, session.model)
            chats.forget(connection, session.chat_id)
            chats.keep(connection, chat, now)

        self._ledger.later(work)

    def release(self, session: Session) -> None:
        if not self._persistent():
            self._memory.release(session)
            return
        self._ledger.later(lambda connection: chats.release(connection, session.account, session.history, self._holder))

    def forget(self, session: Session) -> None:
        if not self._persistent():
            self._memory.forget(session)
            return
        self._ledger.later(lambda connection: chats.forget(connection, session.chat_id))

    async def idle(self, seconds: float) -> list[Session]:
        if not self._persistent():
            return await self._memory.idle(seconds)

        def work(connection: "Connection") -> list[Session]:
            rows = chats.unused_since(connection, self._clock() - seconds)
            for row in rows:
                chats.forget(connection, row.chat_id)
            return [Session(row.account, row.chain, row.chat_id, row.parent_id, row.model) for row in rows]

        try:
            return await self._ledger.write(work)
        except LedgerError as error:
            logger.debug("sessions are not cleaned: %s", error)
            return []
