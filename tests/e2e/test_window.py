"""Calls that no model has room for are refused before they are sent, or trimmed when that is wanted."""

from collections.abc import Iterator
from typing import Any

import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, error, http, notices, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm

SMALL = "Qwen/Qwen3-32B"  # 40,960 tokens, by the host's own list


@pytest.fixture(scope="module")
def own(starter: Starter, upstream: Simulator) -> Iterator[Mitm]:
    gateway = starter("window")
    gateway.add_account("own", "sk-own", upstream.url("vllm"), plan="vllm")
    with gateway:
        yield gateway


def talk(turns: int, words: int = 4_000) -> list[dict[str, Any]]:
    """A conversation of so many questions and answers."""
    said = [{"role": "system", "content": "Be brief."}]
    for number in range(turns):
        said.append({"role": "user", "content": f"Question {number} " + "word " * words})
        said.append({"role": "assistant", "content": f"Answer {number}"})
    return [*said, {"role": "user", "content": "Say hi"}]


def posts(sim: Simulator) -> list[Any]:
    return [received for received in sim.log if received.method == "POST"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_far_too_long_is_refused_with_the_numbers(own: Mitm, sim: Simulator, stream: bool) -> None:
    answer = ask(own, model=SMALL, messages=talk(20), stream=stream)

    assert answer.status_code == 400
    assert error(answer)["code"] == "context_length_exceeded"
    assert "maximum context length is 40960 tokens" in error(answer)["message"]
    assert posts(sim) == []


def test_trimming_keeps_the_system_message_and_the_last_question(own: Mitm, sim: Simulator) -> None:
    answer = ask(own, model=SMALL, messages=talk(20), truncation="auto")

    assert answer.status_code == 200, answer.text
    sent = posts(sim)[-1].json["messages"]
    assert sent[0]["content"] == "Be brief."
    assert sent[-1]["content"] == "Say hi"
    assert 3 < len(sent) < 41
    assert "emulated=truncation" in notices(answer)
    assert "messages left out" in own.flow(answer.headers["x-request-id"]).comment


async def test_a_response_is_trimmed_likewise(own: Mitm, sim: Simulator) -> None:
    async with openai(own) as client:
        answer = await client.responses.create(model=SMALL, input=talk(20), truncation="auto", store=False)  # type: ignore[arg-type]
    assert answer.status == "completed"
    assert len(posts(sim)[-1].json["messages"]) < 41


def test_one_message_that_is_too_long_cannot_be_trimmed(own: Mitm, sim: Simulator) -> None:
    messages = [{"role": "user", "content": "word " * 80_000}]
    answer = ask(own, model=SMALL, messages=messages, truncation="auto")

    assert answer.status_code == 400
    assert error(answer)["code"] == "context_length_exceeded"
    assert posts(sim) == []


def test_a_prompt_and_an_input_are_named_as_the_client_knows_them(own: Mitm, sim: Simulator) -> None:
    words = "word " * 80_000
    with http(own) as client:
        completion = client.post("/v1/completions", json={"model": SMALL, "prompt": ["short", words]})
        response = client.post("/v1/responses", json={"model": SMALL, "input": words})

    assert error(completion)["param"] == "prompt"
    assert error(response)["param"] == "input"
    assert error(completion)["code"] == error(response)["code"] == "context_length_exceeded"
    assert posts(sim) == []


def test_an_account_with_more_room_answers(starter: Starter, sim: Simulator) -> None:
    gateway = starter("rooms", options={"qwen_strategy": "fill-first"})
    gateway.add_account("own", "sk-own", sim.url("vllm"), plan="vllm")
    gateway.add_account("cloud", "sk-sim", sim.url())
    with gateway:
        short = ask(gateway, model="gpt-4o")
        long = ask(gateway, model="gpt-4o", messages=talk(20))
    assert short.headers["x-gateway-account"] == "own"
    assert long.headers["x-gateway-account"] == "cloud"
