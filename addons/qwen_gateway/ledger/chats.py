"""Chats at an upstream that keeps histories itself: which one goes on from which messages, and who is using it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.schema import CHATS as TABLE


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as it stood after some messages.

    Attributes:
        chain: the hash of exactly these messages.
        parent_id: the upstream's id of the last one, which the next message answers.
    """

    account: str
    chain: str
    chat_id: str
    parent_id: str = ""
    model: str = ""


def keep(connection: Connection, chat: Chat, now: float) -> None:
    """Remember where a chat stands, free to go on; what stood under this chain is replaced."""
    row = {
        "account": chat.account,
        "chain": chat.chain,
        "chat_id": chat.chat_id,
        "parent_id": chat.parent_id,
        "model": chat.model,
        "holder": "",
        "held_until": 0.0,
        "created_at": now,
        "used_at": now,
    }
    upsert.put(connection, TABLE, [row], change=("chat_id", "parent_id", "model", "holder", "held_until", "used_at"))


def take(
    connection: Connection, chains: Sequence[str], holder: str, now: float, lease: float, *, account: str | None = None
) -> Chat | None:
    """Take the chat of the first of these chains (the longest first), if nobody is using that chat.

    It is the holder's for `lease` seconds, or until `release` or `keep`. None: begin a new one. Run it by `write`.
    """
    if not chains:
        return None
    query = select(TABLE).where(TABLE.c.chain.in_(chains))
    if account is not None:
        query = query.where(TABLE.c.account == account)
    rows = sorted(connection.execute(query.with_for_update()), key=lambda row: chains.index(row.chain))
    for row in rows:
        busy = select(TABLE.c.chain).where(TABLE.c.chat_id == row.chat_id, TABLE.c.held_until > now)
        if connection.execute(busy.limit(1)).first() is not None:
            continue
        mine = (TABLE.c.account == row.account) & (TABLE.c.chain == row.chain)
        connection.execute(update(TABLE).where(mine).values(holder=holder, held_until=now + lease, used_at=now))
        return _chat(row)
    return None


def release(connection: Connection, account: str, chain: str, holder: str) -> None:
    """Give it back, where it stood."""
    mine = (TABLE.c.account == account) & (TABLE.c.chain == chain) & (TABLE.c.holder == holder)
    connection.execute(update(TABLE).where(mine).values(holder="", held_until=0.0))


def forget(connection: Connection, chat_id: str) -> int:
    """Forget every state of a chat, because the upstream no longer has it; how many there were."""
    return connection.execute(delete(TABLE).where(TABLE.c.chat_id == chat_id)).rowcount


def unused_since(connection: Connection, then: float, limit: int = 200) -> list[Chat]:
    """Some that nobody used since then, the oldest first."""
    query = select(TABLE).where(TABLE.c.used_at < then).order_by(TABLE.c.used_at).limit(limit)
    return [_chat(row) for row in connection.execute(query)]


def _chat(row: Any) -> Chat:
    return Chat(row.account, row.chain, row.chat_id, row.parent_id, row.model)
