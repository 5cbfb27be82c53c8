"""Every call is in the ledger, as the client asked it, as Qwen was asked, and as it was answered."""

import json
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, ask, body, openai, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until


def rows(gateway: Mitm, query: str, *values: Any) -> list[sqlite3.Row]:
    """What SQL says, asked as an operator would."""
    connection = sqlite3.connect(gateway.home / "ledger.db")
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def record(gateway: Mitm, request_id: str) -> sqlite3.Row:
    """The one row of a call that has ended, with its response."""
    found: list[sqlite3.Row] = []

    def there() -> bool:
        if (gateway.home / "ledger.db").exists():
            query = "SELECT * FROM requests JOIN responses ON responses.request_id = requests.id WHERE requests.id = ?"
            try:
                found[:] = rows(gateway, query, request_id)
            except sqlite3.OperationalError:  # its tables are being made
                return False
        return bool(found)

    wait_until(there, 15, lambda: f"no record of {request_id}\n{gateway.log}")
    assert len(found) == 1
    return found[0]


def outcome(gateway: Mitm, request_id: str) -> str | None:
    """How a call ended, if it is there."""
    found = rows(gateway, "SELECT outcome FROM requests WHERE id = ?", request_id)
    return found[0][0] if found else None


@pytest.fixture(scope="module")
def recording(starter: Starter, upstream: Simulator) -> Mitm:
    """Records soon, and stream's events as well."""
    options = {"qwen_ledger_flush": 50, "qwen_record_events": "true"}
    return starter("recording", environ=one_account(upstream), options=options).start()


@pytest.fixture
def gateway(recording: Mitm, sim: Simulator) -> Iterator[Mitm]:
    yield recording
    assert recording.troubles() == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_kept_as_it_was_asked_and_answered(gateway: Mitm, stream: bool) -> None:
    answer = ask(gateway, model="gpt-4o", stream=stream, max_completion_tokens=500)
    kept = record(gateway, answer.headers["x-request-id"])

    assert json.loads(kept["body"])["max_completion_tokens"] == 500
    assert json.loads(kept["qwen_body"])["max_tokens"] == 500
    assert kept["model_asked"] == "gpt-4o"
    assert kept["model"] == json.loads(kept["qwen_body"])["model"] == answer.headers["x-gateway-model"]
    assert kept["qwen_url"].endswith("/chat/completions")
    assert (kept["outcome"], kept["status"], kept["attempts"], kept["surface"]) == ("finished", 200, 1, "chat")
    assert kept["account"] == answer.headers["x-gateway-account"]
    assert kept["client"] == "127.0.0.1"
    whole = rows(gateway, "SELECT * FROM responses WHERE request_id = ?", kept["request_id"])[0]
    for column in ("body", "received"):
        message = json.loads(whole[column])["choices"][0]["message"]
        assert message["content"] == text(answer)
    assert whole["finish_reason"] == "stop"
    assert whole["total_tokens"] == whole["prompt_tokens"] + whole["completion_tokens"] > 0
    assert 0 <= whole["queued_ms"] <= whole["first_byte_ms"] <= whole["duration_ms"] < 60_000
    assert (whole["sent_events"] == answer.text) is stream
    assert whole["received_events"].startswith("data: " if stream else "{")


def test_a_failed_call_is_kept_with_its_attempts(starter: Starter, sim: Simulator) -> None:
    sim.script([{"fault": "internal-error", "times": 1000}])
    with starter("failing", environ=one_account(sim)) as gateway:
        answer = ask(gateway)
    kept = record(gateway, answer.headers["x-request-id"])
    attempts = rows(gateway, "SELECT * FROM attempts WHERE request_id = ? ORDER BY number", kept["request_id"])

    assert (kept["outcome"], kept["status"]) == ("failed", answer.status_code)
    assert (kept["error_status"], kept["error_code"]) == (answer.status_code, answer.json()["error"]["code"])
    assert kept["attempts"] == len(attempts) > 1
    assert {(attempt["status"], attempt["verdict"]) for attempt in attempts} == {(500, "overload")}
    assert all(attempt["answer"] for attempt in attempts)


async def test_a_conversation_is_one_session(gateway: Mitm) -> None:
    ids = []
    messages: list[Any] = [*HI]
    async with openai(gateway) as client:
        for _ in range(3):
            answer = await client.chat.completions.with_raw_response.create(model="qwen3.7-plus", messages=messages)
            ids.append(answer.headers["x-request-id"])
            messages += [
                {"role": "assistant", "content": answer.parse().choices[0].message.content},
                {"role": "user", "content": "And then?"},
            ]
    kept = [record(gateway, each) for each in ids]

    assert len({each["session_id"] for each in kept}) == 1
    assert [each["parent_id"] for each in kept] == [None, *ids[:-1]]


