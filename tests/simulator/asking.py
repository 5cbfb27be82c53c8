"""Calls as tests write them, and answers taken apart."""

import json
from typing import Any

import httpx

from qwen_gateway.simulator import Simulator

HI: list[dict[str, Any]] = [{"role": "user", "content": "Say hi"}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city", "days"],
        },
    },
}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "get_time"}}


async def ask(
    sim: Simulator,
    client: httpx.AsyncClient,
    face: str = "dashscope",
    *,
    fault: str | None = None,
    key: str = "sk-sim",
    **fields: Any,
) -> httpx.Response:
    """POST a chat call; `fields` go into its body."""
    models = {"vllm": "Qwen/Qwen3-32B", "ollama": "qwen3:8b", "openrouter": "qwen/qwen3.7-plus"}
    body = {"model": models.get(face, "qwen3.7-plus"), "messages": HI, **fields}
    headers = {"authorization": f"Bearer {key}"}
    if fault is not None:
        headers["x-sim-fault"] = fault
    return await client.post(sim.url(face) + "/chat/completions", json=body, headers=headers)


def events(answer: httpx.Response) -> list[Any]:
    """The JSON events of a stream, without `[DONE]`."""
    blocks = answer.text.split("\n\n")
    return [json.loads(block.removeprefix("data: ")) for block in blocks if block.startswith("data: {")]


def deltas(answer: httpx.Response) -> list[dict[str, Any]]:
    """The deltas of the first choice."""
    return [chunk["choices"][0]["delta"] for chunk in events(answer) if chunk["choices"]]


def text(answer: httpx.Response, field: str = "content") -> str:
    """The text of a stream."""
    return "".join(delta.get(field) or "" for delta in deltas(answer))


def error(answer: httpx.Response) -> Any:
    """The error of an answer."""
    return answer.json()["error"]
