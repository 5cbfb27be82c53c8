"""What a client relies on is so, is asked for again, or ends in an error."""

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Begin, Delta, Extra, Finish, Text, Thought, ToolCall, Unmet, Usage
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.guard import Guard
from qwen_gateway.upstreams.wants import wants_of
from tests.openai.asking import call
from tests.upstreams.test_arguments import BROKEN, MENDED

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
STRICT = {"type": "function", "function": {"name": "look", "parameters": SCHEMA, "strict": True}}
OTHER = {"type": "function", "function": {"name": "wait", "parameters": {"type": "object"}}}
PATCH = {"type": "custom", "custom": {"name": "patch"}}


def form(*, strict: bool = True, schema: Any = None) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema or SCHEMA, "strict": strict}}


def guard(*, host: str = "dashscope", final: bool = False, spent: Usage | None = None, **fields: Any) -> Guard:
    asked = call(**fields)
    wants = wants_of(asked, flavour(host))
    assert wants is not None
    return Guard(wants, {}, stream=asked.stream, final=final, spent=spent)


def run(watch: Guard, deltas: Iterable[Delta]) -> list[Delta]:
    """What comes out, each delta fed by itself."""
    out = [found for delta in deltas for found in watch.feed([delta])]
    return out + watch.close()


def said(deltas: Iterable[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Text))


def called(deltas: Iterable[Delta]) -> list[tuple[str | None, str]]:
    """Name and arguments of each call, as a writer puts them together."""
    calls: dict[int, list[Any]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCall):
            found = calls.setdefault(delta.index, [None, ""])
            found[0] = found[0] or delta.name
            found[1] += delta.arguments
    return [(name, arguments) for name, arguments in calls.values()]


def unmet(deltas: list[Delta]) -> Unmet:
    assert isinstance(deltas[-1], Unmet)
    assert not any(isinstance(delta, Finish) for delta in deltas)
    return deltas[-1]


def pieces(arguments: str, chance: random.Random, name: str = "look") -> list[Delta]:
    """A call of a tool, in random pieces."""
    places = sorted(chance.choices(range(len(arguments) + 1), k=chance.randint(0, 8)))
    cuts = [arguments[a:b] for a, b in zip([0, *places], [*places, len(arguments)], strict=True)]
    return [ToolCall(0, "", "call_1", name), *(ToolCall(0, cut) for cut in cuts), Finish("tool_calls")]


def test_nothing_to_look_after_needs_no_guard() -> None:
    assert wants_of(call(), flavour("dashscope")) is None
    assert wants_of(call(response_format={"type": "json_object"}), flavour("dashscope")) is None
    assert wants_of(call(response_format=form()), flavour("vllm")) is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("text", "value"), MENDED)
def test_the_corpus_reaches_the_client_as_json(text: str, value: Any, stream: bool) -> None:
    chance = random.Random(text)
    for _ in range(10):
        out = run(guard(tools=[TOOL], stream=stream), pieces(text, chance))
        [(name, arguments)] = called(out)
        assert (name, json.loads(arguments)) == ("look", value)
        assert isinstance(out[-1], Finish)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", BROKEN)
def test_the_broken_corpus_never_looks_finished(text: str, stream: bool) -> None:
    chance = random.Random(text)
    for _ in range(10):
        out = run(guard(tools=[TOOL], stream=stream), pieces(text, chance))
        if not isinstance(out[-1], Unmet):  # held and read as a whole, some of it makes sense after all
            assert not stream
            assert isinstance(json.loads(called(out)[0][1]), dict)


def test_sound_arguments_stream_as_they_come() -> None:
    watch = guard(tools=[TOOL], stream=True)
    assert called(watch.feed([ToolCall(0, '{"city": "Ha', "c", "look")])) == [("look", '{"city": "Ha')]
    assert called(watch.feed([ToolCall(0, "mburg")])) == [(None, "mburg")]


def test_strict_arguments_are_shown_when_they_conform() -> None:
    watch = guard(tools=[STRICT], stream=True)
    assert watch.feed([ToolCall(0, '{"city": "Hamburg"}', "c", "look")]) == []
    assert called(watch.feed([Finish("tool_calls")])) == [("look", '{"city": "Hamburg"}')]


@pytest.mark.parametrize("arguments", ['{"town": "Hamburg"}', '{"city": 1}', "{}", "[", '{"city": "x", "more": 1}'])
def test_strict_arguments_that_do_not_conform_are_asked_for_again(arguments: str) -> None:
    wrong = unmet(
        run(
            guard(tools=[STRICT], stream=True),
            [Begin(), Thought("hm"), ToolCall(0, arguments, "c", "look"), Finish("tool_calls"), Usage(5, 2, 7)],
        )
    )
    assert wrong.added[-1]["role"] == "user"
    assert "`look`" in wrong.added[-1]["content"]
    assert wrong.spent == Usage(5, 2, 7)


def test_the_second_time_it_is_an_error() -> None:
    wrong = unmet(run(guard(tools=[STRICT], final=True), [ToolCall(0, "{}", "c", "look"), Finish("stop")]))
    assert wrong.added == ()
    assert "city" in wrong.message


def test_what_was_shown_is_not_taken_back() -> None:
    wrong = unmet(
        run(guard(tools=[STRICT], stream=True), [Text("Well"), ToolCall(0, "{}", "c", "look"), Finish("stop")])
    )
    assert wrong.added == ()


