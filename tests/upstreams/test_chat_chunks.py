"""Chunks as services really send them (openai-surface.md, "Seen with real clients and real servers")."""

from typing import Any

import pytest

from qwen_gateway.codec.deltas import Begin, Delta, Extra, Finish, Refusal, Text, Thought, ToolCall, Usage
from qwen_gateway.upstreams.chat_chunks import ChunkReader, begin_of, count, text_of_content, usage_of


def read(*deltas: dict[str, Any]) -> list[Delta]:
    """What a reader makes of these messages, without the introduction."""
    reader = ChunkReader()
    return [found for delta in deltas for found in reader.read({"choices": [{"index": 0, "delta": delta}]})][1:]


def call(index: Any = None, call_id: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    piece = {"index": index, "id": call_id, "function": function}
    return {"tool_calls": [{key: value for key, value in piece.items() if value is not None}]}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_have_two_names(field: str) -> None:
    assert read({field: "Hm", "content": None}) == [Thought("Hm")]


def test_a_thought_in_both_fields_is_told_once() -> None:
    assert read({"reasoning_content": "Hm", "reasoning": "Hm", "reasoning_details": [{"text": "Hm"}]}) == [
        Thought("Hm")
    ]


def test_text_may_come_as_parts() -> None:
    assert read({"content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}, 5]}) == [Text("Hi")]
    assert text_of_content(None) == ""


def test_refusals_and_unknown_fields_survive() -> None:
    assert read({"refusal": "No."}, {"audio": {"id": "a"}, "x": None}) == [
        Refusal("No."),
        Extra({"audio": {"id": "a"}}),
    ]


def test_log_probabilities_come_with_their_text() -> None:
    logprobs = {"content": [{"token": "Hi"}]}
    reader = ChunkReader()

    _, text = reader.read({"choices": [{"delta": {"content": "Hi"}, "logprobs": logprobs}]})

    assert text == Text("Hi", 0, logprobs)


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None, "refusal": None}, {"content": []}, 5])
def test_no_log_probabilities_are_no_content(logprobs: Any) -> None:
    assert ChunkReader().read({"choices": [{"delta": {"content": ""}, "logprobs": logprobs}]})[1:] == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("eos", "stop"),
        ("never seen", "stop"),
    ],
)
def test_finish_reasons_become_openais(theirs: str, ours: str) -> None:
    assert ChunkReader().read({"choices": [{"delta": {}, "finish_reason": theirs}]})[1:] == [Finish(ours)]


def test_a_choice_finishes_once() -> None:
    reader = ChunkReader()
    chunk = {"choices": [{"delta": {}, "finish_reason": "stop"}]}

    assert [*reader.read(chunk), *reader.read(chunk)][1:] == [Finish("stop")]


@pytest.mark.parametrize("reason", [None, "", 5, {}])
def test_no_reason_is_no_end(reason: Any) -> None:
    assert ChunkReader().read({"choices": [{"delta": {}, "finish_reason": reason}]})[1:] == []


@pytest.mark.parametrize("index", [1, -1, 7])
def test_choices_that_nobody_asked_for_are_not_read(index: int) -> None:
    assert ChunkReader().read({"choices": [{"index": index, "delta": {"content": "x"}}]})[1:] == []


@pytest.mark.parametrize("index", [None, True, "0", 0.0])
def test_a_choice_of_odd_number_is_the_first(index: Any) -> None:
    assert ChunkReader().read({"choices": [{"index": index, "delta": {"content": "x"}}]})[1:] == [Text("x")]


class TestToolCalls:
    def test_id_and_name_are_told_once(self) -> None:
        pieces = read(call(0, "a", "look", "{"), call(0, "a", "look", "}"))

        assert pieces == [ToolCall(0, "{", "a", "look"), ToolCall(0, "}")]

    def test_empty_ids_and_names_say_nothing(self) -> None:
        assert read(call(0, "a", "look", ""), call(0, "", "", "{}")) == [
            ToolCall(0, "", "a", "look"),
            ToolCall(0, "{}"),
        ]

    def test_a_name_may_come_late(self) -> None:
        assert read(call(0, "a"), call(0, None, "look", "{}")) == [
            ToolCall(0, "", "a"),
            ToolCall(0, "{}", None, "look"),
        ]

    def test_pieces_without_index_belong_to_the_last_call(self) -> None:
        pieces = read(call(None, "a", "look", "{"), call(None, None, None, "}"), call(None, "b", "wait", "{}"))

        assert [piece.index for piece in pieces if isinstance(piece, ToolCall)] == [0, 0, 1]

    def test_pieces_without_index_are_told_apart_by_id(self) -> None:
        pieces = read(call(None, "a", "look", "{"), call(None, "b", "look", "{"), call(None, "a", "look", "}"))

        assert [piece.index for piece in pieces if isinstance(piece, ToolCall)] == [0, 1, 0]

    def test_calls_that_all_have_the_number_0_are_told_apart(self) -> None:
        pieces = read(call(0, "a", "look", "{}"), call(0, "b", "look", "{}"), call(0, "c", "wait", "{}"))

        assert [piece.index for piece in pieces if isinstance(piece, ToolCall)] == [0, 1, 2]

    def test_arguments_may_be_an_object(self) -> None:
        assert read(call(0, "a", "look", {"at": "sky"})) == [ToolCall(0, '{"at":"sky"}', "a", "look")]

    def test_a_legacy_call_is_a_tool_call(self) -> None:
        assert read({"function_call": {"name": "look", "arguments": "{}"}}) == [ToolCall(0, "{}", None, "look")]


def test_the_answer_is_introduced_once() -> None:
    reader = ChunkReader()
    chunk = {"id": "x", "model": "qwen3.7-plus", "created": 1790000000.5, "system_fingerprint": "fp", "choices": []}

    assert reader.read(chunk) == [Begin("x", "qwen3.7-plus", 1790000000, "fp")]
    assert reader.read(chunk) == []
    assert begin_of({"id": 5, "model": "", "created": -1, "system_fingerprint": None}) == Begin()


class TestUsage:
    def test_numbers_add_up(self) -> None:
        assert usage_of({"prompt_tokens": 3, "completion_tokens": 2}) == Usage(3, 2, 5)
        assert usage_of({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 4}) == Usage(3, 2, 5)

    def test_other_names_are_read(self) -> None:
        assert usage_of({"input_tokens": 3, "output_tokens": 2}) == Usage(3, 2, 5)

    def test_a_total_alone_is_the_prompts(self) -> None:
        assert usage_of({"total_tokens": 6}) == Usage(6, 0, 6)

    def test_nothing_counted_is_nothing_said(self) -> None:
        assert usage_of({"prompt_tokens": None, "completion_tokens": 0}) is None

    @pytest.mark.parametrize(("given", "ours"), [(3.7, 3), (-1, 0), ("3", 0), (True, 0), (None, 0), (1e300, 2**53 - 1)])
    def test_counts_are_whole_numbers(self, given: Any, ours: int) -> None:
        assert count(given) == ours

    def test_details_without_nulls(self) -> None:
        usage = usage_of({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": None}})

        assert usage is not None
        assert usage.prompt_details == {"cached_tokens": 1}
