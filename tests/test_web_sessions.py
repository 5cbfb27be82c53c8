"""Sessions in memory and in the ledger behave alike; those in the ledger outlive the process and are shared."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qwen_gateway.histories import Session, Sessions, SessionsInMemory
from qwen_gateway.ledger import Ledger, LedgerSettings
from qwen_gateway.web_sessions import SessionsInLedger
from tests.ledger.conftest import postgres

__all__ = ["postgres"]

ONE = Session("me", "h1", "chat-1", "r1", "qwen3.7-plus")


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "ledger", "postgres", "ledger-off"])
async def sessions(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Sessions]:
    if request.param == "memory":
        yield SessionsInMemory(clock)
        return
    where = request.getfixturevalue("postgres") if request.param == "postgres" else str(tmp_path / "ledger.sqlite")
    ledger = Ledger(LedgerSettings(where=where))
    yield SessionsInLedger(ledger, persistent=lambda: request.param != "ledger-off", clock=clock)
    await ledger.aclose()


async def test_a_session_is_found_by_its_history_and_for_its_accounts(sessions: Sessions) -> None:
    sessions.keep(ONE)

    assert await sessions.take("h2", ["me"]) is None
    assert await sessions.take("h1", ["other"]) is None
    assert await sessions.take("h1", ["other", "me"]) == ONE


async def test_one_call_at_a_time(sessions: Sessions) -> None:
    sessions.keep(ONE)

    assert await sessions.take("h1", ["me"]) == ONE
    assert await sessions.take("h1", ["me"]) is None
    sessions.release(ONE)
    assert await sessions.take("h1", ["me"]) == ONE


async def test_a_chat_that_moved_on_is_found_where_it_is_only(sessions: Sessions) -> None:
    sessions.keep(ONE)
    await sessions.take("h1", ["me"])
    moved = Session("me", "h3", "chat-1", "r3", "qwen3.7-plus")

    sessions.keep(moved)

    assert await sessions.take("h1", ["me"]) is None
    assert await sessions.take("h3", ["me"]) == moved


async def test_a_forgotten_chat_is_gone(sessions: Sessions) -> None:
    sessions.keep(ONE)

    sessions.forget(ONE)

    assert await sessions.take("h1", ["me"]) is None


async def test_a_call_that_never_came_back_holds_nothing_for_good(sessions: Sessions, clock: Clock) -> None:
    sessions.keep(ONE)
    await sessions.take("h1", ["me"])

    clock.now += 901

    assert await sessions.take("h1", ["me"]) == ONE


async def test_what_nobody_used_is_forgotten(sessions: Sessions, clock: Clock) -> None:
    sessions.keep(ONE)
    clock.now += 1000
    used = Session("me", "h9", "chat-9", "r9")
    sessions.keep(used)
    clock.now += 900

    assert await sessions.idle(1800) == [ONE]
    assert await sessions.take("h1", ["me"]) is None
    assert await sessions.take("h9", ["me"]) == used


async def test_another_gateway_and_a_later_one_go_on(tmp_path: Path, clock: Clock) -> None:
    ledgers = [Ledger(LedgerSettings(where=str(tmp_path / "ledger.sqlite"))) for _ in range(2)]
    here, there = (SessionsInLedger(ledger, clock=clock) for ledger in ledgers)
    here.keep(ONE)
    await ledgers[0].flush()

    assert await there.take("h1", ["me"]) == ONE
    assert await here.take("h1", ["me"]) is None, "the other one is at it"
    there.release(ONE)
    await ledgers[1].aclose()
    assert await here.take("h1", ["me"]) == ONE
    await ledgers[0].aclose()


async def test_a_ledger_that_cannot_be_used_costs_the_chats_and_nothing_else(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("no folder")
    ledger = Ledger(LedgerSettings(where=str(tmp_path / "file" / "x.sqlite")))
    sessions = SessionsInLedger(ledger, clock=clock)

    sessions.keep(ONE)

    assert await sessions.take("h1", ["me"]) is None
    assert await sessions.idle(0) == []
    await ledger.aclose()