def test_arguments_that_were_cut_off_by_the_limit_stay_so() -> None:
    for tools in ([TOOL], [STRICT]):
        out = run(guard(tools=tools, stream=True), [ToolCall(0, '{"city": "Ham', "c", "look"), Finish("length")])
        assert called(out) == [("look", '{"city": "Ham')]
        assert out[-1] == Finish("length")


def test_a_freeform_tool_may_get_its_text_bare() -> None:
    out = run(guard(tools=[PATCH], stream=True), [ToolCall(0, "*** Begin", "c", "patch"), Finish("tool_calls")])
    assert called(out) == [("patch", '{"input":"*** Begin"}')]


def test_only_the_first_call_is_looked_at_when_only_one_is_wanted() -> None:
    out = run(
        guard(tools=[TOOL], stream=True, parallel_tool_calls=False),
        [ToolCall(0, "{}", "a", "look"), ToolCall(1, "nonsense", "b", "look"), Finish("tool_calls")],
    )
    assert called(out) == [("look", "{}")]
    assert isinstance(out[-1], Finish)


@pytest.mark.parametrize("stream", [False, True])
def test_a_required_tool_that_is_not_called_is_asked_for_again(stream: bool) -> None:
    watch = guard(tools=[TOOL, OTHER], tool_choice="required", stream=stream)
    assert watch.feed([Text("I would rather talk.")]) == []
    wrong = unmet(run(watch, [Finish("stop")]))
    assert wrong.added[0] == {"role": "assistant", "content": "I would rather talk."}
    assert "`look`, `wait`" in wrong.added[1]["content"]


def test_still_not_called_it_is_said() -> None:
    watch = guard(tools=[TOOL, OTHER], tool_choice="required", final=True)
    out = run(watch, [Text("No."), Finish("stop")])
    assert said(out) == "No."
    assert [str(notice) for notice in watch.notices] == [
        "dropped tool_choice: one of the tools was to be called, and was not"
    ]


def test_another_tool_is_not_the_named_one() -> None:
    choice = {"type": "function", "function": {"name": "wait"}}
    wrong = unmet(
        run(guard(tools=[TOOL, OTHER], tool_choice=choice), [ToolCall(0, "{}", "c", "look"), Finish("tool_calls")])
    )
    assert "`wait`" in wrong.added[-1]["content"]


def test_text_before_a_required_call_comes_with_it() -> None:
    watch = guard(tools=[TOOL], tool_choice="required", stream=True)
    out = run(watch, [Text("Let me look."), ToolCall(0, "{}", "c", "look"), Finish("tool_calls")])
    assert said(out) == "Let me look."
    assert called(out) == [("look", "{}")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "text", ['{"city": "Hamburg"}', '```json\n{"city": "Hamburg"}\n```', "{'city': 'Hamburg'}", '{"city": "Hamburg",}']
)
def test_a_structured_answer_conforms(text: str, stream: bool) -> None:
    out = run(guard(response_format=form(), stream=stream), [*(Text(letter) for letter in text), Finish("stop")])
    assert json.loads(said(out)) == {"city": "Hamburg"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ['{"town": "Hamburg"}', "I cannot.", "", '{"city": 1}'])
def test_a_structured_answer_that_does_not_is_asked_for_again_and_then_an_error(text: str, stream: bool) -> None:
    assert unmet(run(guard(response_format=form(), stream=stream), [Text(text), Finish("stop")])).added
    final = guard(response_format=form(), stream=stream, final=True)
    assert not unmet(run(final, [Text(text), Finish("stop")])).added


def test_a_schema_that_is_not_strict_streams_and_tells() -> None:
    watch = guard(response_format=form(strict=False), stream=True)
    assert said(watch.feed([Text("I ")])) == "I "
    out = run(watch, [Text("cannot."), Finish("stop")])
    assert isinstance(out[-1], Finish)
    assert "dropped response_format" in str(watch.notices[0])


def test_a_tool_call_is_no_structured_answer() -> None:
    out = run(guard(response_format=form(), tools=[TOOL]), [ToolCall(0, "{}", "c", "look"), Finish("tool_calls")])
    assert called(out) == [("look", "{}")]


def test_a_schema_that_is_none_is_not_held_against_anyone() -> None:
    for schema in ({"type": "nonsense"}, {"$ref": "http://127.0.0.1:9/x"}, {"pattern": "("}):
        out = run(guard(response_format=form(schema=schema)), [Text('{"a": 1}'), Finish("stop")])
        assert isinstance(out[-1], Finish)


def test_what_the_first_answer_cost_is_counted_with_the_second() -> None:
    out = run(guard(tools=[TOOL], final=True, spent=Usage(5, 2, 7)), [Text("a"), Finish("stop"), Usage(6, 1, 7)])
    assert out[-1] == Usage(11, 3, 14)
    quiet = run(guard(tools=[TOOL], final=True, spent=Usage(5, 2, 7)), [Text("a"), Finish("stop")])
    assert quiet[-1] == Usage(5, 2, 7)


def test_the_rest_goes_through() -> None:
    deltas: list[Delta] = [Begin("id"), Thought("hm"), Extra({"annotations": []}), Text("a"), Finish("stop")]
    assert run(guard(tools=[TOOL], stream=True), deltas) == deltas
