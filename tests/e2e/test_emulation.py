"""What clients rely on holds, whatever the upstream does: structured answers, required and strict tools."""

import json
from typing import Any

import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import WEATHER, ask, error, events, notices, openai, text
from tests.e2e.mitm import Mitm

SCHEMA = WEATHER["function"]["parameters"]
STRICT = {"type": "function", "function": {**WEATHER["function"], "strict": True}}
OTHER = {"type": "function", "function": {"name": "wait", "parameters": {"type": "object", "properties": {}}}}


def form(*, strict: bool = True) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": strict}}


def says(words: str) -> dict[str, Any]:
    return {"fault": "says", "params": {"text": words}}


def calls(arguments: str) -> dict[str, Any]:
    return {"fault": "calls", "params": {"name": "get_weather", "arguments": arguments}}


def arguments(answer: Any) -> str:
    """The arguments of the one tool call."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        deltas = [choice["delta"] for event in events(answer) for choice in event.get("choices", ())]
        return "".join(call["function"]["arguments"] for delta in deltas for call in delta.get("tool_calls", ()))
    [call] = answer.json()["choices"][0]["message"]["tool_calls"]
    return str(call["function"]["arguments"])


GOOD = '{"city": "Hamburg", "days": 2}'


@pytest.mark.parametrize("stream", [False, True])
def test_a_structured_answer_is_asked_for_again_until_it_conforms(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    sim.script([says('{"town": "Hamburg"}'), says(f"```json\n{GOOD}\n```")])
    answer = ask(gateway, response_format=form(), stream=stream)

    assert json.loads(text(answer)) == json.loads(GOOD)
    assert len(sim.log) == 2
    assert sim.log[1].json["messages"][-2] == {"role": "assistant", "content": '{"town": "Hamburg"}'}
    assert "emulated=response_format" in notices(answer)


@pytest.mark.parametrize("stream", [False, True])
def test_a_structured_answer_that_never_conforms_is_an_error(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    sim.script([says("no"), says("no")])
    answer = ask(gateway, model="qwen3-coder-plus", response_format=form(), stream=stream)

    assert answer.status_code == 502
    assert error(answer)["code"] == "upstream_unmet"
    assert len(sim.log) == 2


async def test_both_answers_are_paid_for(gateway: Mitm, sim: Simulator) -> None:
    once = ask(gateway, response_format=form()).json()["usage"]["prompt_tokens"]
    sim.script([says("no"), says(GOOD)])
    twice = ask(gateway, response_format=form()).json()["usage"]["prompt_tokens"]

    assert twice > 2 * once


@pytest.mark.parametrize("stream", [False, True])
def test_a_required_tool_is_asked_for_again(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    sim.script([says("I would rather talk."), "ok"])
    answer = ask(gateway, model="qwen-max", tools=[WEATHER, OTHER], tool_choice="required", stream=stream)

    assert text(answer) in ("", "None")
    assert len(sim.log) == 2
    assert "emulated=tool_choice" in notices(answer)


def test_a_model_that_will_not_call_is_told_of(gateway: Mitm, sim: Simulator) -> None:
    sim.script([says("No."), says("Never.")])
    answer = ask(gateway, model="qwen-max", tools=[WEATHER, OTHER], tool_choice="required")

    assert text(answer) == "Never."
    assert "dropped=tool_choice" in notices(answer)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("sent", ['{"city": "Hamburg", "days": 2', "{'city': 'Hamburg', 'days': 2,}", f"```{GOOD}```"])
def test_arguments_are_mended(gateway: Mitm, sim: Simulator, sent: str, stream: bool) -> None:
    sim.script([calls(sent)])
    answer = ask(gateway, tools=[WEATHER], stream=stream)

    assert json.loads(arguments(answer)) == json.loads(GOOD)
    assert len(sim.log) == 1


def test_a_stream_of_broken_arguments_ends_in_an_error(gateway: Mitm, sim: Simulator) -> None:
    sim.script([calls('{"city": @@@}')])
    answer = ask(gateway, tools=[WEATHER], stream=True)

    assert b'"code":"upstream_unmet"' in answer.content
    assert b"[DONE]" not in answer.content


@pytest.mark.parametrize("stream", [False, True])
def test_strict_arguments_are_asked_for_again(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    sim.script([calls('{"city": "Hamburg", "days": "two"}'), calls(GOOD)])
    answer = ask(gateway, tools=[STRICT], stream=stream)

    assert json.loads(arguments(answer)) == json.loads(GOOD)
    assert "'two' is not of type 'integer'" in sim.log[1].json["messages"][-1]["content"]


async def test_a_response_gets_the_same_care(gateway: Mitm, sim: Simulator) -> None:
    sim.script([says("no"), says(GOOD)])
    async with openai(gateway) as client:
        answer = await client.responses.create(
            model="qwen3.7-plus",
            input="Weather?",
            text={"format": {"type": "json_schema", "name": "x", "schema": SCHEMA, "strict": True}},
        )
    assert json.loads(answer.output_text) == json.loads(GOOD)
