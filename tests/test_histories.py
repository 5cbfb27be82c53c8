"""What makes two histories the same, and who may go on with a chat."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.histories import identities

USER = {"role": "user", "content": "Hi"}
SAID = {"role": "assistant", "content": "Hello."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"a":1,"b":[2]}'}}

AGAIN = {**CALL, "id": "call_2", "function": {"name": "read", "arguments": '{ "b": [2], "a": 1 }'}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:x"}}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def last(*messages: dict[str, Any], frame: Any = None) -> str:
    return identities(messages, frame)[-1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (USER, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}),
        (USER, {**USER, "name": "alice"}),
        ({"role": "system", "content": "x"}, {"role": "developer", "content": "x"}),
        (SAID, {"role": "assistant", "content": " Hello.\n"}),
        (SAID, {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nHello."}),
        (SAID, {**SAID, "reasoning_content": "Hm.", "refusal": None, "annotations": []}),
        (calling(CALL), {**calling(AGAIN), "content": ""}),
        ({"role": "tool", "content": "x", "tool_call_id": "1"}, {"role": "function", "content": "x", "name": "read"}),
    ],
)  # fmt: skip
def test_the_same_in_other_forms_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert last(USER, one) == last(USER, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (USER, {"role": "user", "content": "Hi "}),
        (USER, {"role": "assistant", "content": "Hi"}),
        (SAID, {"role": "assistant", "content": "Hello!"}),
        (USER, {"role": "user", "content": [{"type": "text", "text": "Hi"}, PICTURE]}),
        (calling(CALL), calling({**CALL, "function": {"name": "read", "arguments": '{"a":2}'}})),
        (calling(CALL), calling(CALL, CALL)),
    ],
)  # fmt: skip
def test_what_differs_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert last(USER, one) != last(USER, other)


def test_a_change_anywhere_changes_all_that_follows() -> None:
    one = identities([USER, SAID, USER], None)
    other = identities([{**USER, "content": "Ho"}, SAID, USER], None)
    framed = identities([USER, SAID, USER], {"model": "x"})

    assert not set(one) & set(other)
    assert not set(one) & set(framed)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=4)), min_size=1, max_size=6))
def test_a_prefix_keeps_its_identities(turns: list[tuple[str, str]]) -> None:
    messages = [{"role": role, "content": text} for role, text in turns]

    assert identities(messages, None)[:-1] == identities(messages[:-1], None)


def test_texts_do_not_run_into_each_other() -> None:
    assert last({"role": "user", "content": "ab"}, {"role": "user", "content": "c"}) != last(
        {"role": "user", "content": "a"}, {"role": "user", "content": "bc"}
    )
