"""Messages in the form that Qwen services take (upstream.md 4.3, openai-surface.md section 4).

One system message, first; `developer` is `system`; text-only parts flattened to a string, unless they carry a cache
marker (4.9); `content: null` beside tool calls as an empty string; pictures in tool results moved to a user message.
"""

from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.contents import joined
from qwen_gateway.openai.errors import Unsupported
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.facts import Facts

OF_ANSWERS = frozenset({"annotations", "audio", "refusal", "function_call"})
"""Fields of an answer's message that are not sent again."""

TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})


def encode_messages(messages: list[dict[str, Any]], facts: Facts, notices: list[Notice]) -> list[dict[str, Any]]:
    """The messages as the upstream gets them; the given ones are left as they are.

    Raises:
        Unsupported: a part that the model cannot take; nothing is dropped silently.
    """
    system: list[Any] = []
    rest: list[dict[str, Any]] = []
    pictures = False
    for index, message in enumerate(messages):
        role = message["role"]
        if role in ("system", "developer"):
            if role == "developer":
                notices.append(Notice("translated", f"messages[{index}].role", "developer is sent as system"))
            if rest:
                notices.append(Notice("translated", f"messages[{index}]", "moved to the front with the other system"))
            system.append(_content(message.get("content"), f"messages[{index}]", facts, notices))
        elif role == "tool":
            result = _tool(message, index, facts, notices)
            pictures = pictures or len(result) > 1
            rest.extend(result)
        else:
            rest.append(_message(message, index, facts, notices))
    if pictures:
        rest = _pictures_after_tools(rest)
    return [{"role": "system", "content": joined(system)}, *rest] if system else rest


def _message(message: dict[str, Any], index: int, facts: Facts, notices: list[Notice]) -> dict[str, Any]:
    """A user or assistant message without nulls and without what only answers carry."""
    kept = {name: value for name, value in message.items() if value is not None and name not in OF_ANSWERS}
    if isinstance(message.get("audio"), dict):
        notices.append(Notice("dropped", f"messages[{index}].audio", "an earlier answer's sound is not sent again"))
    content = _content(message.get("content"), f"messages[{index}]", facts, notices)
    if not content and isinstance(message.get("refusal"), str):
        content = message["refusal"]
    kept["content"] = content
    if calls := kept.get("tool_calls"):
        kept["tool_calls"] = [_history_call(call) for call in calls]
    elif "tool_calls" in kept:
        del kept["tool_calls"]
    return kept


def _history_call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        arguments = dumps(arguments).decode()
    return {
        **call,
        "type": "function",
        "function": {**function, "arguments": arguments or "{}"},
    }


def _tool(message: dict[str, Any], index: int, facts: Facts, notices: list[Notice]) -> list[dict[str, Any]]:
    """A tool's result as one string; its pictures in a user message, which goes behind the last result."""
    content = message.get("content")
    result = {name: value for name, value in message.items() if value is not None}
    if not isinstance(content, list):
        result["content"] = content or ""
        return [result]
    texts = [part.get("text") or "" for part in content if part.get("type") in TEXT_PARTS]
    others = [part for part in content if part.get("type") not in TEXT_PARTS]
    result["content"] = "\n".join(texts)
    if not others:
        return [result]
    notices.append(Notice("translated", f"messages[{index}].content", "pictures of a tool's result follow as user"))
    lead = {"type": "text", "text": f"The result of tool call {message.get('tool_call_id', '')} contains:"}
    return [result, {"role": "user", "content": _parts([lead, *others], f"messages[{index}]", facts), _MOVED: True}]


_MOVED = "\0moved"  # marks pictures that wait for the end of a run of tool results


def _pictures_after_tools(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A run of tool results must not be interrupted (4.3, "tool order"): pictures wait for its end."""
    ordered: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for message in messages:
        if message.pop(_MOVED, False):
            waiting.append(message)
            continue
        if message["role"] != "tool":
            ordered.extend(waiting)
            waiting.clear()
        ordered.append(message)
    return ordered + waiting


def _content(content: Any, place: str, facts: Facts, notices: list[Notice]) -> Any:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if all(part.get("type") in TEXT_PARTS and "cache_control" not in part for part in content):
        return "\n".join(part.get("text") or part.get("refusal") or "" for part in content)
    return _parts(content, place, facts)


def _parts(parts: list[dict[str, Any]], place: str, facts: Facts) -> list[dict[str, Any]]:
    return [_part(part, f"{place}.content[{number}]", facts) for number, part in enumerate(parts)]


def _part(part: dict[str, Any], place: str, facts: Facts) -> dict[str, Any]:
    kind = part.get("type")
    if kind in TEXT_PARTS:
        marker = {"cache_control": part["cache_control"]} if "cache_control" in part else {}
        return {"type": "text", "text": part.get("text") or part.get("refusal") or "", **marker}
    if kind in ("image_url", "input_image"):
        if facts.sees is False:
            raise Unsupported(
                "This model takes no images; ask for one that does (qwen3.7-plus, qwen3-vl-plus), or set "
                "qwen_vision_model so that the gateway chooses it.",
                param=place,
            )
        image = part.get("image_url")
        if isinstance(image, str):
            image = {"url": image}
        if not isinstance(image, dict) or not isinstance(image.get("url"), str):
            raise Unsupported("An image part needs `image_url.url`.", param=f"{place}.image_url")
        return {"type": "image_url", "image_url": image}
    if kind == "video_url" and facts.sees is not False:
        return part
    if kind == "input_audio":
        if facts.hears or facts.sees is None:
            return part
        raise Unsupported("This model takes no audio; ask for an omni model (qwen3.5-omni-plus).", param=place)
    if kind == "file":
        raise Unsupported(
            "Files are not taken by Qwen's chat completions; put the text of the file into the message.", param=place
        )
    raise Unsupported(f"Content parts of type '{str(kind)[:40]}' cannot be translated.", param=place)


def has_images(messages: list[dict[str, Any]]) -> bool:
    """Whether any message carries a picture."""
    return any(
        part.get("type") in ("image_url", "input_image")
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )
