"""Answers of the Responses API, streamed and whole: the same deltas, both forms judged by the referee."""

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import Begin, Delta, Extra, Fault, Finish, Refusal, Text, Thought, ToolCall, Usage
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.openai.responses_items import REASONING
from qwen_gateway.openai.responses_stream import ResponsesStream
from qwen_gateway.upstreams.decoders import ChatAnswer
from tests.openai.responding import LOOK, SEAL, WAIT, call, judged, kinds, streamed, whole

BEGIN = Begin("upstream-1", "qwen3.7-plus", 1_790_000_000)
COUNTED = Usage(17, 5, 22, {"cached_tokens": 4, "text_tokens": 17}, {"reasoning_tokens": 3})
GREETING: list[Delta] = [BEGIN, Thought("A gree"), Thought("ting."), Text("Hi"), Text("!"), Finish("stop"), COUNTED]
CALLING: list[Delta] = [BEGIN, ToolCall(0, '{"at":', "call_1", "look"), ToolCall(0, '"sky"}'), Finish("tool_calls")]
SEALED = ["reasoning.encrypted_content"]


def one_by_one(deltas: list[Delta]) -> list[list[Delta]]:
    return [[delta] for delta in deepcopy(deltas)]


def test_a_stream_opens_closes_and_repeats_itself() -> None:
    events = streamed(call(), one_by_one(GREETING))

    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done",
        "completed",
    ]  # fmt: skip
    response = events[-1]["response"]
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
    assert response["output"][0]["summary"] == [{"type": "summary_text", "text": "A greeting."}]
    assert response["output"][1]["content"][0]["text"] == "Hi!"
    assert response["usage"] == {
        "input_tokens": 17, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 22,
    }  # fmt: skip


def test_the_whole_answer_is_what_the_stream_ends_with() -> None:
    parsed = call(instructions="Be brief.", tools=[LOOK], temperature=0.2, metadata={"a": "b"})

    end = streamed(parsed, one_by_one(GREETING))[-1]["response"]

    assert whole(parsed, GREETING) | {"completed_at": 0} == end | {"completed_at": 0}
    assert end["instructions"] == "Be brief."
    assert end["metadata"] == {"a": "b"}
    assert end["tools"][0]["name"] == "look"


def test_a_function_call_is_told_piece_by_piece() -> None:
    events = streamed(call(tools=[LOOK]), one_by_one(CALLING))

    assert kinds(events)[2:] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    (item,) = events[-1]["response"]["output"]
    assert (item["call_id"], item["name"], item["arguments"]) == ("call_1", "look", '{"at":"sky"}')


def test_calls_that_are_written_in_turns_stay_apart() -> None:
    deltas: list[Delta] = [
        ToolCall(0, '{"at"', "call_1", "look"), ToolCall(1, '{"for"', "call_2", "wait"),
        ToolCall(0, ':"sky"}'), ToolCall(1, ":3}"), Finish("tool_calls"),
    ]  # fmt: skip

    output = streamed(call(tools=[LOOK, WAIT]), one_by_one(deltas))[-1]["response"]["output"]

    assert [item["arguments"] for item in output] == ['{"at":"sky"}', '{"for":3}']


def test_a_call_is_done_before_the_next_one_begins() -> None:
    deltas: list[Delta] = [ToolCall(0, "{}", "call_1", "look"), ToolCall(1, "{}", "call_2", "wait"), Finish("stop")]

    events = kinds(streamed(call(tools=[LOOK, WAIT]), one_by_one(deltas)))

    assert events.count("output_item.done") == 2
    assert events.index("output_item.done") < len(events) - 1 - events[::-1].index("output_item.added")


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    deltas: list[Delta] = [ToolCall(0, "", "call_1", "look"), Finish("tool_calls")]

    assert whole(call(tools=[LOOK]), deltas)["output"][0]["arguments"] == "{}"


def test_only_the_first_call_where_parallel_ones_are_not_wanted() -> None:
    deltas: list[Delta] = [ToolCall(0, "{}", "call_1", "look"), ToolCall(1, "{}", "call_2", "wait"), Finish("stop")]

    output = whole(call(tools=[LOOK, WAIT], parallel_tool_calls=False), deltas)["output"]

    assert [item["name"] for item in output] == ["look"]


def test_a_freeform_tool_gets_its_text_back() -> None:
    tool = {"type": "custom", "name": "apply_patch", "format": {"type": "text"}}
    deltas: list[Delta] = [ToolCall(0, '{"input":"*** Be', "call_1", "apply_patch"), ToolCall(0, 'gin\\n"}')]

    events = streamed(call(tools=[tool]), one_by_one([*deltas, Finish("tool_calls")]))

    assert kinds(events)[2:-1] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin\n")


