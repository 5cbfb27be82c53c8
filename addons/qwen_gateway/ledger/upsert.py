"""Insert or change: the one statement that the two databases do not share by SQLAlchemy's own means.

Each form of it is compiled once, and its rows go to the driver as they are: SQLAlchemy takes longer to bind the values
of a row than SQLite takes to write them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain
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

TOGETHER = 25
"""Rows that SQLite inserts in one step. It lets go of the interpreter for each, and then has to wait for it again."""

Row = Mapping[str, Any]


class Statement(NamedTuple):
    """SQL with places for values, and the names of the values in their order."""

    sql: str
    names: Sequence[str]


def put(connection: Connection, table: Table, rows: Sequence[Row], change: Collection[str] = ()) -> None:
    """Insert rows of one form; where the primary key is taken, take over these columns (none: the old row stays)."""
    if rows:
        _insert(connection, partial(_putting, connection.dialect.name, table, tuple(rows[0]), tuple(change)), rows)


def add(connection: Connection, table: Table, rows: Sequence[Row], sums: Iterable[str]) -> None:
    """Insert rows of one form; where the primary key is taken, add these columns to what is there."""
    if rows:
        _insert(connection, partial(_adding, connection.dialect.name, table, tuple(rows[0]), tuple(sums)), rows)


def change(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Change rows of one form, each with its primary key; how many of them were there."""
    if not rows:
        return 0
    statement = _changing(connection.dialect.name, table, tuple(rows[0]))
    return connection.exec_driver_sql(statement.sql, _values(statement, rows)).rowcount


def _insert(connection: Connection, statement: Callable[[int], Statement], rows: Sequence[Row]) -> None:
    values = _values(statement(1), rows)
    whole = len(values) - len(values) % TOGETHER if connection.dialect.name == "sqlite" else 0
    for place in range(0, whole, TOGETHER):
        some = chain.from_iterable(values[place : place + TOGETHER])
        connection.exec_driver_sql(statement(TOGETHER).sql, tuple(some))
    if whole < len(values):
        connection.exec_driver_sql(statement(1).sql, values[whole:])


def _values(statement: Statement, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [storable(row) for row in map(itemgetter(*statement.names), rows)]


@cache
def _putting(dialect: str, table: Table, columns: tuple[str, ...], change: tuple[str, ...], rows: int) -> Statement:
    statement = _inserting(dialect, table, columns, rows)
    keys = [column.name for column in table.primary_key]
    if change:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in change}
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    return _compiled(statement, dialect, columns)


@cache
def _adding(dialect: str, table: Table, columns: tuple[str, ...], sums: tuple[str, ...], rows: int) -> Statement:
    statement = _inserting(dialect, table, columns, rows)
    statement = statement.on_conflict_do_update(
        index_elements=[column.name for column in table.primary_key],
        set_={name: table.c[name] + statement.excluded[name] for name in sums},
    )
    return _compiled(statement, dialect, columns)


@cache
def _changing(dialect: str, table: Table, columns: tuple[str, ...]) -> Statement:
    keys = {column.name: column == bindparam(column.name) for column in table.primary_key}
    return _compiled(update(table).where(*keys.values()), dialect, tuple(name for name in columns if name not in keys))


def _inserting(dialect: str, table: Table, columns: tuple[str, ...], rows: int) -> Any:
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    return statement if rows == 1 else statement.values([dict.fromkeys(columns)] * rows)


def _compiled(statement: Any, dialect: str, columns: tuple[str, ...]) -> Statement:
    compiled = statement.compile(dialect=DIALECTS[dialect], column_keys=columns)
    return Statement(str(compiled), compiled.positiontup)
