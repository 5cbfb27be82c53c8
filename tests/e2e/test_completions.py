"""A client that speaks the old completions is served by chats, or has code filled in."""

import json
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import error, events, http, notices, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm


def post(gateway: Mitm, **fields: Any) -> httpx.Response:
    with http(gateway) as client:
        return client.post("/v1/completions", json={"model": "qwen3.7-plus", "prompt": "Once upon", **fields})


def texts(answer: httpx.Response) -> list[str]:
    """What each choice says, streamed or not."""
    streamed = answer.headers["content-type"].startswith("text/event-stream")
    objects = events(answer) if streamed else [answer.json()]
    choices = [choice for found in objects for choice in found["choices"]]
    said = [""] * (1 + max(choice["index"] for choice in choices))
    for choice in choices:
        said[choice["index"]] += choice["text"]
    return said


async def test_the_official_library_gets_a_completion(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        answer = await client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon", max_tokens=50)

    assert answer.choices[0].text.endswith("“Once upon”")
    assert answer.model == "gpt-3.5-turbo-instruct"
    assert answer.usage is not None
    assert sim.log[-1].json["messages"] == [{"role": "user", "content": "Once upon"}]
    assert sim.log[-1].json["enable_thinking"] is False


@pytest.mark.parametrize("stream", [False, True])
def test_prompts_and_answers_are_calls_of_their_own(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    answer = post(gateway, prompt=["one", "two", "three"], n=2, echo=True, stream=stream)

    said = texts(answer)
    assert [text.partition("H")[0].partition("G")[0].partition("T")[0] for text in said] == [
        "one", "one", "two", "two", "three", "three",
    ]  # fmt: skip
    assert len(sim.log) == 6
    assert "translated=prompt" in notices(answer)


def test_a_stream_counts_when_asked(gateway: Mitm, sim: Simulator) -> None:
    answer = post(gateway, stream=True, stream_options={"include_usage": True})
    assert events(answer)[-1]["usage"]["total_tokens"] > 0


def test_the_best_of_several_is_chosen_by_likelihood(gateway: Mitm, sim: Simulator) -> None:
    answer = post(gateway, best_of=3, logprobs=1, seed=1)

    assert len(answer.json()["choices"]) == 1
    assert len(sim.log) == 3
    rows = answer.json()["choices"][0]["logprobs"]
    assert "".join(rows["tokens"]) == answer.json()["choices"][0]["text"]


def test_a_suffix_without_a_model_that_fills_in_is_refused(gateway: Mitm, sim: Simulator) -> None:
    answer = post(gateway, model="qwen3-coder-plus", suffix="the end")

    assert answer.status_code == 400
    assert error(answer)["param"] == "suffix"
    assert "Qwen-Coder on a server of your own" in error(answer)["message"]
    assert sim.log == []


def test_token_ids_without_a_vocabulary_are_refused_with_advice(gateway: Mitm, sim: Simulator) -> None:
    answer = post(gateway, prompt=[1, 2, 3])

    assert answer.status_code == 400
    assert "cl100k_base" in error(answer)["message"]


def test_a_broken_stream_ends_in_an_error(gateway: Mitm, sim: Simulator) -> None:
    sim.script(["drop-mid-json;after=4"])
    answer = post(gateway, stream=True)

    assert b'data: {"error"' in answer.content
    assert b"[DONE]" not in answer.content


@pytest.mark.parametrize(
    ("plan", "model"), [("vllm", "Qwen/Qwen3-Coder-30B-A3B-Instruct"), ("ollama", "qwen3-coder:30b")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_code_is_filled_in(starter: Starter, sim: Simulator, plan: str, model: str, stream: bool) -> None:
    gateway = starter(f"fills-{plan}-{stream}", options={"qwen_strategy": "fill-first"})
    gateway.add_account("cloud", "sk-sim", sim.url())
    gateway.add_account("own", "sk-own", sim.url(plan), plan=plan)
    template = "<|fim_prefix|>def f():\n<|fim_suffix|>\nf()<|fim_middle|>"
    with gateway:
        asked = [
            post(gateway, model=model, prompt="def f():\n", suffix="\nf()", stream=stream, max_tokens=64),
            post(gateway, model=model, prompt=template, stream=stream, max_tokens=64),
        ]
        for answer in asked:
            assert answer.status_code == 200, answer.text
            assert texts(answer) == [f"between {'def f():' + chr(10)!r} and {chr(10) + 'f()'!r}"]
            assert answer.headers["x-gateway-account"] == "own"
    assert {json.loads(received.body).get("suffix") for received in sim.log if received.method == "POST"} == (
        {None} if plan == "vllm" else {"\nf()"}
    )
