"""The contract of a chat stream: what the chunks owe each other, beyond each being valid by itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.referee.verdict import check

type Chunk = dict[str, Any]


@dataclass
class Choice:
    """What one choice of the stream has said so far."""

    started: bool = False
    finish: str | None = None
    tools: list[dict[str, str]] = field(default_factory=list)


def check_chat_stream(chunks: Sequence[Chunk], *, include_usage: bool | None = None, failed: bool = False) -> list[str]:
    """Complaints about a whole stream (the payloads before `[DONE]`), in the order of the stream.

    `include_usage` is what the client asked for; left out, the first chunk tells. `failed=True` expects a
    stream that broke after its first byte: it ends with one error object instead of finish reasons.
    """
    found: list[str] = []
    chunks = list(chunks)
    if failed:
        if not chunks or "error" not in chunks[-1]:
            found.append("stream: a failed stream must end with an error object")
        else:
            found += check(chunks.pop(), "error")
    if not chunks:
        return found if failed else ["stream: no chunks"]
    for place, chunk in enumerate(chunks):
        found += [f"chunk {place}: {c}" for c in check(chunk, "chat.completion.chunk")]
    for key in ("id", "created", "model", "object"):
        if len(values := {repr(chunk.get(key)) for chunk in chunks}) > 1:
            found.append(f"stream: {key!r} changes within the stream: {sorted(values)}")
    found += check_usage(chunks, include_usage, failed=failed)
    return found + check_choices(chunks, failed=failed)


def check_usage(chunks: list[Chunk], include_usage: bool | None, *, failed: bool) -> list[str]:
    """Usage, if it was asked for: null in every chunk, then one last chunk without choices."""
    if include_usage is None:
        include_usage = "usage" in chunks[0]
    found = []
    for place, chunk in enumerate(chunks):
        last = place == len(chunks) - 1
        if ("usage" in chunk) != include_usage:
            found.append(f"chunk {place}: 'usage' {'is missing' if include_usage else 'was not asked for'}")
        if chunk.get("choices") == [] and not last:
            found.append(f"chunk {place}: a chunk without choices must be the last")
        if chunk.get("choices") == [] and not chunk.get("usage"):
            found.append(f"chunk {place}: neither choices nor usage")
        if chunk.get("choices") and chunk.get("usage"):
            found.append(f"chunk {place}: usage belongs into a last chunk without choices")
    if include_usage and not failed and chunks[-1].get("choices") != []:
        found.append("stream: the usage chunk is missing")
    return found


def check_choices(chunks: list[Chunk], *, failed: bool) -> list[str]:
    """Each choice opens with its role, ends once, and says nothing afterwards."""
    found: list[str] = []
    choices: dict[int, Choice] = {}
    for place, chunk in enumerate(chunks):
        for part in chunk.get("choices") or ():
            if not isinstance(part, dict) or not isinstance(part.get("delta"), dict):
                continue  # complained about already
            choice = choices.setdefault(part.get("index", 0), Choice())
            found += [f"chunk {place}, choice {part.get('index')}: {c}" for c in feed(choice, part)]
    if not choices and not failed:
        found.append("stream: no choices")
    if sorted(choices) != list(range(len(choices))):
        found.append(f"stream: the choices are not numbered from 0: {sorted(choices)}")
    if not failed:
        found += [f"choice {index}: {c}" for index, choice in choices.items() for c in close(choice)]
    return found


def feed(choice: Choice, part: Chunk) -> list[str]:
    """Complaints about the next part of a choice."""
    delta = part["delta"]
    found = []
    if choice.finish:
        found.append(f"speaks after its finish_reason {choice.finish!r}")
    if not choice.started and delta.get("role") != "assistant":
        found.append("the first delta has no role")
    if choice.started and "role" in delta:
        found.append("the role is repeated: the official library would join them to 'assistantassistant'")
    choice.started = True
    for call in delta.get("tool_calls") or ():
        found += feed_tool(choice.tools, call)
    choice.finish = choice.finish or part.get("finish_reason")
    return found


def feed_tool(tools: list[dict[str, str]], call: Chunk) -> list[str]:
    """Complaints about one fragment of a tool call."""
    index = call.get("index")
    function = call.get("function") or {}
    if not isinstance(index, int):
        return ["a tool call without index"]
    if index == len(tools):
        tools.append({"name": function.get("name") or "", "arguments": function.get("arguments") or ""})
        wants = {"id": call.get("id"), "type": call.get("type"), "function.name": function.get("name")}
        return [f"the first fragment of tool call {index} has no {key}" for key, value in wants.items() if not value]
    if not 0 <= index < len(tools):
        return [f"tool call {index} skips a number: {len(tools)} so far"]
    tools[index]["arguments"] += function.get("arguments") or ""
    repeated = [key for key, where in (("id", call), ("name", function)) if key in where]
    return [f"tool call {index} repeats its {key}" for key in repeated]


def close(choice: Choice) -> list[str]:
    """Complaints about a choice at the end of the stream."""
    if not choice.finish:
        return ["no finish_reason"]
    found = []
    if choice.finish == "tool_calls" and not choice.tools:
        found.append("finish_reason 'tool_calls' without a tool call")
    if choice.finish == "stop" and choice.tools:
        found.append("finish_reason 'stop' although tools are called")
    for index, tool in enumerate(choice.tools):
        if choice.finish not in ("length", "content_filter") and not is_json(tool["arguments"]):
            found.append(f"the arguments of tool call {index} are no JSON: {tool['arguments'][:80]!r}")
    return found


def is_json(text: str) -> bool:
    """Whether a client can parse it."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
