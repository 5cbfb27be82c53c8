"""Objects that OpenAI's clients have stored and ask for again: responses, completions, files of any kind."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from qwen_gateway.codec import json
from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.schema import OBJECTS as TABLE


@dataclass(frozen=True, slots=True)
class Stored:
    """One object.

    Attributes:
        id, kind: `resp_…` and `response`, for one.
        content: as JSON; whatever its kind keeps, beside what clients see.
        owner: whose it is: the id of a gateway key; "" where callers need none.
        parent_id: what it goes on from (`previous_response_id`).
        created_at, expires_at: seconds since the epoch.
    """

    id: str
    kind: str
    content: dict[str, Any]
    created_at: float
    owner: str = ""
    conversation_id: str | None = None
    parent_id: str | None = None
    expires_at: float | None = None


def keep(connection: Connection, stored: Stored) -> None:
    """Store it, in the place of one with its id."""
    row = {
        "id": stored.id,
        "kind": stored.kind,
        "owner": stored.owner,
        "conversation_id": stored.conversation_id,
        "parent_id": stored.parent_id,
        "json": json.dumps(stored.content).decode(),
        "created_at": stored.created_at,
        "expires_at": stored.expires_at,
    }
    upsert.put(connection, TABLE, [row], change=[name for name in row if name != "id"])


def find(connection: Connection, object_id: str, *, kind: str, owner: str = "", now: float = 0.0) -> Stored | None:
    """The object; None when there is none, it has expired, or it is someone else's: they cannot tell which."""
    row = connection.execute(
        select(TABLE).where(TABLE.c.id == object_id, TABLE.c.kind == kind, TABLE.c.owner == owner)
    ).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return _stored(row)


def remove(connection: Connection, object_id: str, *, kind: str, owner: str = "") -> bool:
    """Forget it; False when there was none."""
    return bool(
        connection.execute(
            delete(TABLE).where(TABLE.c.id == object_id, TABLE.c.kind == kind, TABLE.c.owner == owner)
        ).rowcount
    )


def newest(
    connection: Connection, *, kind: str, owner: str = "", limit: int = 20, before: str | None = None
) -> list[Stored]:
    """The newest first; with `before`, those older than the object of that id."""
    query = select(TABLE).where(TABLE.c.kind == kind, TABLE.c.owner == owner)
    if before is not None:
        mark = select(TABLE.c.created_at).where(TABLE.c.id == before).scalar_subquery()
        query = query.where((TABLE.c.created_at < mark) | ((TABLE.c.created_at == mark) & (TABLE.c.id < before)))
    query = query.order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc()).limit(limit)
    return [_stored(row) for row in connection.execute(query)]


def forget_expired(connection: Connection, now: float, limit: int = 200) -> int:
    """Forget some whose time is over; how many."""
    over = select(TABLE.c.id).where(TABLE.c.expires_at <= now).limit(limit)
    return connection.execute(delete(TABLE).where(TABLE.c.id.in_(over))).rowcount


def _stored(row: Any) -> Stored:
    return Stored(
        row.id,
        row.kind,
        json.loads(row.json),
        row.created_at,
        row.owner,
        row.conversation_id,
        row.parent_id,
        row.expires_at,
    )
