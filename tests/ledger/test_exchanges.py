"""What of an exchange is in the tables, on both databases."""

import gc
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.event import listen

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.exchange import Attempt
from qwen_gateway.ledger import Keep, exchanges, retention
from qwen_gateway.ledger.database import Database
from qwen_gateway.ledger.lineage import Lineage
from qwen_gateway.ledger.record import How, Record
from qwen_gateway.ledger.redaction import Redactor
from qwen_gateway.ledger.rows import NAME, finish_reason
from qwen_gateway.ledger.schema import ATTEMPTS, METADATA, REQUESTS, RESPONSES, SESSIONS
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.openai.notices import Notice
from tests.ledger.exchanging import begun, ended, record


def save(database: Database, *records: Record) -> None:
    database.write(lambda connection: exchanges.save(connection, records))


def all_of(database: Database, table: Any) -> list[Any]:
    return list(database.read(lambda connection: connection.execute(select(table)).all()))


def number(database: Database, table: Any) -> int:
    return int(database.read(lambda connection: connection.scalar(select(func.count()).select_from(table))) or 0)


def test_an_exchange_of_one_batch_is_written_once(database: Database) -> None:
    exchange = begun("hi")
    start = record(exchange)
    exchange.notices.append(Notice("dropped", "seed"))
    save(database, start, record(ended(exchange)))

    (request,) = all_of(database, REQUESTS)
    (response,) = all_of(database, RESPONSES)
    (attempt,) = all_of(database, ATTEMPTS)
    assert (request.outcome, request.model_asked, request.model, request.account) == (
        "finished", "gpt-4o", "qwen-plus", "me",
    )  # fmt: skip
    assert json.loads(request.body)["messages"] == [{"role": "user", "content": "hi"}]
    assert json.loads(request.notices) == ["dropped seed"]
    assert (response.total_tokens, response.finish_reason, response.status) == (15, "stop", 200)
    assert response.first_byte_ms == pytest.approx(100, abs=1)
    assert (attempt.number, attempt.shown, attempt.verdict) == (1, True, None)


def test_heavy_exchanges_are_written_one_after_the_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    early = [record(begun(f"early {number}")) for number in range(3)]
    save(database, *early)
    monkeypatch.setattr(exchanges, "HEAVY", 5_000)
    late = [Record(ended(start.exchange), start.origin, start.how, ended=True) for start in early]
    whole = [record(ended(begun(f"whole {number}"))) for number in range(3)]
    running = [record(begun(f"running {number}")) for number in range(3)]
    mixed = [one for three in zip(late, whole, running, strict=True) for one in three]
    assert [len(some) for some in exchanges.portions(mixed)] == [2, 2, 2, 2, 1]
    save(database, *mixed)

    assert sorted(row.outcome for row in all_of(database, REQUESTS)) == ["finished"] * 6 + ["running"] * 3
    assert number(database, RESPONSES) == number(database, ATTEMPTS) == 6


def test_an_exchange_that_takes_longer_is_there_from_its_beginning(database: Database) -> None:
    exchange = begun("hi")
    start = record(exchange)
    save(database, start)
    (running,) = all_of(database, REQUESTS)
    ended(exchange)
    save(database, Record(exchange, start.origin, start.how, ended=True))
    (finished,) = all_of(database, REQUESTS)

    assert (running.outcome, running.ended_at, running.qwen_body) == ("running", None, None)
    assert json.loads(running.body)["model"] == "gpt-4o"
    assert (finished.outcome, finished.body) == ("finished", running.body)
    assert number(database, RESPONSES) == 1


def test_of_an_exchange_that_is_there_only_the_end_is_written(database: Database) -> None:
    start = record(begun("hi"))
    save(database, start)
    database.write(lambda connection: connection.execute(update(REQUESTS).values(body="as it was", client="someone")))
    save(database, Record(ended(start.exchange), start.origin, start.how, ended=True))

    (request,) = all_of(database, REQUESTS)
    assert (request.outcome, request.body, request.client) == ("finished", "as it was", "someone")


def test_an_exchange_whose_beginning_was_undone_is_written_whole(database: Database) -> None:
    start, other = record(begun("hi")), record(begun("hello"))
    with pytest.raises(ZeroDivisionError):
        database.write(lambda connection: exchanges.save(connection, [start]) or 1 / 0)
    save(database, other)
    save(database, *(Record(ended(each.exchange), each.origin, each.how, ended=True) for each in (start, other)))

    assert sorted(json.loads(row.body)["messages"][0]["content"] for row in all_of(database, REQUESTS)) == [
        "hello",
        "hi",
    ]
    assert [number(database, table) for table in (SESSIONS, RESPONSES, ATTEMPTS)] == [2, 2, 2]


