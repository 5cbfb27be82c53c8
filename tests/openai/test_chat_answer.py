"""Answers of chat completions, streamed and whole: the same deltas, both forms judged by the referee."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import Begin, Delta, Extra, Fault, Finish, Refusal, Text, Thought, ToolCall, Usage
from qwen_gateway.codec.json import loads
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.chat_stream import ChatStream
from qwen_gateway.openai.errors import UpstreamError
from tests import referee
from tests.openai.asking import HELLO, call, tool

BEGIN = Begin("upstream-1", "qwen3.7-plus", 1_790_000_000, "fp_1")
COUNTED = Usage(17, 5, 22, {"cached_tokens": 4, "text_tokens": 17}, {"reasoning_tokens": 3})
GREETING: list[Delta] = [BEGIN, Thought("A greeting."), Text("Hi"), Text("!"), Finish("stop"), COUNTED]


def streamed(parsed: ChatCall, *deltas: Delta, **dress: Any) -> list[Any]:
    """The judged chunks of a stream that got these deltas one by one."""
    writer = ChatStream(parsed, Dress(**dress))
    body = b"".join(writer.write([delta]) for delta in deltas) + writer.end()
    chunks = [event.json for event in referee.read_sse(body)]
    assert referee.check_chat_stream(chunks, include_usage=parsed.include_usage) == []
    return chunks


def whole(parsed: ChatCall, *deltas: Delta, **dress: Any) -> Any:
    """The judged object that these deltas make."""
    writer = ChatObject(parsed, Dress(**dress))
    assert writer.write(deltas) == b""
    answer = loads(writer.end())
    referee.assert_valid(answer, "chat.completion")
    return answer


def joined(chunks: list[Any], key: str = "content", choice: int = 0) -> str:
    parts = [part for chunk in chunks for part in chunk["choices"] if part["index"] == choice]
    return "".join(part["delta"].get(key) or "" for part in parts)


def finish(chunks: list[Any]) -> str | None:
    return next((part["finish_reason"] for chunk in chunks for part in chunk["choices"] if part["finish_reason"]), None)


def calls_of(chunks: list[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for chunk in chunks:
        for part in chunk["choices"]:
            for piece in part["delta"].get("tool_calls", ()):
                if "id" in piece:
                    found.append({"id": piece["id"], "name": piece["function"]["name"], "arguments": ""})
                found[piece["index"]]["arguments"] += piece["function"]["arguments"]
    return found


PLAIN = call(stream=True)
COUNTING = call(stream=True, stream_options={"include_usage": True})
TOOLED = call(stream=True, tools=[tool("look"), tool("wait")])
LEGACY = call(stream=True, functions=[tool("look")["function"], tool("wait")["function"]])
LOOK: list[Delta] = [ToolCall(0, '{"at":', "call_1", "look"), ToolCall(0, '"sky"}')]


def test_a_stream_opens_with_the_role_and_ends_with_a_reason() -> None:
    chunks = streamed(PLAIN, *GREETING)

    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "reasoning_content": "A greeting."}
    assert joined(chunks) == "Hi!"
    assert finish(chunks) == "stop"
    assert {chunk["model"] for chunk in chunks} == {"gpt-4o"}
    assert {chunk["system_fingerprint"] for chunk in chunks} == {"fp_1"}
    assert all(part["finish_reason"] is None for chunk in chunks[:-1] for part in chunk["choices"])


def test_usage_comes_last_and_only_when_asked_for() -> None:
    chunks = streamed(COUNTING, *GREETING)

    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 22
    assert chunks[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert "usage" not in streamed(PLAIN, *GREETING)[-1]


def test_usage_that_nobody_reported_is_estimated() -> None:
    usage = streamed(COUNTING, BEGIN, Text("x" * 40), Finish("stop"))[-1]["usage"]

    assert usage["completion_tokens"] == 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + 10


@pytest.mark.parametrize("form", [streamed, whole])
def test_usage_that_counts_on_in_every_chunk_is_not_added_up(form: Any) -> None:
    answer = form(COUNTING, BEGIN, Text("a"), Usage(10, 1, 11), Text("b"), Finish("stop"), Usage(10, 2, 12))

    assert (answer[-1] if isinstance(answer, list) else answer)["usage"]["total_tokens"] == 12


@pytest.mark.parametrize("stream", [True, False])
def test_usage_of_several_answers_is_added_up(stream: bool) -> None:
    parsed = call(stream=stream, stream_options={"include_usage": True}, n=2)
    deltas = [Text("a"), Text("b", 1), Finish("stop"), Finish("stop", 1), Usage(10, 1, 11), Usage(10, 2, 12, choice=1)]

    usage = streamed(parsed, *deltas)[-1]["usage"] if stream else whole(parsed, *deltas)["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (20, 3, 23)


def test_an_object_has_every_required_key() -> None:
    answer = whole(call(), *GREETING)

    (choice,) = answer["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": "Hi!",
        "refusal": None,
        "reasoning_content": "A greeting.",
    }
    assert choice["logprobs"] is None
    assert choice["finish_reason"] == "stop"
    assert answer["system_fingerprint"] == "fp_1"


def test_nothing_said_is_an_empty_answer() -> None:
    assert whole(call(), BEGIN)["choices"][0]["message"]["content"] == ""
    assert joined(streamed(PLAIN, BEGIN)) == ""


def test_thoughts_may_be_tags_in_the_text() -> None:
    deltas = [BEGIN, Thought("Hm"), Thought("."), Text("Hi"), Thought("Again"), Text("!"), Finish("stop")]

    chunks = streamed(PLAIN, *deltas, thinking="tags")

    assert joined(chunks) == "<think>\nHm.\n</think>\n\nHi<think>\nAgain\n</think>\n\n!"
    assert joined(chunks, "reasoning_content") == ""
    answer = whole(call(), *deltas, thinking="tags")
    assert answer["choices"][0]["message"]["content"] == "<think>\nHm.Again\n</think>\n\nHi!"


@pytest.mark.parametrize("last", [ToolCall(0, "{}", "a", "look"), Finish("length"), Refusal("No.")])
def test_open_tags_are_closed(last: Delta) -> None:
    assert joined(streamed(TOOLED, Thought("Hm"), last, thinking="tags")) == "<think>\nHm\n</think>\n\n"


def test_thoughts_may_be_hidden() -> None:
    assert "Hm" not in str(streamed(PLAIN, Thought("Hm"), Text("Hi"), thinking="hidden"))
    assert "Hm" not in str(whole(call(), Thought("Hm"), Text("Hi"), thinking="hidden"))


def test_tool_calls_come_in_pieces() -> None:
    chunks = streamed(TOOLED, BEGIN, *LOOK, ToolCall(1, "{}", "call_2", "wait"), Finish("tool_calls"))

    assert calls_of(chunks) == [
        {"id": "call_1", "name": "look", "arguments": '{"at":"sky"}'},
        {"id": "call_2", "name": "wait", "arguments": "{}"},
    ]
    assert finish(chunks) == "tool_calls"


def test_tool_calls_stand_whole_in_an_object() -> None:
    (choice,) = whole(TOOLED, BEGIN, *LOOK, Finish("tool_calls"))["choices"]

    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"sky"}'}}
    ]


def test_a_streamed_call_without_arguments_is_json_all_the_same() -> None:
    chunks = streamed(TOOLED, ToolCall(0, "", "call_1", "look"), Finish("tool_calls"))

    assert calls_of(chunks)[0]["arguments"] == "{}"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_call_that_was_cut_off_is_not_made_whole(reason: str) -> None:
    chunks = streamed(TOOLED, ToolCall(0, "", "call_1", "look"), Finish(reason))

    assert calls_of(chunks)[0]["arguments"] == ""
    assert finish(chunks) == reason


@pytest.mark.parametrize("form", [streamed, whole])
@pytest.mark.parametrize(
    ("deltas", "reason"),
    [
        ([*LOOK, Finish("stop")], "tool_calls"),
        ([Text("Hi"), Finish("tool_calls")], "stop"),
        ([*LOOK, Finish("length")], "length"),
        ([Text("Hi"), Finish("content_filter")], "content_filter"),
        (LOOK, "tool_calls"),
        ([Text("Hi")], "stop"),
    ],
)
def test_the_reason_fits_what_was_sent(form: Any, deltas: list[Delta], reason: str) -> None:
    answer = form(TOOLED, *deltas)

    assert (finish(answer) if isinstance(answer, list) else answer["choices"][0]["finish_reason"]) == reason


def test_legacy_clients_get_a_function_call() -> None:
    chunks = streamed(LEGACY, BEGIN, *LOOK, ToolCall(1, "{}", "call_2", "wait"), Finish("tool_calls"))
    pieces = [chunk["choices"][0]["delta"].get("function_call", {}) for chunk in chunks]
    message = whole(LEGACY, BEGIN, *LOOK, Finish("stop"))["choices"][0]["message"]

    assert "".join(piece.get("name", "") for piece in pieces) == "look"
    assert "".join(piece.get("arguments", "") for piece in pieces) == '{"at":"sky"}'
    assert finish(chunks) == "function_call"
    assert message["function_call"] == {"name": "look", "arguments": '{"at":"sky"}'}
    assert "tool_calls" not in message


def test_freeform_calls_are_unwrapped() -> None:
    parsed = call(tools=[{"type": "custom", "custom": {"name": "patch"}}])
    deltas = [ToolCall(0, '{"input":', "call_1", "patch"), ToolCall(0, '"*** Begin"}'), Finish("stop")]

    (made,) = whole(parsed, *deltas)["choices"][0]["message"]["tool_calls"]

    assert made == {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}


def test_freeform_calls_come_whole_in_a_stream() -> None:
    """OpenAI's description of chunks has no such calls, so the referee cannot judge this one."""
    parsed = call(stream=True, tools=[{"type": "custom", "custom": {"name": "patch"}}, tool("look")])
    writer = ChatStream(parsed, Dress())
    deltas = [ToolCall(0, '{"input":', "call_1", "patch"), ToolCall(1, "{}", "call_2", "look"), ToolCall(0, '"x"}')]

    body = writer.write(deltas) + writer.write([Finish("stop")]) + writer.end()

    chunks = [event.json for event in referee.read_sse(body)]
    pieces = [piece for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert {"index": 0, "id": "call_1", "custom": {"name": "patch", "input": "x"}} in pieces
    assert [piece["index"] for piece in pieces] == [1, 0]
    assert finish(chunks) == "tool_calls"


def test_reserved_names_come_back_as_the_clients() -> None:
    chunks = streamed(TOOLED, ToolCall(0, "{}", "a", "search_tool"), renamed={"search_tool": "search"})

    assert calls_of(chunks)[0]["name"] == "search"


def test_several_answers_come_interleaved() -> None:
    parsed = call(stream=True, n=2)

    chunks = streamed(parsed, Text("a", 1), Text("b", 0), Text("c", 1), Finish("stop", 1), Finish("length", 0))

    assert joined(chunks, choice=0) == "b"
    assert joined(chunks, choice=1) == "ac"


@pytest.mark.parametrize("form", [streamed, whole])
def test_nothing_is_said_after_the_end(form: Any) -> None:
    answer = form(TOOLED, Text("Hi"), Finish("stop"), Text("late"), *LOOK, Finish("length"))

    assert "late" not in str(answer)
    assert "look" not in str(answer)


@pytest.mark.parametrize("number", [-1, 1, 99])
@pytest.mark.parametrize("form", [streamed, whole])
def test_choices_that_nobody_asked_for_are_left_out(form: Any, number: int) -> None:
    assert "extra" not in str(form(PLAIN, Text("Hi"), Text("extra", number), Finish("stop", number)))


def test_refusals_are_told() -> None:
    assert joined(streamed(PLAIN, Refusal("I "), Refusal("won't.")), "refusal") == "I won't."
    assert whole(call(), Refusal("I "), Refusal("won't."))["choices"][0]["message"]["refusal"] == "I won't."


TOKEN = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -3}]}


