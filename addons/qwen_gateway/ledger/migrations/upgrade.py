"""Brings a database to the newest schema."""

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, select
from sqlalchemy.exc import DBAPIError

from qwen_gateway.ledger.errors import LedgerError
from qwen_gateway.ledger.schema import METADATA

NEWEST = "0001"
"""The last step. Known here as well, so that Alembic is imported only where there is something to do."""

VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic notes the last step, as it makes it itself."""


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
    if not connection.dialect.has_table(connection, VERSION.name):
        return None
    try:
        found = connection.execute(select(VERSION.c.version_num)).scalar()
    except DBAPIError:
        return None
    return None if found is None else str(found)


def to_newest(connection: Connection) -> None:
    """Make what is missing, within the connection's transaction: all of it, or the steps since it was made."""
    if is_current(connection):
        return
    if version(connection) is None:
        make(connection)
    else:
        take_steps(connection)


def make(connection: Connection) -> None:
    """The newest schema in an empty database: what all steps come to, without Alembic, which weighs 18 MiB."""
    METADATA.create_all(connection, checkfirst=False)
    VERSION.create(connection)
    connection.execute(VERSION.insert().values(version_num=NEWEST))


def take_steps(connection: Connection) -> None:
    """Every step that was not taken yet."""
    from alembic import command  # noqa: PLC0415 - takes as long to import as the rest of the ledger
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