def test_an_exchange_is_as_large_whether_it_is_written_once_or_twice(database: Database) -> None:
    start = record(begun("hi"))
    save(database, start, record(ended(begun("hi"))))
    save(database, Record(ended(start.exchange), start.origin, start.how, ended=True))

    once, twice = all_of(database, REQUESTS)
    assert once.size == twice.size > 350


def test_a_failed_exchange_says_why(database: Database) -> None:
    exchange = begun("hi")
    failed = Attempt(1, "me", "the only account", "qwen-plus", "https://qwen/v1", {}, b"{}", status=500)
    failed.fault, failed.verdict, failed.answer = Fault(500, "Oops", "it broke"), "transient", b'{"code": "Oops"}'
    exchange.attempts.append(failed)
    exchange.end("failed", UpstreamError("it broke", status=502, code="upstream_error"))
    save(database, record(exchange))

    (request,) = all_of(database, REQUESTS)
    (attempt,) = all_of(database, ATTEMPTS)
    assert (request.error_status, request.error_code, request.error_message) == (502, "upstream_error", "it broke")
    assert (attempt.verdict, attempt.fault_code, attempt.answer) == ("transient", "Oops", '{"code": "Oops"}')


def test_a_conversation_is_one_session_whichever_gateway_serves_it(database: Database) -> None:
    first, second = begun("hi"), begun("hi", "hello", "and then?")
    save(database, record(ended(first)))
    elsewhere = How(bodies=True, events=False, redact=Redactor([]), lineage=Lineage())  # remembers nothing
    save(database, record(ended(second), how=elsewhere, gateway="gw_2"))

    rows = {row.id: row for row in all_of(database, REQUESTS)}
    assert rows[first.id].session_id == rows[second.id].session_id
    assert rows[second.id].parent_id == first.id
    assert number(database, SESSIONS) == 1


def test_callers_never_share_a_session(database: Database) -> None:
    save(database, record(ended(begun("hi", caller="key_1"))))
    save(database, record(ended(begun("hi", "hello", "and then?", caller="key_2"))))

    assert number(database, SESSIONS) == 2


def test_a_client_that_names_its_conversation_has_one_session_for_the_name(database: Database) -> None:
    for text in ("hi", "something else"):
        save(database, record(ended(begun(text, prompt_cache_key="mine"))))

    assert number(database, SESSIONS) == 1


def test_a_session_takes_everything_with_it(database: Database) -> None:
    exchange = ended(begun("hi"))
    save(database, record(exchange))
    session = all_of(database, SESSIONS)[0].id

    assert database.write(lambda connection: exchanges.remove_session(connection, session))
    assert not database.write(lambda connection: exchanges.remove_session(connection, session))
    assert [number(database, table) for table in (REQUESTS, RESPONSES, ATTEMPTS)] == [0, 0, 0]


# What is never kept, and what never runs

CANARY = "sk-CANARY0123456789abcdef"
INJECTION = "x'); DROP TABLE requests; DELETE FROM sessions; --\" OR 1=1 \0 ' ) ; \\"


def poisoned(text: str) -> Record:
    """An exchange with this text wherever anything from outside can be."""
    exchange = begun(text, model=text, metadata={"k": text}, user=text)
    exchange.id = f"req_{text}"
    exchange.upstream_request_id = text
    exchange.notices.append(Notice("dropped", text, text))
    failed = Attempt(1, "me", "why", text, f"https://qwen/{text}", {"x-dashscope": text}, text.encode(), status=400)
    failed.fault, failed.verdict, failed.answer = Fault(400, text, text), "refused", text.encode()
    exchange.attempts.append(failed)
    ended(
        exchange, json.dumps({"id": text, "choices": [{"finish_reason": text, "message": {"content": text}}]}).encode()
    )
    exchange.outcome, exchange.error = "failed", UpstreamError(text, status=502, code="upstream_error")
    return record(exchange, headers=[("user-agent", text), ("idempotency-key", text)])


def test_sql_in_any_field_is_only_text(database: Database) -> None:
    save(database, record(ended(begun("hi"))))
    save(database, poisoned(INJECTION))

    (row,) = [row for row in all_of(database, REQUESTS) if row.id.startswith("req_x")]
    assert number(database, REQUESTS) == 2
    assert row.model_asked == INJECTION.replace("\0", "\ufffd")
    assert json.loads(row.body)["messages"][0]["content"] == INJECTION


def test_what_looks_like_a_key_is_in_no_column_of_any_table(database: Database) -> None:
    start = poisoned(CANARY)
    start.exchange.id = "req_1"  # ours, never anyone else's
    save(database, Record(start.exchange, start.origin, start.how, ended=False))
    save(database, start)

    for table in METADATA.sorted_tables:
        for row in all_of(database, table):
            assert "CANARY" not in str(row), table.name
    assert "[redacted]" in all_of(database, REQUESTS)[0].body


