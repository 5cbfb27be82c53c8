"""Calls of the Responses API as clients write them, and their answers, judged."""

import json
from collections.abc import Iterable
from typing import Any

from qwen_gateway.codec.deltas import Delta
from qwen_gateway.codec.json import loads
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.responses_object import ResponsesObject
from qwen_gateway.openai.responses_request import NOTHING, ResponsesCall, Unresolved, parse_responses
from qwen_gateway.openai.responses_stream import ResponsesStream
from qwen_gateway.openai.sealing import KEY, Seal
from tests import referee

SEAL = Seal(lambda: b"k" * KEY)
LOOK: dict[str, Any] = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}
WAIT: dict[str, Any] = {**LOOK, "name": "wait"}


def call(given: Any = "Hi", **fields: Any) -> ResponsesCall:
    """A parsed call; what it refers to is nowhere."""
    parsed = parse_responses(json.dumps({"model": "gpt-5", "input": given, **fields}).encode(), SEAL)
    return parsed.resolved(NOTHING) if isinstance(parsed, Unresolved) else parsed


def messages(given: Any, **fields: Any) -> list[dict[str, Any]]:
    """The messages that an input becomes."""
    found: list[dict[str, Any]] = call(given, **fields).body["messages"]
    return found


def said(role: str, content: Any) -> dict[str, Any]:
    """A message as an item."""
    return {"type": "message", "role": role, "content": content}


def streamed(parsed: ResponsesCall, pieces: Iterable[list[Delta]], **dress: Any) -> list[Any]:
    """The judged events of a stream that gets its deltas in these pieces."""
    writer = ResponsesStream(parsed, Dress(created=1, **dress), SEAL)
    body = b"".join(writer.write(piece) for piece in pieces) + writer.end()
    return judged(body)


def judged(body: bytes) -> list[Any]:
    """The events of a finished stream."""
    events = referee.read_sse(body, done=False)
    assert referee.check_responses_stream(events) == []
    return [event.json for event in events]


def whole(parsed: ResponsesCall, deltas: Iterable[Delta], **dress: Any) -> Any:
    """The judged object that these deltas make."""
    writer = ResponsesObject(parsed, Dress(created=1, **dress), SEAL)
    assert writer.write(deltas) == b""
    answer = loads(writer.end())
    referee.assert_valid(answer, "response")
    return answer


def kinds(events: list[Any]) -> list[str]:
    """The types of events, each run of deltas once."""
    found: list[str] = []
    for event in events:
        if not found or event["type"] != found[-1]:
            found.append(event["type"])
    return [kind.removeprefix("response.") for kind in found]
