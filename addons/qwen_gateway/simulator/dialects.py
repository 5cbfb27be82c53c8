"""How each service writes a chat answer (upstream.md 4.4, 4.13): names of fields and small manners."""

from dataclasses import dataclass
from typing import Literal

from .echo import Speech, ToolCall
from .wire import JsonObject

Fragments = Literal["empty", "omit", "repeat", "whole"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The manners of one service."""

    name: str
    thought: str
    """The field of the thoughts."""
    fragments: Fragments
    """How a tool call is cut: later pieces carry empty ids and names, omit or repeat them, or there are none."""
    id_prefix: str = "chatcmpl-"
    call_prefix: str = "call_"
    usage_key: bool = False
    """Every chunk has `usage`, mostly null."""
    usage_with_choice: bool = False
    """The last chunk has usage and a choice, whether or not usage was asked for."""
    role_in_every_delta: bool = False
    comments: bool = False
    """Comment lines before the first chunk."""


DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect("dashscope", "reasoning_content", "empty", usage_key=True),
        Dialect("portal", "reasoning_content", "empty", usage_key=True),
        Dialect("vllm", "reasoning", "omit", call_prefix="chatcmpl-tool-"),
        Dialect("ollama", "reasoning", "whole", role_in_every_delta=True),
        Dialect(
            "openrouter",
            "reasoning",
            "omit",
            id_prefix="gen-",
            usage_with_choice=True,
            role_in_every_delta=True,
            comments=True,
        ),
    )
}


def envelope(dialect: Dialect, *, kind: str, id: str, created: int, model: str) -> JsonObject:  # noqa: A002
    """What surrounds the choices."""
    if dialect.name in {"dashscope", "portal"}:
        return {
            "choices": [],
            "object": kind,
            "usage": None,
            "created": created,
            "system_fingerprint": None,
            "model": model,
            "id": id,
        }
    made: JsonObject = {"id": id, "object": kind, "created": created, "model": model, "choices": []}
    if dialect.name == "ollama":
        made["system_fingerprint"] = "fp_ollama"
    elif dialect.name == "openrouter":
        made["provider"] = "Alibaba"
    return made


def thought_delta(dialect: Dialect, field: str, piece: str) -> JsonObject:
    """The delta of a piece of thought."""
    delta: JsonObject = {"content": None if dialect.usage_key else "", field: piece}
    if dialect.name == "vllm":
        del delta["content"]
    elif dialect.name == "openrouter":
        delta["reasoning_details"] = [reasoning_detail(piece)]
    return delta


def message(dialect: Dialect, field: str, speech: Speech) -> JsonObject:
    """The message of an answer that is not streamed."""
    made: JsonObject = {"role": "assistant", "content": speech.text}
    if dialect.name == "vllm":
        made |= {"refusal": None, "annotations": None, "audio": None, "function_call": None}
        made |= {"tool_calls": [], field: speech.thoughts or None}
        if speech.calls:
            made["content"] = None
    elif dialect.name == "openrouter":
        made |= {"refusal": None, field: speech.thoughts or None}
        if speech.thoughts:
            made["reasoning_details"] = [reasoning_detail(speech.thoughts)]
    elif speech.thoughts:
        made[field] = speech.thoughts
    if speech.calls:
        made["tool_calls"] = [tool_call(index, call) for index, call in enumerate(speech.calls)]
    return made


def tool_call(index: int, call: ToolCall) -> JsonObject:
    """A whole tool call."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": index, "id": call.id, "type": "function", "function": function}


def reasoning_detail(text: str) -> JsonObject:
    """OpenRouter's second form of thoughts."""
    return {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}


def finish(dialect: Dialect, reason: str | None) -> JsonObject:
    """The end of a choice."""
    made: JsonObject = {"finish_reason": reason}
    if dialect.name == "vllm" and reason is not None:
        made["stop_reason"] = None
    elif dialect.name == "openrouter":
        made["native_finish_reason"] = reason
    return made
