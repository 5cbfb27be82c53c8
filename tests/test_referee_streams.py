"""The referee's eye for streams: good ones pass, and each broken promise is named."""

import json

import pytest

from tests import referee
from tests.referee import samples
from tests.referee.samples import chunk, numbered, tool_fragment, tool_start


@pytest.fixture(autouse=True)
def uncounted():
    """Wrong streams shown on purpose are no streams of the gateway."""
    with referee.counts.paused():
        yield


def told(complaints, part):
    """Whether one of the complaints says so."""
    return any(part in complaint for complaint in complaints)


@pytest.mark.parametrize("stream", [samples.chat_stream, samples.chat_stream_with_tools])
def test_a_good_chat_stream_passes(stream):
    assert referee.check_chat_stream(stream()) == []
    assert referee.check_chat_stream(stream(), include_usage=False) == []


def test_a_good_chat_stream_with_usage_passes():
    assert referee.check_chat_stream(samples.chat_stream_with_usage()) == []
    assert referee.check_chat_stream(samples.chat_stream_with_usage(), include_usage=True) == []


def test_interleaved_choices_pass():
    parts = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"role": "assistant", "content": ""}, index=1),
        chunk({"content": "a"}, index=1),
        chunk({"content": "b"}),
        chunk({}, "stop"),
        chunk({}, "length", index=1),
    ]
    assert referee.check_chat_stream(parts) == []


def test_a_stream_that_broke_passes_when_that_is_expected():
    broken = [*samples.chat_stream()[:2], samples.error()]
    assert referee.check_chat_stream(broken, failed=True) == []
    assert told(referee.check_chat_stream(broken), "'choices' is missing")
    assert told(referee.check_chat_stream(samples.chat_stream(), failed=True), "must end with an error object")


START, END = chunk({"role": "assistant", "content": ""}), chunk({}, "stop")


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        ([], "no chunks"),
        ([chunk({"content": ""}), END], "no role"),
        ([START, START, END], "role is repeated"),
        ([START], "no finish_reason"),
        ([START, END, END], "speaks after its finish_reason"),
        ([START, chunk({"content": "x"}, "stop"), chunk({"content": "y"})], "speaks after its finish_reason"),
        ([START, chunk({}, "eos")], "not one of"),
        ([START, {**END, "id": "chatcmpl-2"}], "'id' changes"),
        ([START, {**END, "created": 1}], "'created' changes"),
        ([START, {**END, "model": "m"}], "'model' changes"),
        ([START, chunk({"content": None, "refused": "x"}), END], "neither OpenAI's nor a documented extension"),
        ([START, END, chunk({"role": "assistant"}, "stop", index=2)], "not numbered from 0"),
        ([START, END, chunk(None)], "neither choices nor usage"),
        ([START, chunk(tool_fragment(0, "{}")), chunk({}, "tool_calls")], "has no id"),
        ([START, chunk(tool_start(1, "a", "f")), chunk({}, "tool_calls")], "skips a number"),
        ([START, chunk(tool_start(0, "a", "f")), chunk({}, "tool_calls")], "are no JSON"),
        ([START, chunk({}, "tool_calls")], "without a tool call"),
        (
            [START, chunk(tool_start(0, "a", "f")), chunk(tool_fragment(0, "{}", id="a")), chunk({}, "tool_calls")],
            "repeats its id",
        ),
        ([START, chunk(tool_start(0, "a", "f")), chunk(tool_fragment(0, "{}")), END], "although tools are called"),
    ],
)
def test_a_broken_chat_stream_is_caught(stream, complaint):
    assert told(referee.check_chat_stream(stream), complaint)


def test_a_choice_without_the_finish_reason_key_is_caught():
    stream = samples.chat_stream()
    del stream[1]["choices"][0]["finish_reason"]
    assert told(referee.check_chat_stream(stream), "'finish_reason' is missing")


def test_usage_out_of_place_is_caught():
    good = samples.chat_stream_with_usage()
    assert told(referee.check_chat_stream(good, include_usage=False), "was not asked for")
    assert told(referee.check_chat_stream(samples.chat_stream(), include_usage=True), "'usage' is missing")
    assert told(referee.check_chat_stream(good[:-1]), "the usage chunk is missing")
    assert told(referee.check_chat_stream([*good[:-2], good[-1], good[-2]]), "must be the last")
    joined = [*good[:-2], {**good[-2], "usage": samples.USAGE}]
    assert told(referee.check_chat_stream(joined), "usage belongs into a last chunk")


def test_a_good_responses_stream_passes():
    assert referee.check_responses_stream(samples.responses_stream()) == []
    events = referee.read_sse(samples.sse(samples.responses_stream(), names=True, done=False), done=False)
    assert referee.check_responses_stream(events) == []