def test_a_tool_of_a_namespace_goes_back_by_both_names() -> None:
    space = {"type": "namespace", "name": "crm", "description": "Customers", "tools": [LOOK]}
    deltas: list[Delta] = [ToolCall(0, "{}", "call_1", "crm__look"), Finish("tool_calls")]

    (item,) = whole(call(tools=[space]), deltas)["output"]

    assert (item["namespace"], item["name"]) == ("crm", "look")


def test_a_tool_search_that_the_client_runs_goes_back_as_one() -> None:
    search = {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}}
    deltas: list[Delta] = [ToolCall(0, '{"query":"mail"}', "call_1", "tool_search"), Finish("tool_calls")]

    (item,) = streamed(call(tools=[search]), one_by_one(deltas))[-1]["response"]["output"]

    assert (item["type"], item["execution"]) == ("tool_search_call", "client")
    assert item["arguments"] == {"query": "mail"}


def test_a_refusal_is_a_part_of_its_own() -> None:
    deltas: list[Delta] = [Text("Well. "), Refusal("I won"), Refusal("'t."), Finish("stop")]

    (item,) = streamed(call(), one_by_one(deltas))[-1]["response"]["output"]

    assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]
    assert item["content"][1]["refusal"] == "I won't."


def test_citations_and_log_probabilities_stay_with_their_text() -> None:
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2, "url": "u", "title": "t"}}
    row = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "Ho", "logprob": -2, "bytes": []}]}
    deltas: list[Delta] = [Text("Hi", 0, {"content": [row]}), Extra({"annotations": [cited]}), Finish("stop")]

    part = streamed(call(), one_by_one(deltas))[-1]["response"]["output"][0]["content"][0]

    assert part["annotations"][0]["url"] == "u"
    assert part["logprobs"][0]["bytes"] == [72, 105]


@pytest.mark.parametrize(("said", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_is_cut_off_is_incomplete(said: str, reason: str) -> None:
    deltas: list[Delta] = [Text("Hi"), ToolCall(0, '{"at":', "call_1", "look"), Finish(said)]

    events = streamed(call(tools=[LOOK]), one_by_one(deltas))

    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": reason}
    assert [item["status"] for item in events[-1]["response"]["output"]] == ["completed", "incomplete"]


def test_arguments_that_are_no_json_fail_the_response() -> None:
    deltas: list[Delta] = [ToolCall(0, '{"at": sky', "call_1", "look"), Finish("tool_calls")]

    events = streamed(call(tools=[LOOK]), one_by_one(deltas))

    assert events[-1]["type"] == "response.failed"
    assert "'look'" in events[-1]["response"]["error"]["message"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("context_length_exceeded", "context_length_exceeded"), ("insufficient_quota", "insufficient_quota"),
        ("rate_limit_exceeded", "rate_limit_exceeded"), ("upstream_torn", "server_error"),
    ],
)  # fmt: skip
def test_a_stream_that_breaks_ends_in_a_failed_response(code: str, told: str) -> None:
    writer = ResponsesStream(call(), Dress(), SEAL)
    body = writer.write(GREETING[:4]) + writer.fail(UpstreamError("The upstream broke off.", code=code))

    events = judged(body)

    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"] == {"code": told, "message": "The upstream broke off."}
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning"]


def test_a_failure_before_any_content_still_is_a_stream() -> None:
    events = judged(ResponsesStream(call(), Dress(), SEAL).fail(UpstreamError("No account.")))

    assert kinds(events) == ["created", "in_progress", "failed"]


def test_hidden_thoughts_are_left_out() -> None:
    assert [item["type"] for item in whole(call(), GREETING, thinking="hidden")["output"]] == ["message"]


@pytest.mark.parametrize("thinking", ["reasoning_content", "hidden"])
def test_sealed_thoughts_come_back_as_what_they_were(thinking: str) -> None:
    item = streamed(call(include=SEALED), one_by_one(GREETING), thinking=thinking)[-1]["response"]["output"][0]

    assert SEAL.open(item["encrypted_content"], REASONING) == "A greeting."
    assert bool(item["summary"]) == (thinking != "hidden")


def test_nothing_is_sealed_unasked() -> None:
    assert "encrypted_content" not in whole(call(), GREETING)["output"][0]


def test_a_tool_that_was_renamed_gets_its_name_back() -> None:
    writer = ResponsesStream(call(tools=[{**LOOK, "name": "search"}]), Dress(), SEAL)
    writer.rename({"search_tool": "search"})
    body = writer.write([ToolCall(0, "{}", "call_1", "search_tool"), Finish("tool_calls")]) + writer.end()

    assert judged(body)[-1]["response"]["output"][0]["name"] == "search"


def test_usage_is_estimated_where_the_upstream_tells_none() -> None:
    usage = whole(call(), [Text("Hi there!"), Finish("stop")])["usage"]

    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
PIECES: st.SearchStrategy[list[Delta]] = st.lists(
    st.one_of(
        st.builds(Text, TEXTS),
        st.builds(Thought, TEXTS),
        st.builds(Refusal, TEXTS),
        st.builds(ToolCall, st.integers(0, 3), TEXTS, st.none() | st.sampled_from(["a", "b"]), st.none() | TEXTS),
        st.builds(Extra, st.dictionaries(TEXTS, TEXTS, max_size=2)),
        st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 18)),
        st.builds(Fault, st.just(0), TEXTS, TEXTS),
        st.builds(Finish, st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
    ),
    max_size=14,
)
FIELDS = st.fixed_dictionaries(
    {}, optional={"include": st.just(SEALED), "parallel_tool_calls": st.booleans(), "tools": st.just([LOOK, WAIT])}
)


