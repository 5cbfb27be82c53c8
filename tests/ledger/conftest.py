"""The same tests on SQLite and on a real PostgreSQL.

`QWEN_TEST_POSTGRES` names a server (`postgresql+psycopg://postgres@127.0.0.1:5432/test`). Without it the usual one of
this machine is tried, and the tests are skipped where there is none; with it, or under CI, they fail then.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from qwen_gateway.ledger import Ledger, LedgerSettings
from qwen_gateway.ledger.database import Database

SERVER = os.environ.get("QWEN_TEST_POSTGRES") or "postgresql+psycopg://postgres@127.0.0.1:5432/test"
WANTED = bool(os.environ.get("QWEN_TEST_POSTGRES") or os.environ.get("CI"))


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of an empty database on a real PostgreSQL, dropped afterwards."""
    plain = SERVER.replace("+psycopg", "")
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        if WANTED:
            raise
        pytest.skip(f"no PostgreSQL at {SERVER} ({str(error).splitlines()[0]}); QWEN_TEST_POSTGRES names another")
    name = f"qwen_{uuid.uuid4().hex[:12]}"
    with connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{SERVER.rsplit('/', 1)[0]}/{name}"
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A path or a URL of a database that nobody has used."""
    if request.param == "sqlite":
        return str(tmp_path / "home" / "ledger.sqlite3")
    found: str = request.getfixturevalue("postgres")
    return found


@pytest.fixture
def database(where: str) -> Iterator[Database]:
    """Open."""
    opened = Database(where)
    yield opened
    opened.close()


@pytest.fixture
def ledger(where: str) -> Iterator[Ledger]:
    """With a short interval; closed afterwards."""
    made = Ledger(LedgerSettings(where, flush=0.05))
    yield made
    assert made.close()
