"""Every surface works over a browser session of chat.qwen.ai, and it stands beside accounts of other kinds."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from qwen_auth.web.session import Session, moment_of, parse_cookies
from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, WEATHER, ask, error, openai, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until
from tests.e2e.test_web_chat import add_session, browser_session, turns
from tests.e2e.test_web_conversations import message


@pytest.fixture(scope="module")
def shared_surfaces(starter: Starter, upstream: Simulator) -> Mitm:
    gateway = starter("web-surfaces")
    add_session(gateway, "me", browser_session(upstream, "gina", life=86_400), upstream.url("web"))
    return gateway.start()


@pytest.fixture
def web(shared_surfaces: Mitm, sim: Simulator) -> Iterator[Mitm]:
    sim.web.reset()
    yield shared_surfaces
    assert shared_surfaces.troubles() == []


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_with_thoughts(web: Mitm, sim: Simulator, stream: bool) -> None:
    sim.web.say("Hello there.", thoughts="Weigh it. Then say it.")
    async with openai(web) as client:
        answer: Any = await client.responses.create(model="qwen3.7-plus", input="Say hi", stream=stream)
        if stream:
            seen = [event async for event in answer]
            answer = seen[-1].response

    assert answer.status == "completed"
    assert answer.output_text == "Hello there."
    assert answer.usage.total_tokens > 0


async def test_a_response_goes_on_from_the_one_before_it(web: Mitm, sim: Simulator) -> None:
    async with openai(web) as client:
        first = await client.responses.create(model="qwen3.7-plus", input="My name is Alice")
        await client.responses.create(model="qwen3.7-plus", input="Who am I?", previous_response_id=first.id)

    one, two = turns(sim)
    assert message(two)["content"] == "Who am I?"
    assert two.json["chat_id"] == one.json["chat_id"]


@pytest.mark.parametrize("stream", [False, True])
async def test_completions(web: Mitm, sim: Simulator, stream: bool) -> None:
    sim.web.say("there was a king.", thoughts="")
    async with openai(web) as client:
        answer: Any = await client.completions.create(model="qwen3.7-plus", prompt="Once upon a time", stream=stream)
        text = "".join([chunk.choices[0].text async for chunk in answer]) if stream else answer.choices[0].text

    assert text == "there was a king."


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_s_result_goes_on_in_the_chat(web: Mitm, sim: Simulator, stream: bool) -> None:
    call = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo", "days": 2}}\n</tool_call>'
    sim.web.say(["Let me see.\n", call[:9], call[9:30], call[30:]], thoughts="")
    conversation: list[Any] = [{"role": "user", "content": "How is the weather in Oslo?"}]
    async with openai(web) as client:
        if stream:
            async with client.chat.completions.stream(
                model="qwen3.7-plus", messages=conversation, tools=[WEATHER]
            ) as events:
                first: Any = await events.get_final_completion()
        else:
            first = await client.chat.completions.create(model="qwen3.7-plus", messages=conversation, tools=[WEATHER])
        said = first.choices[0].message
        (made,) = said.tool_calls
        conversation += [
            said.model_dump(exclude_none=True, exclude={"parsed"}),
            {"role": "tool", "tool_call_id": made.id, "content": "It rains."},
        ]
        for each in conversation[1].get("tool_calls", ()):
            each["function"].pop("parsed_arguments", None)
        await client.chat.completions.create(model="qwen3.7-plus", messages=conversation, tools=[WEATHER])

    assert made.function.name == "get_weather"
    assert first.choices[0].finish_reason == "tool_calls"
    one, two = turns(sim)
    assert "get_weather" in message(one)["content"]
    assert two.json["chat_id"] == one.json["chat_id"]
    assert "It rains." in message(two)["content"]
    assert "How is the weather" not in message(two)["content"]


def test_a_challenge_fails_over_to_an_account_with_a_key(starter: Starter, sim: Simulator) -> None:
    options = {"qwen_strategy": "fill-first", "qwen_default_account": "me"}
    gateway = starter("web-and-key", environ=one_account(sim), options=options)
    add_session(gateway, "me", browser_session(sim, "hans", life=86_400), sim.url("web"))
    sim.web.mood.challenge = "html"
    try:
        with gateway:
            answer = ask(gateway, model="qwen3.7-plus", messages=HI)
    finally:
        sim.web.mood.challenge = ""

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-account"] == "qwen"


def test_a_session_is_renewed_while_it_is_used_before_it_expires(starter: Starter, sim: Simulator) -> None:
    gateway = starter("web-renewing")
    add_session(gateway, "me", browser_session(sim, "ida", life=12.0), sim.url("web"))
    ida = sim.web.visitors.user("ida")

    def asked() -> bool:
        assert ask(gateway, model="qwen3.7-plus", messages=HI).status_code == 200
        return ida.renewals == 1

    with gateway:
        wait_until(asked, 20, "the session was not renewed")
        wait_until(lambda: life(gateway) > 12, 10, "the new token did not reach the file")


def life(gateway: Mitm) -> float:
    token = Session(cookies=kept(gateway)).jwt
    return (moment_of(token, "exp") or 0.0) - (moment_of(token, "iat") or 0.0)


def kept(gateway: Mitm) -> Any:
    return parse_cookies(json.loads((gateway.home / "web" / "me.json").read_text())["cookies"])


def test_a_session_that_has_expired_needs_its_owner(starter: Starter, sim: Simulator) -> None:
    gateway = starter("web-expired")
    add_session(gateway, "me", browser_session(sim, "jane", life=-5.0), sim.url("web"))
    with gateway:
        answer = ask(gateway, model="qwen3.7-plus", messages=HI)

    assert (answer.status_code, error(answer)["code"]) == (503, "upstream_auth")
    assert "qwen-auth add me --web --from-curl --replace" in error(answer)["message"]
    assert turns(sim) == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_structured_answer_is_asked_for_again_here_as_well(web: Mitm, sim: Simulator, stream: bool) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    sim.web.say("I would rather not.", thoughts="")
    sim.web.say('```json\n{"city": "Oslo"}\n```', thoughts="")
    answer = ask(web, response_format=form, stream=stream)

    assert json.loads(text(answer)) == {"city": "Oslo"}
    assert len(turns(sim)) == 2
