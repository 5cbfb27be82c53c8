"""Earlier calls and their results, in the words in which the model is asked to call now (upstream.md 3.12)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qwen_gateway.codec.json import BadJSON, dumps, loads
from qwen_gateway.upstreams.tool_prompt.toolbox import Convention

NO_OUTPUT = "(Command completed successfully with no output)"


def render_history(messages: list[dict[str, Any]], convention: Convention) -> list[dict[str, Any]]:
    """The messages without tool calls and tool roles: calls as text of the assistant, results as a user's message.

    Results that follow each other share one message, and so do a user's words behind them; the given messages are left
    as they are. Text beside pictures stays a list of parts.
    """
    speak = speaker(messages, convention)
    rendered: list[dict[str, Any]] = []
    for message in messages:
        if message.get("role") == "assistant" and message.get("tool_calls"):
            kept = {name: value for name, value in message.items() if name != "tool_calls"}
            rendered.append({**kept, "content": speak(message)})
        elif message.get("role") == "tool":
            _append_user(rendered, speak(message))
        elif message.get("role") == "user" and rendered and rendered[-1].get("role") == "user":
            _append_user(rendered, message.get("content"))
        else:
            rendered.append(dict(message))
    return rendered


def speaker(messages: Sequence[Mapping[str, Any]], convention: Convention) -> Callable[[Mapping[str, Any]], str]:
    """How an assistant's message with calls, or a tool's result, reads as text; the messages tell which call a result
    belongs to."""
    names = {
        str(call.get("id")): _name(call)
        for message in messages
        for call in message.get("tool_calls") or ()
        if isinstance(call, Mapping)
    }

    def speak(message: Mapping[str, Any]) -> str:
        if message.get("role") == "tool":
            return _result(message, names, convention)
        calls = [call for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
        written = [render_call(_name(call), _function(call).get("arguments"), convention) for call in calls]
        return "\n".join([*filter(None, [_text(message.get("content"))]), *written])

    return speak


def render_call(name: str, arguments: Any, convention: Convention) -> str:
    """One call, as the model shall write it."""
    value = arguments
    if isinstance(arguments, str):
        try:
            value = loads(arguments or "{}")
        except BadJSON:
            value = arguments
    if convention == "json" or not isinstance(value, Mapping):
        body = dumps({"name": name, "arguments": value}).decode()
        return f"<tool_call>\n{body}\n</tool_call>"
    tags = [f"<{key}>{_between_tags(one)}</{key}>" for key, one in value.items()]
    return "\n".join([f"<{name}>", *tags, f"</{name}>"])


def _between_tags(value: Any) -> str:
    """Several lines begin on a line of their own, so that their own line ends are told from those of the tags."""
    text = value if isinstance(value, str) else dumps(value).decode()
    return f"\n{text}\n" if "\n" in text else text


def _result(message: Mapping[str, Any], names: Mapping[str, str], convention: Convention) -> str:
    number = str(message.get("tool_call_id") or "")
    name = str(message.get("name") or names.get(number) or "tool")
    content = _text(message.get("content"))
    if convention == "xml":
        return f"Tool Result from {name}:\n{content or NO_OUTPUT}"
    # What a tool has read must not end its own answer.
    content = (content or NO_OUTPUT).replace("</tool_response", "<\\/tool_response")
    return f'<tool_response tool_call_id="{number}" name="{name}">\n{content}\n</tool_response>'


def _append_user(rendered: list[dict[str, Any]], content: Any) -> None:
    """Behind the last message, if that is a user's: templates of many models want the roles to alternate."""
    if not rendered or rendered[-1].get("role") != "user":
        rendered.append({"role": "user", "content": content})
        return
    before = rendered[-1].get("content")
    if isinstance(before, str) and isinstance(content, str):
        joined: Any = f"{before}\n\n{content}" if before and content else before or content
    else:
        joined = [*_parts(before), *_parts(content)]
    rendered[-1] = {**rendered[-1], "content": joined}


def _parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        str(part["text"]) for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)
    )


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call.get("function")
    return function if isinstance(function, Mapping) else {}


def _name(call: Mapping[str, Any]) -> str:
    return str(_function(call).get("name") or "tool")
