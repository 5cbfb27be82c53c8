"""Locks between gateways, by name, that end by themselves when their holder dies."""

from sqlalchemy import Connection, delete, select, update

from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.schema import LOCKS as TABLE


def take(connection: Connection, name: str, holder: str, now: float, lease: float) -> bool:
    """Take the lock, or prolong it when it is the holder's, until `now + lease`; False when someone else has it."""
    upsert.put(connection, TABLE, [{"name": name, "holder": holder, "until": now + lease}])
    free = (TABLE.c.holder == holder) | (TABLE.c.until <= now)
    return bool(
        connection.execute(
            update(TABLE).where(TABLE.c.name == name, free).values(holder=holder, until=now + lease)
        ).rowcount
    )


def release(connection: Connection, name: str, holder: str) -> None:
    """Give it back; harmless when it is someone else's by now."""
    connection.execute(delete(TABLE).where(TABLE.c.name == name, TABLE.c.holder == holder))


def holder_of(connection: Connection, name: str, now: float) -> str | None:
    """Who has it."""
    return connection.scalar(select(TABLE.c.holder).where(TABLE.c.name == name, TABLE.c.until > now))
