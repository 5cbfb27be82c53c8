"""The database opens, once, in its newest form, with rights for its owner only."""

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from qwen_gateway.ledger import LedgerError, metadata, migrations
from qwen_gateway.ledger.database import Database
from qwen_gateway.ledger.migrations import upgrade
from qwen_gateway.ledger.schema import METADATA


def shape_of(engine: Engine) -> dict[str, Any]:
    """Everything that is in a database but its rows."""
    found = inspect(engine)
    asked = (
        found.get_columns, found.get_pk_constraint, found.get_foreign_keys, found.get_unique_constraints,
        found.get_indexes, found.get_check_constraints,
    )  # fmt: skip
    return {
        table: [sorted(map(repr, answer)) if isinstance(answer := ask(table), list) else repr(answer) for ask in asked]
        for table in found.get_table_names()
    }


def test_a_new_database_is_what_all_steps_come_to(where: str) -> None:
    made = Database(where)
    new = shape_of(made.engine)
    with made.transaction() as connection:
        METADATA.drop_all(connection)
        upgrade.VERSION.drop(connection)
        upgrade.take_steps(connection)
        assert upgrade.is_current(connection)
    with made.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        assert compare_metadata(context, METADATA) == []

    assert shape_of(made.engine) == new
    assert len(new) == len(METADATA.tables) + 1
    made.close()


def test_a_new_database_needs_no_alembic(tmp_path: Path) -> None:
    asked = f"import sys; from qwen_gateway.ledger.database import Database; Database({str(tmp_path / 'a.db')!r})"

    assert subprocess.check_output([sys.executable, "-c", f"{asked}; print('alembic' in sys.modules)"]) == b"False\n"


def test_the_newest_step_is_the_last_one() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_current_head() == upgrade.NEWEST


def test_many_may_open_it_at_once(where: str) -> None:
    opened: list[Database] = []
    faults: list[BaseException] = []

    def open_it() -> None:
        try:
            opened.append(Database(where))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in opened:
        each.write(lambda connection: metadata.note(connection, "colour", "green"))
        each.close()

    assert faults == []
    assert len(opened) == 6


def test_what_was_written_is_there_when_it_is_opened_again(where: str) -> None:
    first = Database(where)
    first.write(lambda connection: metadata.note(connection, "colour", "green"))
    first.close()
    second = Database(where)

    assert second.read(lambda connection: metadata.find(connection, "colour")) == "green"
    second.close()


def test_nul_and_lone_surrogates_are_kept_as_signs_of_themselves(database: Database) -> None:
    database.write(lambda connection: metadata.note(connection, "odd", "a\0b\ud800c é 文"))

    assert database.read(lambda connection: metadata.find(connection, "odd")) == "a\ufffdb?c é 文"


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    def half(connection: Any) -> None:
        metadata.note(connection, "colour", "red")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        database.write(half)

    assert database.read(lambda connection: metadata.find(connection, "colour")) is None


def test_a_database_of_a_newer_gateway_is_refused(where: str) -> None:
    first = Database(where)
    first.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    first.close()

    with pytest.raises(LedgerError, match="made by a newer qwen-gateway"):
        Database(where)


def test_the_file_and_its_folder_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "ledger.sqlite3"
    database = Database(str(path))
    database.write(lambda connection: metadata.note(connection, "colour", "green"))

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("ledger.sqlite3*")} == {0o600}
    database.close()


def test_sqlite_is_in_wal_mode_with_foreign_keys(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "ledger.sqlite3"))

    def pragmas(connection: Any) -> list[Any]:
        names = ("journal_mode", "foreign_keys", "busy_timeout", "auto_vacuum")
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert database.read(pragmas) == ["wal", 1, 5000, 2]
    database.close()


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("postgresql+psycopg://me:hunter2@127.0.0.1:1/none", "PostgreSQL: .* Is it running"),
        ("mysql://me:hunter2@127.0.0.1/none", "not 'mysql'"),
        ("::://", "makes no sense"),
    ],
)
def test_a_database_that_cannot_be_opened_says_why_and_no_password(where: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as caught:
        Database(where)

    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"my diary, not yours" * 100)

    with pytest.raises(LedgerError, match="not a database"):
        Database(str(path))
    assert path.read_bytes().startswith(b"my diary")


def test_a_password_in_the_url_is_not_shown(postgres: str) -> None:
    database = Database(postgres.replace("postgres@", "postgres:hunter2@"))

    assert "hunter2" not in database.name
    assert "hunter2" not in repr(database.engine)
    database.close()


def test_another_program_can_read_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    database = Database(str(path))
    with database.transaction() as connection:
        metadata.note(connection, "colour", "green")
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM metadata WHERE key = 'colour'").fetchone() == (0,)
        other.close()
    database.close()
