"""Chat answers have the shape of upstream.md 4.4."""

import json
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import CLOCK, WEATHER, ask, deltas, error, events, text


async def test_an_answer_has_text_thoughts_and_matching_usage(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client)

    body = answer.json()
    choice, usage = body["choices"][0], body["usage"]
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"].endswith("“Say hi”")
    assert choice["message"]["reasoning_content"]
    details = usage["completion_tokens_details"]
    assert details["reasoning_tokens"] + details["text_tokens"] == usage["completion_tokens"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0


async def test_the_headers_are_those_of_the_gateway_of_dashscope(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client)

    assert answer.headers["x-request-id"]
    assert answer.headers["x-dashscope-call-gateway"] == "true"
    assert "retry-after" not in answer.headers
    assert not any(name.startswith("x-ratelimit") for name in answer.headers)


async def test_a_stream_says_the_same_as_the_whole_answer(sim: Simulator, client: httpx.AsyncClient) -> None:
    whole = (await ask(sim, client)).json()["choices"][0]["message"]
    stream = await ask(sim, client, stream=True)

    assert stream.headers["content-type"] == "text/event-stream;charset=UTF-8"
    assert text(stream) == whole["content"]
    assert text(stream, "reasoning_content") == whole["reasoning_content"]
    assert stream.text.endswith("data: [DONE]\n\n")


async def test_each_chunk_has_usage_null_and_numbers_come_only_when_asked(
    sim: Simulator, client: httpx.AsyncClient
) -> None:
    without = events(await ask(sim, client, stream=True))
    with_usage = events(await ask(sim, client, stream=True, stream_options={"include_usage": True}))

    assert all(chunk["usage"] is None and chunk["choices"] for chunk in without)
    assert with_usage[-1]["choices"] == []
    assert with_usage[-1]["usage"]["total_tokens"] > 0
    assert with_usage[-2]["choices"][0]["finish_reason"] == "stop"


async def test_the_first_deltas_are_those_of_a_thinking_model(sim: Simulator, client: httpx.AsyncClient) -> None:
    thinking = deltas(await ask(sim, client, stream=True))
    plain = deltas(await ask(sim, client, stream=True, enable_thinking=False))

    assert thinking[0] == {"content": "", "role": "assistant", "reasoning_content": ""}
    assert thinking[1]["content"] is None
    assert plain[0] == {"content": "", "role": "assistant"}
    assert plain[-1] == {"content": ""}


async def test_a_chunk_is_a_token(sim: Simulator, client: httpx.AsyncClient) -> None:
    stream = await ask(sim, client, stream=True, stream_options={"include_usage": True})

    spoken = [delta for delta in deltas(stream) if delta.get("content") or delta.get("reasoning_content")]
    assert events(stream)[-1]["usage"]["completion_tokens"] == len(spoken)


async def test_a_tool_named_in_the_prompt_is_called(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_weather city=Paris days: 3"}]
    answer = await ask(sim, client, messages=messages, tools=[WEATHER])

    choice = answer.json()["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == ""
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris", "days": 3}


async def test_several_named_tools_are_called_together(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_time, then get_weather"}]
    both = await ask(sim, client, messages=messages, tools=[WEATHER, CLOCK])
    one = await ask(sim, client, messages=messages, tools=[WEATHER, CLOCK], parallel_tool_calls=False)

    assert [call["function"]["name"] for call in both.json()["choices"][0]["message"]["tool_calls"]] == [
        "get_time",
        "get_weather",
    ]
    assert len(one.json()["choices"][0]["message"]["tool_calls"]) == 1


async def test_later_pieces_of_a_tool_call_have_an_empty_id_and_name(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_weather city=Köln"}]
    stream = await ask(sim, client, messages=messages, tools=[WEATHER], stream=True)

    pieces = [delta["tool_calls"][0] for delta in deltas(stream) if "tool_calls" in delta]
    assert pieces[0]["id"].startswith("call_")
    assert pieces[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert all(piece["id"] == "" and piece["function"]["name"] == "" for piece in pieces[1:])
    joined = "".join(piece["function"]["arguments"] for piece in pieces)
    assert json.loads(joined)["city"] == "Köln"


async def test_after_a_tool_message_comes_text(sim: Simulator, client: httpx.AsyncClient) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "get_time"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
    ]
    answer = await ask(sim, client, messages=messages, tools=[CLOCK])

    assert "“noon”" in answer.json()["choices"][0]["message"]["content"]


async def test_a_forced_tool_is_called_when_not_thinking(sim: Simulator, client: httpx.AsyncClient) -> None:
    forced = {"type": "function", "function": {"name": "get_time"}}
    answer = await ask(sim, client, tools=[WEATHER, CLOCK], tool_choice=forced, enable_thinking=False)

    assert answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_time"


async def test_max_tokens_cuts_the_answer_but_not_the_thoughts(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = (await ask(sim, client, max_tokens=4)).json()

    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == "Hello! This is"
    assert body["usage"]["completion_tokens_details"]["text_tokens"] == 4
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] > 4


@pytest.mark.parametrize(("model", "field"), [("qwen3.8-max", "max_tokens"), ("qwen3.7-plus", "max_completion_tokens")])
async def test_some_limits_include_the_thoughts(
    sim: Simulator, client: httpx.AsyncClient, model: str, field: str
) -> None:
    body = (await ask(sim, client, model=model, **{field: 4})).json()

    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == ""
    assert body["usage"]["completion_tokens"] == 4


async def test_max_tokens_cuts_the_arguments_of_a_tool_call(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_weather city=Paris"}]
    choice = (await ask(sim, client, messages=messages, tools=[WEATHER], max_tokens=4)).json()["choices"][0]

    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city'


async def test_thinking_budget_cuts_the_thoughts(sim: Simulator, client: httpx.AsyncClient) -> None:
    usage = (await ask(sim, client, thinking_budget=2)).json()["usage"]

    assert usage["completion_tokens_details"]["reasoning_tokens"] == 2


async def test_stop_ends_the_answer(sim: Simulator, client: httpx.AsyncClient) -> None:
    choice = (await ask(sim, client, stop=["You said", "never"])).json()["choices"][0]

    assert choice["message"]["content"].endswith("qwen3.7-plus. ")
    assert choice["finish_reason"] == "stop"


async def test_a_seed_picks_the_words(sim: Simulator, client: httpx.AsyncClient) -> None:
    one = (await ask(sim, client, seed=1)).json()["choices"][0]["message"]["content"]
    again = (await ask(sim, client, seed=1)).json()["choices"][0]["message"]["content"]
    other = (await ask(sim, client, seed=2)).json()["choices"][0]["message"]["content"]

    assert one == again != other


async def test_n_gives_several_choices(sim: Simulator, client: httpx.AsyncClient) -> None:
    whole = (await ask(sim, client, model="qwen-plus", n=3)).json()
    stream = events(await ask(sim, client, model="qwen-plus", n=2, stream=True))

    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
    assert {choice["index"] for chunk in stream for choice in chunk["choices"]} == {0, 1}


async def test_logprobs_come_with_each_token(sim: Simulator, client: httpx.AsyncClient) -> None:
    choice = (await ask(sim, client, logprobs=True, top_logprobs=2)).json()["choices"][0]

    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert all(len(token["top_logprobs"]) == 2 for token in tokens)


async def test_json_mode_gives_json(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "as JSON, please"}]
    answer = await ask(sim, client, messages=messages, response_format={"type": "json_object"})

    assert json.loads(answer.json()["choices"][0]["message"]["content"])["answer"] == "as JSON, please"


async def test_a_json_schema_is_conformed_to(sim: Simulator, client: httpx.AsyncClient) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = await ask(sim, client, response_format=wanted)

    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == {"n": 5}


async def test_unknown_fields_are_ignored(sim: Simulator, client: httpx.AsyncClient) -> None:
    assert (await ask(sim, client, service_tier="auto", user="me", whatever=1)).status_code == 200


@pytest.mark.parametrize(
    ("face", "key", "status", "message"),
    [
        ("dashscope", "sk-sim", 404, "The model `no-such` does not exist or you do not have access to it."),
        ("coding", "sk-sp-sim", 400, "model 'no-such' is not supported"),
        ("vllm", "sk-sim", 404, "The model `no-such` does not exist."),
        ("ollama", "sk-sim", 404, 'model "no-such" not found, try pulling it first'),
        ("openrouter", "sk-or-sim", 400, "no-such is not a valid model ID"),
    ],
)
async def test_an_unknown_model_is_refused(
    sim: Simulator, client: httpx.AsyncClient, face: str, key: str, status: int, message: str
) -> None:
    answer = await ask(sim, client, face, key=key, model="no-such")

    assert answer.status_code == status
    assert error(answer)["message"] == message


async def test_two_simulators_with_one_seed_answer_alike() -> None:
    bodies = []
    for _ in range(2):
        async with Simulator(clock=lambda: 1_790_000_000.0) as sim, httpx.AsyncClient() as client:
            bodies.append((await ask(sim, client, stream=True)).text)

    assert bodies[0] == bodies[1]
