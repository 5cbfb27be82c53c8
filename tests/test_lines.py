"""A call in one line, for people and for programs."""

import json

import pytest

from qwen_gateway.codec.deltas import Fault, Usage
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.lines import as_json, line, record, refusal_line, refusal_record, stamp
from qwen_gateway.openai.chat_request import parse_chat
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.openai.notices import Notice

SECRET = "sk-canary-line-0001"


def exchange(model: str = "gpt-4o", **fields: object) -> Exchange:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True, **fields}
    made = Exchange(
        parse_chat(json.dumps(body).encode()), model="qwen3.7-plus", account="work", started=1_790_000_000.0
    )
    made.first_byte = made.started + 0.25
    return made


def ended(made: Exchange) -> Exchange:
    made.usage = Usage(20, 46, 66, {"cached_tokens": 8}, {"reasoning_tokens": 30})
    made.estimated = 18
    made.end("finished")
    made.ended = made.started + 1.5
    return made


def failed(verdict: str = "throttle", account: str = "tired", message: str = "No.") -> Attempt:
    fault = Fault(429, "Throttling", message)
    return Attempt(1, account, "", "qwen3.7-plus", "https://x.test/", {}, b"", fault=fault, verdict=verdict)


def test_a_call_says_its_models_account_tokens_and_times() -> None:
    assert line(ended(exchange())).endswith(
        "gpt-4o → qwen3.7-plus @work ≈18: 20+46 tokens, first 0.25 s, 1.50 s, finished\n"
    )


def test_a_model_that_was_asked_for_by_its_name_stands_there_once() -> None:
    assert line(ended(exchange("qwen3.7-plus"))).count("qwen3.7-plus") == 1


def test_without_reported_tokens_the_estimate_stands_alone() -> None:
    call = ended(exchange())
    call.usage = None
    assert "@work ≈18 tokens, first" in line(call)
    call.estimated = None
    assert "tokens" not in line(call)


def test_several_answers_are_estimated_as_they_are_billed() -> None:
    assert "≈54: " in line(ended(exchange(n=3)))


def test_a_whole_answer_has_no_first_token() -> None:
    assert "first" not in line(ended(exchange(stream=False)))


def test_a_failed_call_says_status_and_code() -> None:
    call = exchange()
    call.end("failed", UpstreamError("no", status=503, code="upstream_overloaded"))
    assert line(call).endswith("failed 503 upstream_overloaded\n")


def test_what_failed_before_is_said() -> None:
    call = ended(exchange())
    call.attempts = [failed()]
    assert "1.50 s, after throttle @tired, finished" in line(call)


@pytest.mark.parametrize(("outcome", "colour"), [("finished", 32), ("failed", 31), ("cancelled", 33)])
def test_colours_are_only_where_they_are_asked_for(outcome: str, colour: int) -> None:
    call = exchange()
    call.end(outcome)  # type: ignore[arg-type]
    assert f"\x1b[{colour}m{outcome}\x1b[0m" in line(call, coloured=True)
    assert "\x1b" not in line(call)


def test_a_client_cannot_write_to_the_terminal_by_its_models_name() -> None:
    call = exchange("evil\u0007\n\x1b[2Jname")
    call.end("finished")
    assert "evil???[2Jname" in line(call, coloured=True)
    assert "??" in refusal_line(0, "POST", "/v1/\n\x1b", 400, "no")


def test_a_record_has_all_that_is_in_the_line_and_more() -> None:
    call = ended(exchange())
    call.attempts = [failed()]
    call.note([Notice("dropped", "seed", "why")])
    found = json.loads(as_json(record(call)))
    assert found["tokens"] == {"estimated": 18, "input": 20, "output": 46, "cached": 8, "reasoning": 30}
    assert (found["model_asked"], found["model"], found["account"]) == ("gpt-4o", "qwen3.7-plus", "work")
    assert (found["first"], found["duration"], found["outcome"]) == (0.25, 1.5, "finished")
    assert found["attempts"][0]["verdict"] == "throttle"
    assert found["notices"] == ["dropped seed: why"]
    assert found["time"] == "2026-09-21T14:13:21.500Z"
    assert found["id"] == call.id


def test_what_upstreams_say_shows_no_secret() -> None:
    call = exchange()
    call.attempts = [failed("auth_dead", message=f"Incorrect API key provided: {SECRET}")]
    call.end("failed", UpstreamError(f"It said: {SECRET}", status=502))
    assert SECRET.encode() in as_json(record(call))
    assert SECRET.encode() not in as_json(record(call, [SECRET]))


def test_a_refusal_is_told_in_both_forms() -> None:
    assert refusal_line(0, "POST", "/v1/chat/completions", 400, "refused: no").endswith(
        " POST /v1/chat/completions 400 refused: no\n"
    )
    assert json.loads(as_json(refusal_record(0, "POST", "/v1/x", 400, "no")))["time"] == "1970-01-01T00:00:00.000Z"


def test_whatever_is_in_it_a_record_is_one_line_of_json() -> None:
    call = exchange("a\nb")
    call.attempts = [failed(message="half a character \ud83d\n")]
    call.end("failed", UpstreamError("\ud83d", status=502))
    assert as_json(record(call)).count(b"\n") == 1
    json.loads(as_json(record(call)))


def test_stamps_are_in_utc_with_milliseconds() -> None:
    assert stamp(0.0625) == "1970-01-01T00:00:00.062Z"
