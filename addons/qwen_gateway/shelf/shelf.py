"""The shelf: what is stored for clients, each for the one that made it.

What is put here is there for the same process at once, for others with the ledger's next batch.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from qwen_gateway.ledger import Ledger, LedgerError, conversations, objects
from qwen_gateway.openai.errors import OpenAIError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qwen_gateway.ledger.database import Database

TIDY = 600.0
"""Seconds between two looks for what has been kept long enough."""

KEPT = 30 * 86_400.0
"""Seconds for which an object is kept, as OpenAI does."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An object on its way into the ledger, with what it adds to a conversation."""

    stored: "objects.Stored"
    conversation_items: Sequence[dict[str, Any]] = field(default=())
    weight: int = 0

    @classmethod
    def save(cls, connection: "Connection", entries: Sequence[Self]) -> None:
        """Write them (ledger.entries.Entry)."""
        for entry in entries:
            stored = entry.stored
            objects.keep(connection, stored)
            conversation = stored.conversation_id
            if conversation is not None and entry.conversation_items:
                if conversations.find(connection, conversation, owner=stored.owner) is None:
                    continue  # it was deleted meanwhile
                conversations.append(connection, conversation, entry.conversation_items, stored.created_at)


class Shelf:
    """Puts and finds objects.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self.clock = clock
        self.enabled = True
        self._flushes: set[asyncio.Task[None]] = set()
        ledger.every(TIDY, self._forget)

    def put(
        self,
        object_id: str,
        kind: str,
        content: dict[str, Any],
        *,
        owner: str,
        parent_id: str | None = None,
        conversation_id: str | None = None,
        conversation_items: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Have an object stored. Never waits."""
        now = self.clock()
        stored = objects.Stored(object_id, kind, content, now, owner, conversation_id, parent_id, now + KEPT)
        self._ledger.put(Placed(stored, conversation_items, weigh(content)))
        if "://" in self._ledger.settings.where and not self._flushes:
            # Others share the database, and the client's next call may be theirs.
            task = asyncio.get_running_loop().create_task(self._flush())
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    def _forget(self, database: "Database") -> None:
        """Forget what has been kept long enough, a little at a time."""
        while database.write(lambda connection: objects.forget_expired(connection, self.clock())):
            pass

    async def _flush(self) -> None:
        try:
            await self._ledger.flush()
        except LedgerError:
            return  # the ledger tells of it

    async def read[Result](self, work: "Callable[[Connection], Result]") -> Result:
        """What a function of the ledger finds; what this process has put is there.

        Raises:
            OpenAIError: there is no ledger, or it cannot be read.
        """
        self.check()
        try:
            await self._ledger.flush()
            return await self._ledger.read(work)
        except LedgerError as error:
            raise _unavailable(error) from error

    async def write[Result](self, work: "Callable[[Connection], Result]") -> Result:
        """What a function of the ledger does, once it is done; errors as in `read`."""
        self.check()
        try:
            return await self._ledger.write(work)
        except LedgerError as error:
            raise _unavailable(error) from error

    def check(self) -> None:
        """
        Raises:
            OpenAIError: nothing is stored here.
        """
        if not self.enabled:
            raise OpenAIError(
                "This gateway stores nothing: its persistence is switched off (qwen_persistence).",
                status=501,
                type="invalid_request_error",
                code="storage_disabled",
            )


def weigh(value: Any) -> int:
    """The bytes that plain values hold, roughly; pictures make encoding them dear."""
    weight, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            weight += len(one)
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        weight += 16
    return weight


def _unavailable(error: LedgerError) -> OpenAIError:
    return OpenAIError(f"What is stored cannot be reached: {error}", status=503, code="storage_unavailable")
