"""Upstream bytes into deltas: whole, byte by byte, cut within a letter, cut anywhere; nothing ever raises."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import CONTENT, Delta, Fault, Finish, Text, Thought
from qwen_gateway.codec.json import loads
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_stream import ChatStream as Writer
from qwen_gateway.upstreams.decoders import ChatAnswer, ChatBody, ChatStream
from tests import referee
from tests.openai.asking import call, tool
from tests.upstreams.services import CUTS, answer, decoded, random_cuts

PLAIN = call(stream=True, tools=[tool("get_weather")])


def message(deltas: list[Delta]) -> Any:
    """The final message that these deltas make, judged; ids that we mint left out."""
    writer = ChatObject(PLAIN, Dress(id="chatcmpl-1", created=1))
    writer.write(deltas)
    result = loads(writer.end())
    referee.assert_valid(result, "chat.completion")
    for made in result["choices"][0]["message"].get("tool_calls", ()):
        made.pop("id")
    return result, [delta for delta in deltas if isinstance(delta, Fault)]


SAYING = ["ok", "no-done", "no-finish", "comments", "unknown-events", "crlf", "usage-in-finish", "usage-null",
          "thought-field", "no-space", "error-event-late", "content-filter-in-stream", "drop-after", "drop-mid-json",
          "drop-mid-utf8", "empty-stream", "only-done", "no-content", "invalid-json-chunk", "error-in-200",
          "error-in-200-json", "finish;reason=length"]  # fmt: skip
CALLING = ["ok", "repeated-ids", "omitted-ids", "whole-tool-call", "invalid-arguments"]
FACES = ["dashscope", "vllm", "ollama", "openrouter"]
BODIES = [
    *((fault, "dashscope", stream, False) for fault in SAYING for stream in (True, False)),
    *((fault, "dashscope", stream, True) for fault in CALLING for stream in (True, False)),
    *(("ok", face, stream, tools) for face in FACES for stream in (True, False) for tools in (True, False)),
]


@pytest.mark.parametrize(("fault", "face", "stream", "tools"), BODIES)
def test_the_message_does_not_depend_on_the_cuts(fault: str, face: str, stream: bool, tools: bool) -> None:
    _, body = answer(fault, face, stream=stream, tools=tools)

    first, *others = [message(decoded(cut(body))) for cut in CUTS]

    assert all(other == first for other in others)


@given(st.data())
def test_random_cuts_give_the_same_message(data: st.DataObject) -> None:
    fault, face, stream, tools = data.draw(st.sampled_from(BODIES))
    _, body = answer(fault, face, stream=stream, tools=tools)

    pieces = data.draw(random_cuts(body))

    assert message(decoded(pieces)) == message(decoded([body]))


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("stream", [True, False])
def test_every_host_is_understood(face: str, stream: bool) -> None:
    result, faults = message(decoded([answer(face=face, stream=stream)[1]]))

    assert faults == []
    assert "你好 🌞" in result["choices"][0]["message"]["content"]
    assert result["choices"][0]["finish_reason"] == "stop"
    assert result["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ["ok", "repeated-ids", "omitted-ids", "whole-tool-call"])
def test_every_hosts_tool_calls_are_understood(face: str, stream: bool, fault: str) -> None:
    result, _ = message(decoded([answer(fault, face, stream=stream, tools=True)[1]]))

    (made,) = result["choices"][0]["message"]["tool_calls"]
    assert made["function"]["name"] == "get_weather"
    assert "city" in loads(made["function"]["arguments"])
    assert result["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    ("fault", "origin"),
    [
        ("drop-after", "cut"),
        ("drop-before-done", None),
        ("no-done", None),
        ("no-finish", None),
        ("only-done", "empty"),
        ("empty-stream", "empty"),
        ("invalid-json-chunk", "body"),
        ("error-event-late", "stream"),
        ("error-in-200", "stream"),
        ("error-in-200-json", "stream"),
    ],
)
def test_an_answer_that_broke_off_is_never_a_short_success(cut: Any, fault: str, origin: str | None) -> None:
    deltas = decoded(cut(answer(fault)[1]))

    faults = [delta for delta in deltas if isinstance(delta, Fault)]
    assert [fault.origin for fault in faults] == ([origin] if origin else [])
    assert faults == [] or deltas[-1] is faults[0]


def test_the_status_hidden_in_a_stream_is_found() -> None:
    (fault,) = decoded([answer("error-in-200")[1]])

    assert isinstance(fault, Fault)
    assert (fault.status, fault.code) == (429, "Throttling.AllocationQuota")
    assert fault.request_id


@pytest.mark.parametrize(
    "data",
    [
        b'event: error\ndata: {"request_id":"r"}\n\n',
        b'event: error\ndata: "gone"\n\n',
        b"event: error\ndata: gone\n\n",
        b':HTTP_STATUS/503\ndata: {"odd":1}\n\n',
    ],
)
def test_an_error_event_of_unknown_form_is_a_fault(data: bytes) -> None:
    (fault,) = decoded([b": hello\n\n" + data])

    assert isinstance(fault, Fault)
    assert fault.message


def test_a_status_of_success_says_nothing() -> None:
    """upstream.md 4.11: the Responses face sends :HTTP_STATUS/200 with every event."""
    body = b':HTTP_STATUS/200\ndata: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'

    assert not any(isinstance(delta, Fault) for delta in decoded([body + b"data: [DONE]\n\n"]))


def test_nothing_is_read_after_the_end() -> None:
    decoder = ChatAnswer()
    decoder.feed(answer()[1])

    assert decoder.done
    assert decoder.feed(b'data: {"choices":[{"delta":{"content":"late"}}]}\n\n') == []
    assert decoder.close() == []


@pytest.mark.parametrize("body", [b"", b" \n", b"{", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[null]}', b"<html>",
                                  b"null", b"5", b"\xff\xfe", b'{"choices":{}}', b"Internal Server Error"])  # fmt: skip
@pytest.mark.parametrize("kind", [ChatAnswer, ChatBody, ChatStream])
def test_what_is_no_answer_is_one_fault(kind: Any, body: bytes) -> None:
    deltas = decoded([body], kind())

    assert sum(isinstance(delta, Fault) for delta in deltas) == 1
    assert not any(isinstance(delta, CONTENT) for delta in deltas)


def test_a_stream_in_spite_of_the_question_is_read() -> None:
    result, faults = message(decoded([answer()[1]], ChatBody()))

    assert faults == []
    assert "你好" in result["choices"][0]["message"]["content"]


def test_a_byte_order_mark_does_not_matter() -> None:
    _, faults = message(decoded([b"\xef\xbb\xbf" + answer(stream=False)[1]]))

    assert faults == []


def test_an_answer_without_end_is_refused() -> None:
    decoder = ChatBody(limit=1_000)

    faults = [delta for _ in range(20) for delta in decoder.feed(b"{" + b" " * 99)]

    assert [fault.origin for fault in faults if isinstance(fault, Fault)] == ["body"]
    assert decoder.close() == []


def test_a_finish_is_made_up_only_when_the_end_was_told() -> None:
    opening = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'

    assert decoded([opening + b"data: [DONE] \n\n"])[1:] == [Text("Hi"), Finish("stop")]
    assert isinstance(decoded([opening])[-1], Fault)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "Hi", "stop", "call_1", "{}", "{", "look"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["content", "role", "tool_calls", "function", "name", "arguments", "id", "index", "reasoning", "text",
                 "logprobs", "token", "top_logprobs", "function_call", "refusal", "audio", "annotations", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)  # fmt: skip
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(
            st.fixed_dictionaries(
                {}, optional={"index": VALUES, "delta": VALUES, "finish_reason": VALUES, "logprobs": VALUES}
            )
            | VALUES,
            max_size=3,
        )
        | VALUES,
        "usage": st.dictionaries(
            st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"]), VALUES
        )
        | VALUES,
        "error": VALUES,
        "id": VALUES,
        "created": VALUES,
        "code": VALUES,
        "message": VALUES,
    },
)


@settings(max_examples=60)
@given(st.lists(CHUNKS, max_size=4), st.booleans())
def test_odd_chunks_never_raise_and_never_make_an_invalid_answer(chunks: list[Any], stream: bool) -> None:
    from qwen_gateway.codec.json import dumps

    events = b"".join(b"data: %b\n\n" % dumps(chunk) for chunk in chunks)
    deltas = decoded([events + b"data: [DONE]\n\n"], ChatStream()) if stream else decoded([events[6:]], ChatBody())

    message([delta for delta in deltas if not isinstance(delta, Fault)])
    writer = Writer(PLAIN, Dress())
    body = b"".join(writer.write([delta]) for delta in deltas) + writer.end()
    for event in referee.read_sse(body):
        referee.assert_valid(event.json, "chat.completion.chunk")


@given(st.lists(st.binary(max_size=80), max_size=10), st.sampled_from([ChatAnswer, ChatStream, ChatBody]))
def test_no_bytes_make_a_decoder_raise(pieces: list[bytes], kind: Any) -> None:
    decoded(pieces, kind())


@given(st.data())
def test_a_damaged_answer_never_makes_a_decoder_raise(data: st.DataObject) -> None:
    body = bytearray(answer(tools=data.draw(st.booleans()))[1])
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=8)):
        body[place] = data.draw(st.integers(0, 255))

    deltas = decoded([bytes(body)])

    assert deltas
    message(deltas)


def test_thoughts_come_before_the_text() -> None:
    deltas = [delta for delta in decoded([answer()[1]]) if isinstance(delta, Text | Thought)]

    assert isinstance(deltas[0], Thought)
    assert isinstance(deltas[-1], Text)