def test_a_key_at_which_a_name_is_cut_off_is_not_kept(database: Database) -> None:
    exchange = ended(begun("hi"))
    exchange.upstream_request_id = f"{'x' * (NAME - 10)} {CANARY}"
    save(database, record(exchange))

    assert all_of(database, REQUESTS)[0].upstream_request_id == f"{'x' * (NAME - 10)} [redacted"


def test_without_bodies_only_figures_and_names_are_kept(database: Database) -> None:
    how = How(bodies=False, events=True, redact=Redactor(["keys"]), lineage=Lineage())
    save(database, record(ended(begun("between us"), b'{"choices":[{"message":{"content":"between us"}}]}'), how=how))

    for table in METADATA.sorted_tables:
        assert "between us" not in str(all_of(database, table))
    assert all_of(database, RESPONSES)[0].total_tokens == 15


# Retention


def forget(database: Database, keep: Keep, now: float) -> int:
    return database.write(lambda connection: retention.forget_some(connection, keep, now))


def test_a_file_that_is_smaller_than_the_limit_is_not_read_to_know(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Keep] = []
    monkeypatch.setattr(retention, "size_of", lambda _: asked.append(keep) or 0)  # type: ignore[func-returns-value]
    for keep in (Keep(0, 0, 1), Keep(0, 0, 1 << 40)):
        forget(database, keep, 0.0)

    assert asked == ([Keep(0, 0, 1)] if database.path else [Keep(0, 0, 1), Keep(0, 0, 1 << 40)])


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Keep(0, 0, 0), 5),
        (Keep(3600, 0, 0), 3),  # two of them are older than an hour
        (Keep(0, 4, 0), 4),
        (Keep(3600, 1, 0), 1),
        (Keep(0, 0, 2), 2),  # as large as two of them
    ],
)
def test_the_oldest_go_first(database: Database, keep: Keep, left: int) -> None:
    for age in range(5):
        exchange = begun("hi")
        exchange.started = 100_000.0 - age * 1500
        save(database, record(ended(exchange, b"y" * 350)))
    largest = max(row.size for row in all_of(database, REQUESTS))
    assert largest > 350

    while forget(database, replace(keep, size=keep.size * largest), 100_000.0):
        pass

    ages = sorted(round((100_000.0 - row.started_at) / 1500) for row in all_of(database, REQUESTS))
    assert ages == list(range(left))
    assert number(database, RESPONSES) == number(database, ATTEMPTS) == left
    assert number(database, SESSIONS) == left


def test_only_a_few_go_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FEW", 2)
    save(database, *(record(ended(begun("hi"))) for _ in range(5)))

    assert [forget(database, Keep(1, 0, 0), 1e12) for _ in range(4)] == [2, 2, 1, 0]


def test_forgetting_leaves_little_to_the_collector(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FEW", 2)
    save(database, *(record(ended(begun("hi"))) for _ in range(40)))
    forget(database, Keep(1, 0, 0), 1e12)  # the first one compiles the statements
    gc.collect()
    gc.disable()
    try:
        while forget(database, Keep(1, 0, 0), 1e12):
            pass
        assert gc.collect() < 100  # it was some 40 each time
    finally:
        gc.enable()


def test_fewer_are_forgotten_by_the_same_statements(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FEW", 3)
    save(database, *(record(ended(begun("hi"))) for _ in range(5)))
    said: list[str] = []
    listen(database.engine, "before_cursor_execute", lambda *given: said.append(given[2]))

    assert [forget(database, Keep(1, 0, 0), 1e12) for _ in range(3)] == [3, 2, 0]
    assert len({text for text in said if text.startswith("DELETE")}) == 4
    assert number(database, REQUESTS) == number(database, RESPONSES) == number(database, ATTEMPTS) == 0


def test_room_is_given_back(tmp_path: Any) -> None:
    database = Database(str(tmp_path / "ledger.sqlite3"))
    save(database, *(record(ended(begun("long " * 5000))) for _ in range(40)))
    while forget(database, Keep(1, 0, 0), 1e12):
        pass
    pages = [database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())]
    retention.give_back_room(database)
    pages.append(database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar()))
    database.close()

    assert pages[1] < pages[0] / 4


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([b'{"choices":[{"finish_reason":"stop"}]}'], "stop"),
        ([b'data: {"finish_reason":null}\n\n', b'data: {"finish_reason":"length"}\n\n'], "length"),
        ([b'data: {"type":"response.created"}\n\n', b'data: {"type":"response.completed"}\n\n'], "completed"),
        ([rb'{"content":"\"finish_reason\":\"stop\"","finish_reason":"tool_calls"}'], "tool_calls"),
        ([rb'{"content":"\"finish_reason\":\"stop\""}'], None),
        ([b'{"error":{}}'], None),
        ([], None),
    ],
)  # fmt: skip
def test_how_an_answer_ended(pieces: list[bytes], reason: str | None) -> None:
    assert finish_reason(pieces) == reason
