"""What the simulated services answer, without a socket: their exact bytes."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from qwen_gateway.codec.deltas import Delta, Fault
from qwen_gateway.simulator.app import App
from qwen_gateway.simulator.faces import FACES
from qwen_gateway.simulator.log import Log, Received
from qwen_gateway.simulator.state import State
from qwen_gateway.upstreams.decoders import ChatAnswer
from qwen_gateway.upstreams.error_body import fault_of_response

MODELS = {"vllm": "Qwen/Qwen3-32B", "ollama": "qwen3:8b", "openrouter": "qwen/qwen3.7-plus"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@cache
def answer(
    fault: str = "ok", face: str = "dashscope", *, stream: bool = True, tools: bool = False
) -> tuple[int, bytes]:
    """Status and body of the answer to a chat call under a fault of the simulator's table."""
    body: dict[str, Any] = {
        "model": MODELS.get(face, "qwen3.7-plus"),
        "messages": [{"role": "user", "content": "Say 你好 🌞"}],
        "stream": stream,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    if tools:
        body |= {"tools": [WEATHER], "messages": [{"role": "user", "content": "call get_weather"}]}
    headers = [("authorization", "Bearer sk-sim"), ("x-sim-fault", fault)]
    path = f"{FACES[face].prefix}/chat/completions"
    received = Received(1, 1, "1.1", "POST", path, headers, 0.0, json.dumps(body).encode())
    reply = App(State(Log(), lambda: 1_790_000_000.0))(received)
    return reply.status, b"".join(until_it_breaks(reply.steps()))


def until_it_breaks(steps: Iterator[Any]) -> Iterator[bytes]:
    """The bytes of an answer, up to where it is broken off."""
    for step in steps:
        if type(step).__name__ == "Drop":
            return
        if isinstance(step, bytes):
            yield step


def fault_of(status: int, body: bytes) -> Fault:
    """The fault that an answer stands for, wherever it hides."""
    if status >= 300:
        return fault_of_response(status, {}, body)
    return next(delta for delta in decoded([body]) if isinstance(delta, Fault))


def decoded(pieces: list[bytes], decoder: Any = None) -> list[Delta]:
    """The deltas of a body that comes in these pieces."""
    decoder = decoder or ChatAnswer()
    return [delta for piece in pieces for delta in decoder.feed(piece)] + decoder.close()


def whole(body: bytes) -> list[bytes]:
    return [body]


def bytewise(body: bytes) -> list[bytes]:
    return [body[place : place + 1] for place in range(len(body))]


def in_mid_letter(body: bytes) -> list[bytes]:
    """Cut within the first letter of several bytes; in the middle when there is none."""
    found = re.search(rb"[\x80-\xbf]", body)
    place = found.start() if found else len(body) // 2
    return [body[:place], body[place:]]


CUTS: list[Callable[[bytes], list[bytes]]] = [whole, bytewise, in_mid_letter]


def random_cuts(body: bytes) -> st.SearchStrategy[list[bytes]]:
    """The same bytes in random pieces, empty ones included."""
    places = st.lists(st.integers(0, len(body)), max_size=12).map(sorted)
    return places.map(lambda found: [body[start:stop] for start, stop in pairwise([0, *found, len(body)])])
