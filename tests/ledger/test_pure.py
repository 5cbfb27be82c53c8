"""Putting streams together, taking keys out, telling conversations apart."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.ledger import redaction
from qwen_gateway.ledger.assembly import assembled
from qwen_gateway.ledger.lineage import chains
from qwen_gateway.ledger.redaction import KEYS, MASK, PIECE, Redactor

CHUNKS = [
    {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"role": "assistant"}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"reasoning_content": "Hm"}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "Grü"}}, {"index": 1, "delta": {"content": "B"}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "ße"}, "finish_reason": None}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}]}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {"id": "c", "choices": [], "usage": {"total_tokens": 3}},
]  # fmt: skip


def stream(values: list[object]) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(value).encode() for value in values) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_chat_stream_becomes_one_completion(size: int) -> None:
    data = b": keep-alive\n\n" + stream(CHUNKS)
    whole = json.loads(assembled([data[place : place + size] for place in range(0, len(data), size)]))

    assert (whole["object"], whole["usage"]) == ("chat.completion", {"total_tokens": 3})
    first, second = whole["choices"]
    assert first["finish_reason"] == "tool_calls"
    assert (first["message"]["content"], first["message"]["reasoning_content"]) == ("Grüße", "Hm")
    assert first["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert second["message"]["content"] == "B"


def test_a_stream_of_the_responses_api_is_its_last_response() -> None:
    events = [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}},
    ]

    assert json.loads(assembled([stream(list(events))])) == {"id": "resp_1", "status": "completed"}


def test_an_error_amid_a_stream_is_in_it() -> None:
    whole = json.loads(assembled([stream([CHUNKS[2], {"error": {"message": "it broke"}}])]))

    assert whole["error"] == {"message": "it broke"}
    assert whole["choices"][0]["message"]["content"] == "Grü"


@pytest.mark.parametrize("data", [b"", b'{"a": 1}', b"<html>", b"\xff\xfe", b"[1, 2]"])
def test_what_is_no_stream_stays_as_it_is(data: bytes) -> None:
    assert assembled([data]) == data.decode("utf-8", "replace")


@given(st.binary(max_size=200) | st.lists(st.sampled_from([json.dumps(chunk).encode() for chunk in CHUNKS] + [
    b'{"choices": 5}', b'{"choices": [5, {"delta": 5}, {"delta": {"tool_calls": 5}}]}', b"null", b"{",
    b'{"choices": [{"delta": {"tool_calls": [{"function": 5}]}}]}', b'{"response": {}}', b'{"type": 5}',
])).map(lambda parts: b"".join(b"data: " + part + b"\n\n" for part in parts)))  # fmt: skip
def test_nothing_that_came_makes_it_raise(data: bytes) -> None:
    assembled([data])


SECRETS = [
    "sk-0123456789abcdefghij",
    "sk-proj-0123456789_abcdefghij",
    "Bearer abcdefghijklmnop.qrst",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc_def-ghi",
    "AKIAIOSFODNN7EXAMPLE",
    "LTAI5tAbCdEfGhIjKlMn",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "xoxb-123456789012-abcdef",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_key_is_taken_out(secret: str) -> None:
    assert Redactor(["keys"])(f'{{"a": "my key is {secret}"}}') == f'{{"a": "my key is {MASK}"}}'


@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_on_a_line_of_its_own_is_taken_out_of_json(secret: str) -> None:
    assert Redactor(["keys"])(json.dumps({"a": f"my key:\n{secret}\r\n"})) == json.dumps({"a": f"my key:\n{MASK}\r\n"})


@pytest.mark.parametrize("text", ["", "a task-oriented text", "sk-short", "risk-averse-and-very-long-words", "eyJ.a.b"])
def test_what_is_no_key_stays(text: str) -> None:
    assert Redactor(["keys"])(text) == text


@given(st.from_regex(KEYS, fullmatch=True))
def test_a_key_shows_by_how_it_begins(key: str) -> None:
    """By characters that are no secret, so that a key which is cut off is none or shows as well."""
    redactor = Redactor(["keys"])

    assert redactor.may_find(f"text\n{key[:11]}")
    assert redactor.may_find(f"text {key}", 5)
    assert not redactor.may_find(f"{key}{' ' * 11}text", len(key) + 11)


def test_what_no_pattern_of_ours_is_may_be_anywhere() -> None:
    assert Redactor(["keys", "x"]).may_find("text")
    assert not Redactor([]).may_find(SECRETS[0])


def test_an_operator_adds_patterns_and_may_leave_ours_out() -> None:
    assert Redactor(["keys", r"\d{4} \d{4}"])("1234 5678 sk-0123456789abcdefghij") == f"{MASK} {MASK}"
    assert Redactor([r"\d{4} \d{4}"])("1234 5678 sk-0123456789abcdefghij") == f"{MASK} sk-0123456789abcdefghij"
    assert Redactor([])("sk-0123456789abcdefghij") == "sk-0123456789abcdefghij"
    with pytest.raises(re.error):
        Redactor(["("])


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["k0123", "k" + "9" * 30])), max_size=8))
def test_pieces_make_no_difference(parts: list[tuple[int, str]]) -> None:
    text = "".join("." * dots + key for dots, key in parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "PIECE", 16)
        patch.setattr(redaction, "OVERLAP", 8)
        assert Redactor([r"k\d+"])(text) == re.sub(r"k\d+", re.escape(MASK), text).replace("\\", "")


def test_a_key_across_two_pieces_is_found() -> None:
    text = "x" * (PIECE - 6) + " " + SECRETS[0] + " y"

    assert SECRETS[0][:8] not in Redactor(["keys"])(text)


def test_a_call_goes_on_from_what_was_asked_before_the_last_answer() -> None:
    hi, hello, more = ({"role": role, "content": role} for role in ("user", "assistant", "user"))
    asked, before = chains([hi], "")
    again, goes_on_from = chains([hi, hello, more], "")

    assert before is None
    assert goes_on_from == asked
    assert again not in (asked, None)
    assert chains([hi], "someone")[0] != asked
    assert chains([more, hello, more], "")[1] == asked  # the same words
    assert chains([hi, hello, more, hello, more], "")[1] == again


@pytest.mark.parametrize("messages", [None, [], "hi", 5])
def test_without_messages_there_is_no_conversation(messages: object) -> None:
    assert chains(messages, "") == (None, None)


def test_no_statement_is_put_together_from_strings() -> None:
    """Only constants and numbers of ours stand in SQL text."""
    folder = Path(redaction.__file__).parent
    found = [
        (file.name, line.strip())
        for file in folder.glob("*.py")
        for line in file.read_text().splitlines()
        if re.search(r"(text|exec_driver_sql|execute)\(f[\"']", line)
    ]
    assert found == [
        ("database.py", 'connection.execute(f"PRAGMA {pragma}")'),
        ("database.py", 'connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY})")'),
        ("retention.py", 'driver.execute(f"PRAGMA incremental_vacuum({int(pages)})").fetchall()'),
    ]
