"""Facts about the database itself, by name."""

from sqlalchemy import Connection, select

from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.schema import METADATA_TABLE as TABLE


def note(connection: Connection, key: str, value: str) -> None:
    """Write a fact down, in the place of the old one."""
    upsert.put(connection, TABLE, [{"key": key, "value": value}], change=("value",))


def find(connection: Connection, key: str) -> str | None:
    """A fact."""
    return connection.scalar(select(TABLE.c.value).where(TABLE.c.key == key))