@pytest.mark.parametrize("form", [streamed, whole])
@pytest.mark.parametrize("given", [TOKEN, {"token": "Hi"}, {"bytes": "x", "logprob": None, "top_logprobs": 5}, {}])
def test_log_probabilities_have_every_key(form: Any, given: dict[str, Any]) -> None:
    form(call(stream=True, logprobs=True), Text("Hi", logprobs={"content": [given]}), Finish("stop"))


def test_log_probabilities_of_all_pieces_stand_in_the_object() -> None:
    pieces = [Text("Hi", logprobs={"content": [TOKEN]}), Text("!", logprobs={"content": [TOKEN], "refusal": None})]

    logprobs = whole(call(logprobs=True), *pieces)["choices"][0]["logprobs"]

    assert [token["token"] for token in logprobs["content"]] == ["Hi", "Hi"]
    assert logprobs["refusal"] is None


CITATION = {
    "type": "url_citation",
    "url_citation": {"start_index": 0, "end_index": 2, "url": "https://x", "title": "X"},
}


def test_what_openai_knows_survives() -> None:
    spoken = {"id": "audio_1", "data": "AAAA", "expires_at": 1_790_000_000}
    deltas = [Extra({"annotations": [CITATION], "audio": spoken}), Extra({"audio": {"transcript": "Hi", "data": "BB"}})]

    message = whole(call(), *deltas)["choices"][0]["message"]

    assert message["annotations"] == [CITATION]
    assert message["audio"] == {**spoken, "data": "AAAABB", "transcript": "Hi"}
    assert "audio_1" in str(streamed(PLAIN, *deltas))


