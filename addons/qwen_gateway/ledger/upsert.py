"""Insert or change: the one statement that the two databases do not share by SQLAlchemy's own means.

Each form of it is compiled once, and its rows go to the driver as they are: SQLAlchemy takes longer to bind the values
of a row than SQLite takes to write them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Table, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from qwen_gateway.ledger.schema import storable

DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.psycopg.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}
"""By name; each with places for values instead of names."""

Row = Mapping[str, Any]


class Statement(NamedTuple):
    """SQL with places for values, and the names of the values in their order."""

    sql: str
    names: Sequence[str]


def put(connection: Connection, table: Table, rows: Sequence[Row], change: Collection[str] = ()) -> None:
    """Insert rows of one form; where the primary key is taken, take over these columns (none: the old row stays)."""
    if rows:
        _run(connection, _putting(connection.dialect.name, table, tuple(rows[0]), tuple(change)), rows)


def add(connection: Connection, table: Table, rows: Sequence[Row], sums: Iterable[str]) -> None:
    """Insert rows of one form; where the primary key is taken, add these columns to what is there."""
    if rows:
        _run(connection, _adding(connection.dialect.name, table, tuple(rows[0]), tuple(sums)), rows)


def change(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Change rows of one form, each with its primary key; how many of them were there."""
    return _run(connection, _changing(connection.dialect.name, table, tuple(rows[0])), rows) if rows else 0


def _run(connection: Connection, statement: Statement, rows: Sequence[Row]) -> int:
    values = [storable(row) for row in map(itemgetter(*statement.names), rows)]
    return connection.exec_driver_sql(statement.sql, values).rowcount


@cache
def _putting(dialect: str, table: Table, columns: tuple[str, ...], change: tuple[str, ...]) -> Statement:
    statement = _insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    if change:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in change}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    return _compiled(statement, dialect, columns)


@cache
def _adding(dialect: str, table: Table, columns: tuple[str, ...], sums: tuple[str, ...]) -> Statement:
    statement = _insert(dialect, table)
    statement = statement.on_conflict_do_update(
        index_elements=[column.name for column in table.primary_key],
        set_={name: table.c[name] + statement.excluded[name] for name in sums},
    )
    return _compiled(statement, dialect, columns)


@cache
def _changing(dialect: str, table: Table, columns: tuple[str, ...]) -> Statement:
    keys = {column.name: column == bindparam(column.name) for column in table.primary_key}
    return _compiled(update(table).where(*keys.values()), dialect, tuple(name for name in columns if name not in keys))


def _insert(dialect: str, table: Table) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def _compiled(statement: Any, dialect: str, columns: tuple[str, ...]) -> Statement:
    compiled = statement.compile(dialect=DIALECTS[dialect], column_keys=columns)
    return Statement(str(compiled), compiled.positiontup)
