"""A database that is open: SQLite or PostgreSQL behind SQLAlchemy Core, brought up to date by its migrations.

SQLite: write-ahead log, foreign keys, transactions of our own making (the driver's habit of beginning them late loses
"immediate"), one file with mode 0600. What fails is told as `LedgerError`, with no password in it.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from qwen_auth.errors import AuthError
from qwen_auth.files import make_private_directory
from qwen_auth.lock import FileLock
from qwen_gateway.ledger.errors import LedgerError
from qwen_gateway.ledger.migrations import upgrade

BUSY = 5.0
"""Seconds for which a connection waits for another's transaction to end."""

READERS = 4
"""Threads that read, and connections for them."""

_WRITES = "qwen_writes"
_ADVISORY = 0x7177656E
"""PostgreSQL's number for "the schema is being changed"; "qwen" in ASCII."""


class Database:
    """Open, and of the newest schema. Close it.

    Args:
        where: a path of a SQLite file, or a URL (`postgresql+psycopg://…`).

    Raises:
        LedgerError: it cannot be opened.
    """

    def __init__(self, where: str) -> None:
        self.path: Path | None = None if "://" in where else Path(where).expanduser().absolute()
        with _told(self.path):
            self.engine = self._sqlite(self.path) if self.path else self._postgres(where)
            try:
                self._bring_up_to_date()
            except BaseException:
                self.engine.dispose()
                raise

    @property
    def name(self) -> str:
        """Where it is, in words for a log."""
        return str(self.path) if self.path else self.engine.url.render_as_string(hide_password=True)

    def read[Result](self, work: Callable[[Connection], Result]) -> Result:
        """Do it in a transaction that changes nothing.

        Raises:
            LedgerError: the database failed.
        """
        with _told(self.path), self.engine.connect() as connection:
            return work(connection)

    def write[Result](self, work: Callable[[Connection], Result]) -> Result:
        """Do it in a transaction, which is committed when it returns.

        Raises:
            LedgerError: the database failed.
        """
        with _told(self.path), self.transaction() as connection:
            return work(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that may write from its beginning on: no other can come between its reads and its writes."""
        with self.engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()

    def _sqlite(self, path: Path) -> Engine:
        if not path.exists():
            if not path.parent.exists():
                make_private_directory(path.parent)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        engine = create_engine(
            URL.create("sqlite", database=str(path)),
            pool_size=READERS + 1,
            pool_use_lifo=True,  # whose cache is warm
            connect_args={"timeout": BUSY},
        )

        @event.listens_for(engine, "connect")
        def connected(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None
            for pragma in (
                "auto_vacuum=INCREMENTAL",  # only counts for a file that is still empty
                "journal_mode=WAL",
                "synchronous=NORMAL",  # survives the end of any process; a power cut may cost the last transactions
                "foreign_keys=ON",
                "temp_store=MEMORY",  # where the rows of one statement are noted until all of them are there
                "wal_autocheckpoint=4000",  # pages, so that one that is written often is copied seldom
            ):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            writes = connection.get_execution_options().get(_WRITES)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def _postgres(self, where: str) -> Engine:
        url = make_url(where)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername != "postgresql+psycopg":
            raise LedgerError(f"the ledger knows SQLite and PostgreSQL, not {url.drivername!r}; {_URL}")
        return create_engine(
            url, pool_size=READERS + 1, pool_pre_ping=True, connect_args={"connect_timeout": 5}, hide_parameters=True
        )

    def _bring_up_to_date(self) -> None:
        if self.path:
            if _has_wal(self.path):
                with self.engine.connect() as connection:
                    if upgrade.is_current(connection):
                        return
            with FileLock(self.path.with_name(self.path.name + ".lock")), self.transaction() as connection:
                upgrade.to_newest(connection)
            return
        with self.transaction() as connection:
            if upgrade.is_current(connection):
                return
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY})")
            upgrade.to_newest(connection)


def _has_wal(path: Path) -> bool:
    """Whether a file notes that it has a log beside it (https://sqlite.org/fileformat.html, 1.3.3).

    Of those who give it one at the same time, one is told at once that it is locked: they must come one by one.
    """
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2"


_URL = "give QWEN_DATABASE_URL=postgresql+psycopg://USER@HOST/NAME"


@contextmanager
def _told(path: Path | None) -> Iterator[None]:
    """Turn what a database says into what an operator can act on."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError):
        raise LedgerError(f"the URL of the ledger's database makes no sense; {_URL}") from None
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise LedgerError("PostgreSQL needs a driver: pip install 'qwen-gateway[postgres]'") from None
    except OperationalError as error:
        raise LedgerError(f"{path or 'PostgreSQL'}: {_first_line(error)}. {_remedy(str(error.orig), path)}") from error
    except (SQLAlchemyError, AuthError) as error:
        raise LedgerError(f"{path or 'PostgreSQL'}: {_first_line(error)}") from error
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror or error}. Mend its permissions, or set DATABASE_PATH") from error


def _first_line(error: Exception) -> str:
    """Its own words, without the statement and its values."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return said.strip().partition("\n")[0][:300].rstrip(".")


def _remedy(said: str, path: Path | None) -> str:
    for words, remedy in _REMEDIES:
        if words in said:
            return remedy
    return "Look at its permissions" if path else "Is it running, and is QWEN_DATABASE_URL right?"


_REMEDIES = (
    ("disk is full", "Make room; calls go on meanwhile"),
    ("readonly", "Make the file and its folder writable"),
    ("locked", "Another program holds it; calls go on meanwhile"),
    ("unable to open", "Make its folder writable, or set DATABASE_PATH"),
)


def is_passing(error: LedgerError) -> bool:
    """Whether the database itself is unwell, so that the same may go well later; else it is what was to be written."""
    return not isinstance(error.__cause__, DBAPIError) or isinstance(error.__cause__, OperationalError)
