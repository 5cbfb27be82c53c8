"""vLLM, Ollama and OpenRouter answer in their own ways (upstream.md 4.13)."""

from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import CLOCK, HI, WEATHER, ask, deltas, error, events, text


@pytest.mark.parametrize("face", ["vllm", "ollama", "openrouter"])
async def test_thoughts_are_in_reasoning(sim: Simulator, client: httpx.AsyncClient, face: str) -> None:
    whole = (await ask(sim, client, face, key="sk-or-sim")).json()["choices"][0]["message"]
    stream = await ask(sim, client, face, key="sk-or-sim", stream=True)

    assert whole["reasoning"] == text(stream, "reasoning")
    assert "reasoning_content" not in whole
    assert text(stream) == whole["content"]


@pytest.mark.parametrize(
    ("face", "fields"),
    [
        ("vllm", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("ollama", {"reasoning_effort": "none"}),
        ("ollama", {"reasoning": {"effort": "none"}}),
        ("openrouter", {"reasoning": {"enabled": False}}),
        ("openrouter", {"reasoning": {"effort": "none"}}),
        ("openrouter", {"reasoning": {"exclude": True}}),
    ],
)
async def test_thinking_is_switched_off(
    sim: Simulator, client: httpx.AsyncClient, face: str, fields: dict[str, Any]
) -> None:
    message = (await ask(sim, client, face, key="sk-or-sim", **fields)).json()["choices"][0]["message"]

    assert not message.get("reasoning")


async def test_vllm_has_usage_only_when_asked(sim: Simulator, client: httpx.AsyncClient) -> None:
    without = events(await ask(sim, client, "vllm", stream=True))
    with_usage = events(await ask(sim, client, "vllm", stream=True, stream_options={"include_usage": True}))

    assert not any("usage" in chunk for chunk in without)
    assert with_usage[-1]["choices"] == []
    assert with_usage[-1]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": [*HI, {"role": "system", "content": "x"}]}, "System message must be at the beginning."),
        ({"messages": [{"role": "system", "content": "x"}]}, "No user query found in messages."),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, "Unexpected item type in content."),
        ({"n": "two"}, "n: Input should be a valid integer"),
        ({"messages": [{"role": "owner", "content": "x"}]}, "Unexpected message role."),
        ({"messages": []}, "messages: a non-empty array of messages is required"),
        ({"max_tokens": 40_960}, "This model's maximum context length is 40960 tokens. However, you requested 40970"),
    ],
)
async def test_vllm_refuses_in_its_words(
    sim: Simulator, client: httpx.AsyncClient, fields: dict[str, Any], message: str
) -> None:
    answer = await ask(sim, client, "vllm", **fields)

    assert answer.status_code == 400
    assert error(answer)["message"].startswith(message)
    assert error(answer)["type"] == "BadRequestError"
    assert error(answer)["code"] == 400


async def test_vllm_without_a_tool_parser_refuses_tools(sim: Simulator, client: httpx.AsyncClient) -> None:
    without = await ask(sim, client, "vllm", fault="no-tool-parser")
    refused = await ask(sim, client, "vllm", fault="no-tool-parser", tools=[CLOCK])

    assert without.status_code == 200
    assert "--enable-auto-tool-choice" in error(refused)["message"]


async def test_vllm_pieces_of_tool_calls_omit_the_id(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_weather"}]
    stream = await ask(sim, client, "vllm", tools=[WEATHER], messages=messages, stream=True)

    first, *rest = [delta["tool_calls"][0] for delta in deltas(stream) if "tool_calls" in delta]
    assert first["id"].startswith("chatcmpl-tool-")
    assert all("id" not in piece and "name" not in piece["function"] for piece in rest)


async def test_ollama_gives_tool_calls_whole(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_weather and get_time"}]
    stream = await ask(sim, client, "ollama", tools=[WEATHER, CLOCK], messages=messages, stream=True)

    calls = [delta["tool_calls"][0] for delta in deltas(stream) if "tool_calls" in delta]
    assert [call["function"]["name"] for call in calls] == ["get_weather", "get_time"]
    assert all(delta["role"] == "assistant" for delta in deltas(stream)[:-1])


async def test_ollama_cuts_long_prompts_without_a_word(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "word " * 9_000}]
    usage = (await ask(sim, client, "ollama", messages=messages)).json()["usage"]

    assert usage["prompt_tokens"] == 8_192


async def test_openrouter_comments_and_always_tells_usage(sim: Simulator, client: httpx.AsyncClient) -> None:
    stream = await ask(sim, client, "openrouter", key="sk-or-sim", stream=True)

    assert stream.text.startswith(": OPENROUTER PROCESSING\n\n")
    assert stream.headers["x-generation-id"].startswith("gen-")
    assert events(stream)[-1]["usage"]["total_tokens"] > 0
    assert events(stream)[-1]["choices"]
    assert any(delta.get("reasoning_details") for delta in deltas(stream))


async def test_openrouter_has_a_ceiling_of_its_own_words(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "word " * 140_000}]
    answer = await ask(sim, client, "openrouter", key="sk-or-sim", model="qwen/qwen3-30b-a3b", messages=messages)

    assert error(answer)["message"].startswith("This endpoint's maximum context length is 131072 tokens.")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_time"}}])
async def test_a_tool_can_be_forced(sim: Simulator, client: httpx.AsyncClient, choice: Any) -> None:
    answer = await ask(sim, client, "vllm", tools=[CLOCK], tool_choice=choice)

    assert answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_time"
