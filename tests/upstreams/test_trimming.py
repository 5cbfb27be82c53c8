"""The oldest of a long conversation is left out, and nothing is torn apart."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.upstreams.trimming import trim


def message(role: str, content: str = "x", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


SYSTEM = message("system", "s")
CALL = message("assistant", "", tool_calls=[{"id": "a"}])
RESULT = message("tool", "r", tool_call_id="a")


def count(messages: list[dict[str, Any]]) -> int:
    return len(messages)


def roles(messages: list[dict[str, Any]] | None) -> str:
    assert messages is not None
    return "".join(each["role"][0] for each in messages)


@pytest.mark.parametrize(
    ("room", "left"),
    [(9, "suauatuau"), (8, "suatuau"), (7, "suatuau"), (6, "suau"), (4, "suau"), (3, "su"), (2, "su")],
)
def test_the_oldest_turns_go_first_and_a_result_goes_with_its_call(room: int, left: str) -> None:
    user, answer = message("user"), message("assistant")
    talk = [SYSTEM, user, answer, user, CALL, RESULT, user, answer, user]
    assert roles(trim(talk, room, count)) == left


def test_the_last_question_stays_in_a_long_row_of_calls() -> None:
    talk = [SYSTEM, message("user", "old"), message("assistant"), message("user", "task"), *[CALL, RESULT] * 10]
    found = trim(talk, 8, count)
    assert roles(found) == "su" + "at" * 3
    assert found is not None
    assert found[1]["content"] == "task"


def test_what_must_stay_and_does_not_fit_is_too_long() -> None:
    assert trim([SYSTEM, message("user")], 1, count) is None


KINDS = st.sampled_from(["system", "user", "assistant", "call"])


@given(st.lists(KINDS, max_size=20), st.integers(0, 30))
def test_no_result_without_its_call_and_no_system_message_lost(kinds: list[str], room: int) -> None:
    talk: list[dict[str, Any]] = []
    for number, kind in enumerate(kinds):
        if kind == "call":
            talk += [
                message("assistant", "", tool_calls=[{"id": str(number)}]),
                message("tool", tool_call_id=str(number)),
                message("tool", tool_call_id=str(number)),
            ]
        else:
            talk.append(message(kind, str(number)))
    found = trim(talk, room, count)
    if found is None:
        return
    assert len(found) <= room
    assert [each for each in found if each["role"] == "system"] == [each for each in talk if each["role"] == "system"]
    calls = [call["id"] for each in found for call in each.get("tool_calls", ())]
    assert [each["tool_call_id"] for each in found if each["role"] == "tool"] == [
        name for name in calls for _ in range(2)
    ]
    users = [each for each in talk if each["role"] == "user"]
    if users:
        assert users[-1] in found
        assert next(each for each in found if each["role"] != "system")["role"] == "user"