def unsealed(response: dict[str, Any]) -> dict[str, Any]:
    """Without what is different each time: the moment, the nonces, ids of calls that had none."""
    output = [
        item
        | (
            {"encrypted_content": SEAL.open(item["encrypted_content"], REASONING)}
            if "encrypted_content" in item
            else {}
        )
        | ({"call_id": ""} if item.get("call_id", "").startswith("call_") else {})
        for item in response["output"]
    ]
    return response | {"completed_at": 0, "output": output}


@given(PIECES, FIELDS, st.lists(st.integers(0, 14)))
def test_any_order_of_deltas_in_any_pieces_gives_a_valid_stream_and_the_same_object(
    deltas: list[Delta], fields: dict[str, Any], cuts: list[int]
) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(deltas)), len(deltas)})
    pieces = [deltas[begin:end] for begin, end in pairwise(places)]
    parsed = call(**fields)

    events = streamed(parsed, deepcopy(pieces))
    answer = whole(parsed, deepcopy(deltas))

    assert unsealed(events[-1]["response"]) == unsealed(answer)
    deltas_of = {"output_text.delta": Text, "refusal.delta": Refusal}
    for name, kind in deltas_of.items():
        told = "".join(event["delta"] for event in events if event["type"] == f"response.{name}")
        assert told == "".join(delta.text for delta in before_the_end(deltas) if isinstance(delta, kind))


def before_the_end(deltas: list[Delta]) -> list[Any]:
    for place, delta in enumerate(deltas):
        if isinstance(delta, Finish):
            return list(deltas[:place])
    return list(deltas)


WIRE = (
    'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Grüße…"}}]}\n\n'
    'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Olá 🌍"}}]}\n\n'
    'data: {"id":"1","choices":[{"index":0,"delta":{"content":", 世界"}}]}\n\n'
    'data: {"id":"1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"look",'
    '"arguments":"{\\"at\\": \\"é"}}]}}]}\n\n'
    'data: {"id":"1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\"}"}}]},'
    '"finish_reason":"tool_calls"}]}\n\n'
    'data: {"id":"1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}}\n\n'
    "data: [DONE]\n\n"
).encode()
"""Five kinds of chunks with characters of two, three and four bytes."""


def decoded(pieces: list[bytes]) -> list[list[Delta]]:
    decoder = ChatAnswer()
    return [*(decoder.feed(piece) for piece in pieces), decoder.close()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, len(WIRE)])
def test_bytes_cut_anywhere_give_one_and_the_same_response(size: int) -> None:
    parsed = call(tools=[LOOK])
    cut = decoded([WIRE[place : place + size] for place in range(0, len(WIRE), size)])
    expected = whole(parsed, [delta for piece in decoded([WIRE]) for delta in piece])

    end = streamed(parsed, cut)[-1]["response"]

    assert end | {"completed_at": 0} == expected | {"completed_at": 0}
    assert end["output"][1]["content"][0]["text"] == "Olá 🌍, 世界"
    assert end["output"][2]["arguments"] == '{"at": "é"}'


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_bytes_cut_at_random_give_the_same_response(cuts: list[int]) -> None:
    places = sorted({0, *cuts, len(WIRE)})
    parsed = call(tools=[LOOK])

    end = streamed(parsed, decoded([WIRE[a:b] for a, b in pairwise(places)]))[-1]["response"]

    assert [item["type"] for item in end["output"]] == ["reasoning", "message", "function_call"]
    assert end["output"][1]["content"][0]["text"] == "Olá 🌍, 世界"


def test_a_hundred_events_in_one_piece() -> None:
    chunk = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'

    events = streamed(call(), decoded([chunk * 100 + b"data: [DONE]\n\n"]))

    assert sum(event["type"] == "response.output_text.delta" for event in events) == 100