def test_two_conversations_with_the_same_beginning_are_two_sessions(gateway: Mitm) -> None:
    kept = [record(gateway, ask(gateway).headers["x-request-id"]) for _ in range(2)]

    assert kept[0]["session_id"] != kept[1]["session_id"]


def test_the_file_is_in_the_home_and_the_owners_alone(gateway: Mitm) -> None:
    record(gateway, ask(gateway).headers["x-request-id"])
    path = gateway.home / "ledger.db"

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_gateway_that_has_not_been_called_opens_no_database(starter: Starter, upstream: Simulator) -> None:
    with starter("uncalled", environ=one_account(upstream)) as gateway:
        gateway.health()

    assert not list(gateway.home.glob("ledger*"))


@pytest.mark.parametrize("variable", ["false", "0", "off"])
def test_recording_can_be_switched_off(starter: Starter, upstream: Simulator, variable: str) -> None:
    environ = {**one_account(upstream), "ENABLE_PERSISTENCE": variable}
    with starter("off", environ=environ) as gateway:
        assert ask(gateway).status_code == 200

    assert not list(gateway.home.glob("ledger*"))


def test_bodies_can_be_left_out(starter: Starter, upstream: Simulator) -> None:
    with starter("metadata", environ=one_account(upstream), options={"qwen_record": "metadata"}) as gateway:
        request_id = ask(gateway, messages=[{"role": "user", "content": "between us"}]).headers["x-request-id"]
    kept = record(gateway, request_id)

    assert (kept["outcome"], kept["body"], kept["qwen_body"], kept["headers"]) == ("finished", None, None, "{}")
    assert kept["total_tokens"] > 0
    assert b"between us" not in (gateway.home / "ledger.db").read_bytes()


def test_the_last_call_is_written_before_the_process_ends(starter: Starter, upstream: Simulator) -> None:
    with starter("last", environ=one_account(upstream), options={"qwen_ledger_flush": 60_000}) as gateway:
        request_id = ask(gateway).headers["x-request-id"]

    assert record(gateway, request_id)["outcome"] == "finished"
    assert rows(gateway, "SELECT ended_at IS NOT NULL FROM gateways")[0][0] == 1


def test_calls_go_on_when_the_database_cannot_be_used(starter: Starter, upstream: Simulator, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {**one_account(upstream), "DATABASE_PATH": str(tmp_path / "file" / "ledger.sqlite3")}
    with starter("unusable", environ=environ, options={"qwen_ledger_flush": 10, "qwen_ledger_queue": 5}) as gateway:
        answers = [ask(gateway).status_code for _ in range(12)]

    assert answers == [200] * 12
    assert gateway.log.count("records wait in memory") == 1


def test_a_client_that_leaves_is_kept_as_cancelled(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.2
    with httpx.stream("POST", gateway.url + "/v1/chat/completions", json=body(stream=True), timeout=20) as answer:
        next(answer.iter_bytes())
        request_id = answer.headers["x-request-id"]

    kept = record(gateway, request_id)
    assert kept["outcome"] == "cancelled"
    assert json.loads(rows(gateway, "SELECT body FROM responses WHERE request_id = ?", request_id)[0][0])["choices"]


def test_a_killed_gateway_leaves_a_sound_ledger_and_says_what_was_interrupted(starter: Starter, sim: Simulator) -> None:
    gateway = starter("killed", environ=one_account(sim), options={"qwen_ledger_flush": 50}).start()
    finished: list[str] = []
    for _ in range(3):
        finished += [ask(gateway).headers["x-request-id"] for _ in range(5)]
        for each in finished:
            record(gateway, each)
        sim.state.pace = 0.5
        with httpx.stream("POST", gateway.url + "/v1/chat/completions", json=body(stream=True), timeout=20) as answer:
            next(answer.iter_bytes())
            amid = answer.headers["x-request-id"]
            wait_until(partial(outcome, gateway, amid), 15, "the call has no record while it runs")
            assert outcome(gateway, amid) == "running"
            gateway.kill()
        sim.state.pace = 0.0
        assert rows(gateway, "PRAGMA integrity_check")[0][0] == "ok"

        gateway.start()
        record(gateway, ask(gateway).headers["x-request-id"])
        assert outcome(gateway, amid) == "interrupted"
        assert {record(gateway, each)["outcome"] for each in finished} == {"finished"}
