"""Rows that come in numbers, on both databases: however many go in one step, each is there as if it came alone."""

from typing import Any

import pytest
from sqlalchemy import select

from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.database import Database
from qwen_gateway.ledger.schema import SESSIONS, WINDOWS

MANY = 2 * upsert.TOGETHER + 7


def rows_of(database: Database, table: Any) -> list[Any]:
    return list(database.read(lambda connection: connection.execute(select(table).order_by(table.c[0])).all()))


def sessions(number: int, caller: str, last_at: float) -> list[dict[str, Any]]:
    return [{"id": f"s{n:03d}", "caller": caller, "created_at": float(n), "last_at": last_at} for n in range(number)]


@pytest.mark.parametrize("number", [1, upsert.TOGETHER - 1, upsert.TOGETHER, upsert.TOGETHER + 1, MANY])
def test_all_of_them_are_there(database: Database, number: int) -> None:
    database.write(lambda connection: upsert.put(connection, SESSIONS, sessions(number, "näme\0", 5.0)))

    assert rows_of(database, SESSIONS) == [(f"s{n:03d}", "näme\ufffd", float(n), 5.0) for n in range(number)]


def test_those_that_were_there_take_over_what_they_shall(database: Database) -> None:
    database.write(lambda connection: upsert.put(connection, SESSIONS, sessions(30, "first", 5.0)))
    database.write(lambda connection: upsert.put(connection, SESSIONS, sessions(40, "kept out", 6.0)))
    database.write(lambda connection: upsert.put(connection, SESSIONS, sessions(MANY, "new", 7.0), change=("last_at",)))

    callers = ["first"] * 30 + ["kept out"] * 10 + ["new"] * (MANY - 40)
    assert [(row.caller, row.last_at) for row in rows_of(database, SESSIONS)] == [(caller, 7.0) for caller in callers]


def test_sums_are_added_also_to_rows_of_the_same_step(database: Database) -> None:
    one = {"account": "me", "span": "minute", "begins": 60, "prompt_tokens": 2}
    rows = [one | {"calls": number} for number in range(MANY)]
    database.write(lambda connection: upsert.add(connection, WINDOWS, rows, sums=("calls", "prompt_tokens")))

    (row,) = rows_of(database, WINDOWS)
    assert (row.calls, row.prompt_tokens) == (sum(range(MANY)), 2 * MANY)


def test_none_is_there_when_one_cannot_be(database: Database) -> None:
    rows = sessions(MANY, "me", 5.0)
    rows[-1] = rows[-1] | {"last_at": None}
    with pytest.raises(Exception, match="last_at"):
        database.write(lambda connection: upsert.put(connection, SESSIONS, rows))

    assert rows_of(database, SESSIONS) == []
