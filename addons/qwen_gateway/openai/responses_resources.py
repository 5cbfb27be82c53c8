"""Items as OpenAI gives them out again: each with an id and a status, valid whatever the client once sent."""

from collections.abc import Iterable, Mapping
from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.responses_content import TEXTS
from qwen_gateway.openai.responses_echo import tool_object
from qwen_gateway.openai.responses_items import item_type

PREFIXES = {
    "message": "msg", "reasoning": "rs", "function_call": "fc", "function_call_output": "fco",
    "custom_tool_call": "ctc", "custom_tool_call_output": "ctco", "tool_search_call": "tsc",
    "tool_search_output": "tso", "additional_tools": "at", "compaction": "cmp",
}  # fmt: skip
"""What ids of items begin with. Items that are not here cannot be given out, and are not kept."""

DETAILS = frozenset({"low", "high", "auto", "original"})


def named(items: Iterable[Mapping[str, Any]], stem: str) -> list[dict[str, Any]]:
    """The items as they came, with ids made of a stem and their number where they have none; this is what is kept."""
    found = []
    for number, item in enumerate(items):
        given = item.get("id")
        name = given if isinstance(given, str) and given else _name(item, stem, number)
        found.append({**item, "id": name})
    return found


def _name(item: Mapping[str, Any], stem: str, number: int) -> str:
    return f"{PREFIXES.get(item_type(item), 'item')}_{stem}i{number:02x}"


def resources(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Kept items as they are given out; what OpenAI has no form for stays inside."""
    return [_resource(kind, item, item["id"]) for item in items if (kind := item_type(item)) in PREFIXES]


def _resource(kind: str, item: Mapping[str, Any], name: str) -> dict[str, Any]:
    if kind == "message":
        return _message(item, name)
    status = item.get("status")
    base: dict[str, Any] = {"id": name, "type": kind}
    if kind == "reasoning":
        return {**base, **_kept(item, "encrypted_content"), "summary": _parts(item.get("summary"), "summary_text"),
                **({"content": _parts(item["content"], "reasoning_text")} if item.get("content") else {})}  # fmt: skip
    if kind == "compaction":
        return {**base, "encrypted_content": _text(item.get("encrypted_content"))}
    if kind == "additional_tools":
        tools = item.get("tools")
        shown = [tool_object(tool) for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
        return {**base, "role": "developer", "tools": [tool for tool in shown if tool]}
    base["status"] = status if status in ("completed", "incomplete") else "completed"
    base["call_id"] = _text(item.get("call_id"))
    if kind in ("function_call", "custom_tool_call"):
        field = "arguments" if kind == "function_call" else "input"
        return {**base, **_kept(item, "namespace"), "name": _text(item.get("name")), field: _text(item.get(field))}
    if kind == "tool_search_call":
        return {**base, "execution": "client", "arguments": item.get("arguments") or {}}
    if kind == "tool_search_output":
        tools = item.get("tools")
        shown = [tool_object(tool) for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
        return {**base, "execution": "client", "tools": [tool for tool in shown if tool]}
    return {**base, "output": _output(item.get("output"))}


def _message(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    role = item.get("role")
    content = item.get("content")
    given: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    assistant = role == "assistant"
    parts = [_part(part, assistant=assistant) for part in given if isinstance(part, dict)]
    status = item.get("status")
    return {
        "id": name,
        "type": "message",
        "status": status if status in ("completed", "incomplete") else "completed",
        "role": role,
        "content": parts,
    }


def _part(part: Mapping[str, Any], *, assistant: bool) -> dict[str, Any]:
    return _said(part) if assistant else _given(part)


def _said(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of an answer: text or refusal."""
    if part.get("type") == "refusal":
        return {"type": "refusal", "refusal": _text(part.get("refusal"))}
    annotations, logprobs = part.get("annotations"), part.get("logprobs")
    return {
        "type": "output_text",
        "text": _words(part),
        "annotations": annotations if isinstance(annotations, list) else [],
        "logprobs": logprobs if isinstance(logprobs, list) else [],
    }


def _given(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of an input: text, a picture, a file."""
    kind = part.get("type")
    if kind == "input_image":
        detail = part.get("detail")
        return {"type": kind, **_kept(part, "image_url"), "detail": detail if detail in DETAILS else "auto"}
    if kind == "input_file":
        return {"type": kind, **_kept(part, "filename", "file_data")}
    return {"type": "input_text", "text": _words(part)}


def _words(part: Mapping[str, Any]) -> str:
    """The text of a part; what has none, and no form of its own where items are given out, as JSON."""
    for name in ("text", "refusal"):
        if isinstance(part.get(name), str):
            return str(part[name])
    return "" if part.get("type") in TEXTS else dumps(part).decode()


def _output(given: Any) -> Any:
    if isinstance(given, list):
        return [_part(part, assistant=False) for part in given if isinstance(part, dict)]
    return given if isinstance(given, str) else dumps(given).decode()


def _parts(given: Any, kind: str) -> list[dict[str, Any]]:
    parts = given if isinstance(given, list) else []
    return [{"type": kind, "text": _text(part.get("text"))} for part in parts if isinstance(part, dict)]


def _kept(item: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: item[name] for name in names if isinstance(item.get(name), str)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else dumps(value).decode()
