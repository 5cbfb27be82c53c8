"""Brings a database to the newest schema."""

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from qwen_gateway.ledger.errors import LedgerError

NEWEST = "0001"
"""The last step. Known here as well, so that Alembic is imported only where there is something to do."""


def is_current(connection: Connection) -> bool:
    """Whether nothing is to be done.

    Raises:
        LedgerError: it was made by a newer gateway.
    """
    found = version(connection)
    if found is not None and found > NEWEST:
        raise LedgerError(
            f"the database has schema {found}, made by a newer qwen-gateway; this one knows up to {NEWEST}. "
            "Upgrade, or set DATABASE_PATH to another file"
        )
    return found == NEWEST


def version(connection: Connection) -> str | None:
    """The last step that was taken; None for an empty database."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    try:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError:
        return None
    return None if found is None else str(found)


def to_newest(connection: Connection) -> None:
    """Take the steps that are missing, within the connection's transaction."""
    if is_current(connection):
        return
    from alembic import command  # noqa: PLC0415 - takes as long to import as the rest of the ledger
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
