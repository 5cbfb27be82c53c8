"""OpenAI's conversations: a name for a list of items that grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from qwen_gateway.codec import json
from qwen_gateway.ledger.schema import CONVERSATION_ITEMS as ITEMS
from qwen_gateway.ledger.schema import CONVERSATIONS as TABLE


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation; `owner` as in `objects`, `created_at` in seconds since the epoch."""

    id: str
    metadata: dict[str, Any]
    created_at: float
    owner: str = ""


def create(connection: Connection, conversation: Conversation) -> None:
    """Add one."""
    connection.execute(
        TABLE.insert().values(
            id=conversation.id,
            owner=conversation.owner,
            metadata=json.dumps(conversation.metadata).decode(),
            created_at=conversation.created_at,
        )
    )


def find(connection: Connection, conversation_id: str, *, owner: str = "") -> Conversation | None:
    """The conversation; None when there is none or it is someone else's."""
    row = connection.execute(select(TABLE).where(TABLE.c.id == conversation_id, TABLE.c.owner == owner)).one_or_none()
    return None if row is None else Conversation(row.id, json.loads(row.metadata), row.created_at, row.owner)


def change(connection: Connection, conversation_id: str, metadata: dict[str, Any], *, owner: str = "") -> bool:
    """Give it other metadata; False when there is none."""
    values = {"metadata": json.dumps(metadata).decode()}
    return bool(
        connection.execute(
            update(TABLE).where(TABLE.c.id == conversation_id, TABLE.c.owner == owner).values(values)
        ).rowcount
    )


def remove(connection: Connection, conversation_id: str, *, owner: str = "") -> bool:
    """Forget it with its items; False when there was none."""
    return bool(connection.execute(delete(TABLE).where(TABLE.c.id == conversation_id, TABLE.c.owner == owner)).rowcount)


def append(connection: Connection, conversation_id: str, items: Sequence[dict[str, Any]], now: float) -> None:
    """Add items at its end; each is a dict with an `id`. One that is there already is left where it is."""
    # The row is locked, so that two gateways that append at once take turns.
    connection.execute(select(TABLE.c.id).where(TABLE.c.id == conversation_id).with_for_update())
    known = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.conversation_id == conversation_id)))
    last = connection.scalar(select(func.max(ITEMS.c.position)).where(ITEMS.c.conversation_id == conversation_id)) or 0
    rows = [
        {"conversation_id": conversation_id, "id": item["id"], "json": json.dumps(item).decode(), "created_at": now}
        for item in {item["id"]: item for item in items}.values()
        if item["id"] not in known
    ]
    for position, row in enumerate(rows, last + 1):
        row["position"] = position
    if rows:
        connection.execute(ITEMS.insert(), rows)


def items(
    connection: Connection,
    conversation_id: str,
    *,
    limit: int | None = None,
    after: str | None = None,
    newest_first: bool = False,
) -> list[dict[str, Any]]:
    """Its items, in order or backwards; with `after`, those behind the item of that id."""
    query = select(ITEMS.c.json).where(ITEMS.c.conversation_id == conversation_id)
    place = ITEMS.c.position
    if after is not None:
        mark = select(place).where(ITEMS.c.conversation_id == conversation_id, ITEMS.c.id == after).scalar_subquery()
        query = query.where(place < mark if newest_first else place > mark)
    query = query.order_by(place.desc() if newest_first else place)
    if limit is not None:
        query = query.limit(limit)
    return [json.loads(text) for text in connection.scalars(query)]


def item(connection: Connection, conversation_id: str, item_id: str) -> dict[str, Any] | None:
    """One item."""
    text = connection.scalar(
        select(ITEMS.c.json).where(ITEMS.c.conversation_id == conversation_id, ITEMS.c.id == item_id)
    )
    return None if text is None else json.loads(text)


def remove_item(connection: Connection, conversation_id: str, item_id: str) -> bool:
    """Forget one item; False when there was none."""
    return bool(
        connection.execute(
            delete(ITEMS).where(ITEMS.c.conversation_id == conversation_id, ITEMS.c.id == item_id)
        ).rowcount
    )