@pytest.mark.parametrize("code", ["server_error", "context_length_exceeded", "insufficient_quota"])
def test_a_failed_responses_stream_passes(code):
    assert referee.check_responses_stream(samples.failed_responses_stream(code)) == []


def events_but(kind):
    """The good stream without the first event of this type, numbered anew."""
    events = samples.responses_stream()
    place = next(n for n, event in enumerate(events) if event["type"] == f"response.{kind}")
    rest = [{**e, "type": e["type"].removeprefix("response.")} for e in events[:place] + events[place + 1 :]]
    return numbered(rest)


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [
        ("created", "must open with"),
        ("in_progress", "must open with"),
        ("completed", "closed before response.completed"),
        ("output_item.added", "was never added"),
        ("content_part.added", "part 0 was never added"),
        ("output_text.delta", "not what its deltas said"),
        ("output_text.done", "closes before its text is done"),
        ("content_part.done", "was never done"),
        ("output_item.done", "were never done"),
        ("reasoning_summary_part.added", "part 0 was never added"),
        ("reasoning_summary_text.done", "closes before its text is done"),
        ("reasoning_summary_part.done", "was never done"),
        ("function_call_arguments.delta", "not what its deltas said"),
        ("function_call_arguments.done", "arguments was never done"),
    ],
)
def test_a_missing_event_is_caught(missing, complaint):
    assert told(referee.check_responses_stream(events_but(missing)), complaint)


@pytest.mark.parametrize(
    ("kind", "path", "value", "complaint"),
    [
        ("created", ("sequence_number",), 1, "sequence_number is 1"),
        ("created", ("response", "status"), "completed", "status is"),
        ("in_progress", ("response", "id"), "resp_2", "response.id changes"),
        ("in_progress", ("response", "output"), [samples.message_item()], "output is not empty yet"),
        ("output_text.delta", ("item_id",), "msg_2", "the id it was added with"),
        ("output_text.delta", ("logprobs",), None, "null is not allowed"),
        ("output_text.done", ("text",), "Hi", "not what its deltas said"),
        ("content_part.done", ("part", "text"), "Hi", "not what its deltas said"),
        ("function_call_arguments.done", ("arguments",), "{}", "not what its deltas said"),
        ("function_call_arguments.done", ("name",), "wait", "the call is named 'look'"),
        ("completed", ("response", "output"), [], "not what the output_item.done events said"),
        ("completed", ("response", "usage"), None, "usage is missing"),
    ],
)
def test_a_spoiled_event_is_caught(kind, path, value, complaint):
    events = samples.responses_stream()
    inner = next(event for event in events if event["type"] == f"response.{kind}")
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert told(referee.check_responses_stream(events), complaint)


def test_an_event_with_another_name_is_caught():
    events = referee.read_sse(samples.sse(samples.responses_stream(), names=True, done=False), done=False)
    events[3].name = "message"
    assert told(referee.check_responses_stream(events), "named 'message'")


def test_a_failure_without_its_error_is_caught():
    events = samples.failed_responses_stream()
    events[-1]["response"]["error"] = None
    assert told(referee.check_responses_stream(events), "error is missing")


def test_the_reader_gives_payloads_names_and_comments():
    stream = b': wait\n\n: still\nevent: a\ndata: {"n":\ndata: 1}\n\ndata: [DONE]\n\n'
    [event] = referee.read_sse(stream)
    assert (event.name, event.json, event.comments) == ("a", {"n": 1}, ["still"])


def test_the_reader_accepts_both_line_ends():
    stream = samples.sse(samples.chat_stream())
    assert [e.json for e in referee.read_sse(stream.replace(b"\n", b"\r\n"))] == samples.chat_stream()


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        (b"data: 1\n\n", r"\[DONE\] is missing"),
        (b"data: [DONE]\n\ndata: 1\n\n", r"data after \[DONE\]"),
        (b"data: [DONE]\n\ndata: [DONE]\n\n", r"data after \[DONE\]"),
        (b"data: 1\n", "not ended by a blank line"),
        (b'{"error": 1}\n\n', "no field of an event"),
        (b"data: {\n\n", "no JSON"),
        (b"event: a\n\n", "without data"),
        (b"data: \xc3\n\n", "not UTF-8"),
        (b"data: 1\rdata: 2\n\n", "bare carriage return"),
    ],
)
def test_the_reader_forgives_nothing(stream, complaint):
    with pytest.raises(referee.SseError, match=complaint):
        referee.read_sse(stream)


def test_the_reader_knows_streams_that_end_without_done():
    stream = samples.sse([samples.error()], done=False)
    assert json.dumps([e.json for e in referee.read_sse(stream, done=False)]) == json.dumps([samples.error()])
    with pytest.raises(referee.SseError, match="must end without it"):
        referee.read_sse(samples.sse([samples.error()]), done=False)