@pytest.mark.parametrize("form", [streamed, whole])
@pytest.mark.parametrize(
    "fields",
    [{"telepathy": 1}, {"annotations": "x"}, {"annotations": None}, {"audio": 5}, {"content": "x"}, {"role": "king"}],
)
def test_what_is_no_ones_stays_away(form: Any, fields: dict[str, Any]) -> None:
    answer = form(PLAIN, Extra(fields), Text("Hi"))  # the referee complains about what is not OpenAI's

    assert "king" not in str(answer)


def test_an_object_shows_only_sound_annotations_and_audio() -> None:
    message = whole(call(), Extra({"annotations": [5, {"type": "file"}, CITATION], "audio": {"data": "x"}}))

    assert message["choices"][0]["message"]["annotations"] == [CITATION]
    assert "audio" not in message["choices"][0]["message"]


def test_the_tier_is_echoed() -> None:
    assert whole(call(), Text("Hi"), service_tier="default")["service_tier"] == "default"
    assert streamed(PLAIN, Text("Hi"), service_tier="default")[0]["service_tier"] == "default"


def test_a_failed_stream_ends_with_one_error() -> None:
    writer = ChatStream(COUNTING, Dress())
    body = writer.write([BEGIN, Text("Hi")]) + writer.fail(UpstreamError("It broke off."))

    chunks = [event.json for event in referee.read_sse(body, done=False)]

    assert referee.check_chat_stream(chunks, include_usage=True, failed=True) == []
    assert chunks[-1]["error"]["message"] == "It broke off."


