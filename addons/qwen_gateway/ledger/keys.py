"""The gateway's own keys: who may call, within which limits, and what they have spent. Only hashes of keys are kept."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from qwen_gateway.codec import json
from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.schema import GATEWAY_KEYS as TABLE
from qwen_gateway.ledger.schema import SPEND


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """One key.

    Attributes:
        id: what records and metrics call it; no secret.
        hash: of the key itself, in hexadecimal.
        limits: whatever its budget says, as JSON.
    """

    id: str
    hash: str
    name: str
    created_at: float
    limits: dict[str, Any] = field(default_factory=dict)
    disabled: bool = False
    expires_at: float | None = None
    used_at: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a key spent in a span of time, or in several. `cost` in the operator's currency."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


def add(connection: Connection, key: GatewayKey) -> None:
    """Add a key; its name and hash must be new (`IntegrityError`)."""
    connection.execute(TABLE.insert().values(_row(key)))


def change(connection: Connection, key: GatewayKey) -> bool:
    """Put it in the place of the key with its id; False when there is none."""
    return bool(connection.execute(update(TABLE).where(TABLE.c.id == key.id).values(_row(key))).rowcount)


def remove(connection: Connection, key_id: str) -> bool:
    """Forget a key and what it spent; False when there was none."""
    return bool(connection.execute(delete(TABLE).where(TABLE.c.id == key_id)).rowcount)


def every(connection: Connection) -> list[GatewayKey]:
    """All keys, the oldest first."""
    return [_key(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.created_at, TABLE.c.id))]


def find(connection: Connection, digest: str) -> GatewayKey | None:
    """The key with this hash."""
    row = connection.execute(select(TABLE).where(TABLE.c.hash == digest)).one_or_none()
    return None if row is None else _key(row)


def spend(connection: Connection, key_id: str, span: str, begins: int, spent: Spent) -> None:
    """Add to what a key spent in a span (`minute`, `day`, …) that began then; exact with any number of gateways."""
    row = {
        "key_id": key_id,
        "span": span,
        "begins": begins,
        "calls": spent.calls,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "cost": spent.cost,
    }
    upsert.add(connection, SPEND, [row], sums=("calls", "prompt_tokens", "completion_tokens", "cost"))


def spent_since(connection: Connection, key_id: str, span: str, begins: int) -> Spent:
    """What a key spent in the spans of this length that began then or later."""
    row = connection.execute(
        select(
            func.coalesce(func.sum(SPEND.c.calls), 0),
            func.coalesce(func.sum(SPEND.c.prompt_tokens), 0),
            func.coalesce(func.sum(SPEND.c.completion_tokens), 0),
            func.coalesce(func.sum(SPEND.c.cost), 0.0),
        ).where(SPEND.c.key_id == key_id, SPEND.c.span == span, SPEND.c.begins >= begins)
    ).one()
    return Spent(int(row[0]), int(row[1]), int(row[2]), float(row[3]))


def forget_spent(connection: Connection, span: str, before: int) -> None:
    """Forget spans of this length that began before then."""
    connection.execute(delete(SPEND).where(SPEND.c.span == span, SPEND.c.begins < before))


def _row(key: GatewayKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "hash": key.hash,
        "name": key.name,
        "limits": json.dumps(key.limits).decode(),
        "disabled": key.disabled,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "used_at": key.used_at,
    }


def _key(row: Any) -> GatewayKey:
    return GatewayKey(
        row.id,
        row.hash,
        row.name,
        row.created_at,
        json.loads(row.limits),
        row.disabled,
        row.expires_at,
        row.used_at,
    )
