"""Messages in the form that Qwen services take (upstream.md 4.3)."""

import copy
from typing import Any

import pytest

from qwen_gateway.openai.errors import Unsupported
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.facts import UNKNOWN, Facts, facts_of
from qwen_gateway.upstreams.messages import encode_messages, has_images

SEES, BLIND, OMNI = facts_of("qwen3.7-plus"), facts_of("qwen3-coder-plus"), facts_of("qwen3.5-omni-plus")
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
USER = {"role": "user", "content": "Hi"}


def encoded(*messages: dict[str, Any], facts: Facts = SEES) -> list[dict[str, Any]]:
    given = copy.deepcopy(list(messages))
    found = encode_messages(given, facts, [])
    assert given == list(messages)  # the given ones are left as they are
    return found


def notices(*messages: dict[str, Any], facts: Facts = SEES) -> list[str]:
    found: list[Notice] = []
    encode_messages(list(messages), facts, found)
    return [f"{notice.action}={notice.param}" for notice in found]


def test_developers_are_system() -> None:
    assert encoded({"role": "developer", "content": "Be brief."}, USER)[0] == {"role": "system", "content": "Be brief."}
    assert notices({"role": "developer", "content": "x"}, USER) == ["translated=messages[0].role"]


def test_one_system_message_stands_first() -> None:
    messages = [{"role": "system", "content": "One."}, USER, {"role": "system", "content": "Two."}]

    assert encoded(*messages) == [{"role": "system", "content": "One.\n\nTwo."}, USER]
    assert notices(*messages) == ["translated=messages[2]"]


def test_cache_markers_of_any_system_message_survive() -> None:
    marked = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}

    system, _ = encoded({"role": "system", "content": "One."}, {"role": "system", "content": [marked]}, USER)

    assert system["content"] == [{"type": "text", "text": "One."}, marked]


def test_text_only_parts_become_a_string() -> None:
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]

    assert encoded({"role": "user", "content": parts}) == [{"role": "user", "content": "Hi\nthere"}]


def test_parts_with_pictures_keep_their_order() -> None:
    parts = [{"type": "text", "text": "a"}, PICTURE, {"type": "text", "text": "b"}]

    assert encoded({"role": "user", "content": parts})[0]["content"] == parts


def test_a_picture_may_be_a_bare_address() -> None:
    (message,) = encoded({"role": "user", "content": [{"type": "input_image", "image_url": "https://x/a.png"}]})

    assert message["content"] == [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}]


def test_pictures_for_a_model_that_sees_none_are_refused() -> None:
    with pytest.raises(Unsupported, match="qwen_vision_model") as refused:
        encoded({"role": "user", "content": [{"type": "text", "text": "?"}, PICTURE]}, facts=BLIND)

    assert refused.value.param == "messages[0].content[1]"


def test_pictures_for_a_model_that_nobody_knows_are_sent() -> None:
    assert encoded({"role": "user", "content": [PICTURE]}, facts=UNKNOWN)[0]["content"] == [PICTURE]


SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


def test_sound_is_for_models_that_hear() -> None:
    assert encoded({"role": "user", "content": [SOUND]}, facts=OMNI)[0]["content"] == [SOUND]
    with pytest.raises(Unsupported, match="omni"):
        encoded({"role": "user", "content": [SOUND]})


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "image_url"},
        {"type": "image_url", "image_url": {"url": 5}},
        {"type": "hologram"},
        {"type": "video_url", "video_url": {"url": "x"}},
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_place(part: dict[str, Any]) -> None:
    facts = BLIND if part["type"] == "video_url" else SEES

    with pytest.raises(Unsupported) as refused:
        encoded(USER, {"role": "user", "content": [part]}, facts=facts)

    assert (refused.value.param or "").startswith("messages[1].content[0]")


CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"sky"}'}}


def test_no_text_beside_tool_calls_is_an_empty_string() -> None:
    (message,) = encoded({"role": "assistant", "content": None, "tool_calls": [CALL]})

    assert message == {"role": "assistant", "content": "", "tool_calls": [CALL]}


@pytest.mark.parametrize(
    ("given", "expected"), [(None, "{}"), ("", "{}"), ({"at": "sky"}, '{"at":"sky"}'), ("{}", "{}"), ({}, "{}")]
)
def test_arguments_of_earlier_calls_are_text(given: Any, expected: str) -> None:
    called = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": given}}

    (message,) = encoded({"role": "assistant", "content": "", "tool_calls": [called]})

    assert message["tool_calls"][0]["function"] == {"name": "look", "arguments": expected}


def test_an_empty_list_of_calls_is_left_out() -> None:
    assert "tool_calls" not in encoded({"role": "assistant", "content": "Hi", "tool_calls": []})[0]


def test_what_only_answers_carry_is_left_out() -> None:
    answer = {"role": "assistant", "content": None, "refusal": "No.", "annotations": [], "function_call": None}

    assert encoded(answer) == [{"role": "assistant", "content": "No."}]


def test_the_sound_of_an_earlier_answer_is_told_as_dropped() -> None:
    answer = {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}

    assert encoded(answer) == [{"role": "assistant", "content": ""}]
    assert notices(answer) == ["dropped=messages[0].audio"]


def test_thoughts_of_earlier_turns_are_kept() -> None:
    answer = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"}

    assert encoded(answer) == [answer]


def test_a_tools_result_is_one_string() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    assert encoded({"role": "tool", "tool_call_id": "call_1", "content": parts})[0]["content"] == "a\nb"
    assert encoded({"role": "tool", "tool_call_id": "call_1", "content": None})[0]["content"] == ""


def test_pictures_of_results_follow_the_whole_run_of_results() -> None:
    first = {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "a"}, PICTURE]}
    second = {"role": "tool", "tool_call_id": "call_2", "content": "b"}

    found = encoded(USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}, first, second, USER)

    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert found[2]["content"] == "a"
    assert found[4]["content"][1] == PICTURE
    assert "call_1" in found[4]["content"][0]["text"]
    assert notices(first) == ["translated=messages[0].content"]


def test_pictures_are_found_in_any_message() -> None:
    assert has_images([USER, {"role": "tool", "content": [PICTURE]}])
    assert not has_images([USER, {"role": "user", "content": [{"type": "text", "text": "x"}]}])