def test_a_failed_object_is_an_error() -> None:
    referee.assert_valid(loads(ChatObject(call(), Dress()).fail(UpstreamError("It broke off."))), "error")


NUMBERS = st.integers(-1, 2)
TEXTS = st.text(max_size=5)
DETAILS = st.dictionaries(
    st.sampled_from(["cached_tokens", "text_tokens", "cache_type", "reasoning_tokens", "cache_creation_input_tokens"]),
    st.integers(0, 9) | st.text(max_size=2) | st.floats(0, 9) | st.booleans(),
)
DELTAS: st.SearchStrategy[Delta] = st.one_of(
    st.just(BEGIN),
    st.builds(
        Text, TEXTS, NUMBERS, st.none() | st.fixed_dictionaries({"content": st.none() | st.just([TOKEN, 5, {}])})
    ),
    st.builds(Thought, TEXTS, NUMBERS),
    st.builds(Refusal, TEXTS, NUMBERS),
    st.builds(
        ToolCall,
        st.integers(-1, 3),
        st.sampled_from(["", " "]),
        st.sampled_from([None, "", "a", "b"]),
        st.sampled_from([None, "", "look", "wait"]),
        NUMBERS,
    ),
    st.builds(
        Extra, st.dictionaries(st.sampled_from(["annotations", "audio", "x"]), st.sampled_from([[], {}, 1])), NUMBERS
    ),
    st.builds(Finish, st.sampled_from(["stop", "length", "tool_calls", "content_filter"]), NUMBERS),
    st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 20), DETAILS, DETAILS, NUMBERS),
    st.builds(Fault, st.just(500), st.just(""), TEXTS),
)
CALLS = st.builds(
    call,
    stream=st.booleans(),
    stream_options=st.sampled_from([{}, {"include_usage": True}]),
    n=st.sampled_from([1, 2]),
    tools=st.just([tool("look"), tool("wait")]),
    parallel_tool_calls=st.sampled_from([None, False]),
    messages=st.just(HELLO),
)
DRESSES = st.fixed_dictionaries({"thinking": st.sampled_from(["reasoning_content", "tags", "hidden"])})


@given(CALLS, st.lists(DELTAS, max_size=25), DRESSES)
def test_any_order_of_deltas_makes_a_valid_answer(parsed: ChatCall, deltas: list[Delta], dress: dict[str, Any]) -> None:
    if parsed.stream:
        streamed(parsed, *deltas, **dress)
    else:
        whole(parsed, *deltas, **dress)


@given(st.lists(DELTAS, max_size=25))
def test_both_forms_say_the_same(deltas: list[Delta]) -> None:
    chunks, answer = streamed(COUNTING, *deltas), whole(COUNTING, *deltas)

    message = answer["choices"][0]["message"]
    assert joined(chunks) == (message["content"] or "")
    assert joined(chunks, "reasoning_content") == message.get("reasoning_content", "")
    assert finish(chunks) == answer["choices"][0]["finish_reason"]
    assert chunks[-1]["usage"] == answer["usage"]
