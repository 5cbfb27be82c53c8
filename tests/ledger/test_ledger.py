"""The ledger as addons use it: nothing waits, nothing is lost in silence."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from qwen_gateway.ledger import Ledger, LedgerError, LedgerSettings, metadata, writer
from tests.alone import run_alone


@dataclass
class Note:
    """An entry that is easy to look for."""

    key: str
    value: str = "x"
    weight: int = 100

    @classmethod
    def save(cls, connection: Any, entries: Sequence[Self]) -> None:
        for entry in entries:
            if entry.value == "poison":
                raise ValueError("poison")
            metadata.note(connection, entry.key, entry.value)


async def found(ledger: Ledger, key: str) -> str | None:
    return await ledger.read(lambda connection: metadata.find(connection, key))


def eventually(there: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


async def test_what_is_put_is_there_soon(ledger: Ledger) -> None:
    assert ledger.put(Note("a"))
    await asyncio.to_thread(eventually, lambda: ledger.counters.saved == 1)

    assert await found(ledger, "a") == "x"
    assert (ledger.waiting, ledger.weight) == (0, 0)


async def test_a_write_comes_after_what_was_put_before_it(ledger: Ledger) -> None:
    ledger.put(Note("a", "early"))

    assert await ledger.write(lambda connection: metadata.find(connection, "a")) == "early"


async def test_work_for_later_is_done_with_the_next_batch(ledger: Ledger) -> None:
    ledger.later(lambda connection: metadata.note(connection, "a", "later"))
    await ledger.flush()

    assert await found(ledger, "a") == "later"


async def test_whoever_writes_gets_the_fault(ledger: Ledger) -> None:
    def fail(_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ledger.write(fail)
    await ledger.write(lambda connection: metadata.note(connection, "a", "fine"))

    assert await found(ledger, "a") == "fine"


async def test_one_bad_entry_costs_only_itself(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(10):
        ledger.put(Note(f"n{number}", "poison" if number == 3 else "fine"))
    await ledger.flush()

    assert [await found(ledger, f"n{number}") for number in range(10)] == ["fine"] * 3 + [None] + ["fine"] * 6
    assert (ledger.counters.saved, ledger.counters.dropped, ledger.weight) == (9, 1, 0)
    assert sum("a record is left out" in line for line in caplog.messages) == 1


async def test_many_that_put_at_once_lose_nothing(ledger: Ledger) -> None:
    def put(letter: str) -> None:
        for number in range(500):
            assert ledger.put(Note(f"{letter}{number}"))

    await asyncio.gather(*(asyncio.to_thread(put, letter) for letter in "abcd"))
    await ledger.flush()

    assert ledger.counters.saved == 2000
    assert ledger.counters.dropped == 0


async def test_closing_writes_what_waits(where: str) -> None:
    first = Ledger(LedgerSettings(where, flush=60))
    first.put(Note("a"))
    assert await first.aclose()
    second = Ledger(LedgerSettings(where))

    assert await found(second, "a") == "x"
    second.close()


async def test_a_closed_ledger_counts_what_it_does_not_take(ledger: Ledger) -> None:
    ledger.close()

    assert not ledger.put(Note("late"))
    assert ledger.counters.dropped == 1
    with pytest.raises(LedgerError, match="ending"):
        await ledger.write(lambda _: None)


async def test_another_database_is_opened_when_it_is_configured(tmp_path: Path, ledger: Ledger) -> None:
    await ledger.write(lambda connection: metadata.note(connection, "a", "here"))
    ledger.configure(LedgerSettings(str(tmp_path / "other.sqlite3"), flush=0.05))
    await ledger.flush()

    assert await found(ledger, "a") is None


def test_a_bare_start_imports_no_sqlalchemy_and_opens_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, qwen_gateway.ledger as l\n"
        f"ledger = l.Ledger(l.LedgerSettings({str(tmp_path / 'l.sqlite3')!r}))\n"
        "from qwen_gateway.ledger import objects, keys\n"
        "assert ledger.close() and not any(name.split('.')[0] in ('sqlalchemy', 'alembic') for name in sys.modules)\n"
    )
    run_alone(code)

    assert list(tmp_path.iterdir()) == []


# When the database fails


@pytest.fixture
def small(tmp_path: Path) -> Ledger:
    """SQLite, with little room."""
    return Ledger(LedgerSettings(str(tmp_path / "ledger.sqlite3"), flush=0.05, queue=10, queue_size=5000))


@pytest.mark.parametrize("full", ["block", "drop"])
async def test_a_database_that_cannot_be_opened_costs_records_and_nothing_else(
    tmp_path: Path, full: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    ledger = Ledger(LedgerSettings(str(tmp_path / "file" / "ledger.sqlite3"), flush=0.01, queue=10, full=full))
    ledger.put(Note("first"))
    await asyncio.to_thread(eventually, lambda: ledger.trouble is not None)
    taken = [ledger.put(Note(str(number))) for number in range(20)]
    await ledger.room()  # nobody waits for a database that fails

    assert taken == [True] * 9 + [False] * 11
    assert ledger.counters.dropped == 11
    assert ledger.counters.failures >= 1
    with pytest.raises(LedgerError):
        await found(ledger, "first")
    ledger.close()
    assert ledger.counters.dropped == 21
    assert sum("records wait in memory" in line for line in caplog.messages) == 1
    assert sum("records are dropped" in line for line in caplog.messages) == 1


async def test_a_locked_database_gets_its_records_when_it_is_free(
    small: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_gateway.ledger.database.BUSY", 0.05)
    await small.write(lambda connection: metadata.note(connection, "before", "x"))
    other = sqlite3.connect(small.settings.where, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    small.put(Note("meanwhile"))
    await asyncio.to_thread(eventually, lambda: small.trouble is not None)
    assert "locked" in str(small.trouble)
    other.execute("COMMIT")
    other.close()
    await asyncio.to_thread(eventually, lambda: small.counters.saved == 1)

    assert await found(small, "meanwhile") == "x"
    assert small.trouble is None
    assert small.counters.dropped == 0
    small.close()


async def test_a_full_disk_is_told_once_and_counted(small: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    def limit(connection: Any) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")

    await small.write(limit)
    for number in range(30):
        small.put(Note(f"n{number}", "y" * 4000))
    await asyncio.to_thread(eventually, lambda: small.trouble is not None)

    assert "full" in str(small.trouble)
    assert "Make room" in str(small.trouble)
    assert small.counters.dropped >= 10
    assert sum("records wait in memory" in line for line in caplog.messages) == 1
    small.close()


async def test_a_database_that_may_only_be_read_is_told(small: Ledger) -> None:
    await small.write(lambda connection: metadata.note(connection, "before", "x"))
    await small.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only=ON") and None)
    small.put(Note("n"))
    await asyncio.to_thread(eventually, lambda: small.trouble is not None)

    assert "writable" in str(small.trouble)
    small.close()


# When there is too much


async def test_new_calls_wait_sooner_for_a_thread_that_is_merely_slow(
    small: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BACKLOG", 0)

    waits = asyncio.create_task(small.room())
    await asyncio.sleep(0.05)
    assert not waits.done()
    monkeypatch.setattr(writer, "BACKLOG", 1)
    await waits

    assert small.counters.blocked == 1
    small.close()


async def test_new_calls_wait_for_room_and_running_ones_do_not(small: Ledger) -> None:
    held = threading.Event()
    small.later(lambda _: held.wait(20))
    await asyncio.to_thread(eventually, lambda: small.waiting == 0)
    taken = [small.put(Note(str(number))) for number in range(12)]
    waits = asyncio.create_task(small.room())
    await asyncio.sleep(0.1)

    assert not waits.done()
    assert all(taken)  # of calls that run; they are not held up
    held.set()
    await waits
    await small.flush()
    assert small.counters.dropped == 0
    assert small.counters.blocked == 1
    small.close()


async def test_what_does_not_fit_is_dropped_and_counted_if_that_is_wanted(tmp_path: Path) -> None:
    ledger = Ledger(LedgerSettings(str(tmp_path / "l.sqlite3"), flush=0.01, queue=10, queue_size=500, full="drop"))
    held = threading.Event()
    ledger.later(lambda _: held.wait(20))
    await asyncio.to_thread(eventually, lambda: ledger.waiting == 0)
    taken = [ledger.put(Note(str(number))) for number in range(12)]
    await ledger.room()

    assert taken == [True] * 5 + [False] * 7  # 500 bytes
    assert ledger.counters.dropped == 7
    held.set()
    ledger.close()
