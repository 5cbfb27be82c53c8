"""Input items of the Responses API as chat messages.

An answer of the API is a row of items (reasoning, message, function calls) that chat completions hold in one assistant
message; the outputs of its calls follow it at once, wherever the client put them (upstream.md 4.3, "tool order").
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.codec.json import dumps, loads
from qwen_gateway.openai.contents import joined
from qwen_gateway.openai.errors import BadRequest, Unsupported
from qwen_gateway.openai.notices import Notice
from qwen_gateway.openai.responses_content import TEXTS, chat_content, text_field
from qwen_gateway.openai.responses_tools import TOOL_SEARCH, Tools

Item = Mapping[str, Any]
Placed = tuple[str, Any]
"""An item and where the client wrote it: `input[3]`."""

CALLS = frozenset({"function_call", "custom_tool_call", "tool_search_call"})
OUTPUTS = {
    "function_call_output": "output", "custom_tool_call_output": "output", "tool_search_output": "tools",
}  # fmt: skip
"""Outputs of calls, and the field that holds them."""

HOSTED = frozenset(
    {
        "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call",
        "mcp_list_tools", "mcp_call", "tool_search",
    }
)  # fmt: skip
"""What a provider's own tools did in earlier turns: Qwen has no word for it, and the answer that used it is there."""

Open = Callable[[str, str], str | None]
"""Opens sealed text for a purpose; None when it cannot be opened."""

REASONING, COMPACTION = "reasoning", "compaction"
"""Purposes of sealed text."""

SUMMARY = "This is your own summary of the conversation so far:"


def item_type(item: Item) -> str:
    """An item's type; messages and references may leave it out."""
    kind = item.get("type")
    if isinstance(kind, str):
        hosted = kind.startswith("tool_search_") and item.get("call_id") is None
        return "tool_search" if hosted else kind
    if "role" in item:
        return "message"
    return "item_reference" if isinstance(item.get("id"), str) and len(item) <= 2 else ""


def listed(given: Any, place: str = "input") -> list[Placed]:
    """The items of an `input`, each with its place.

    Raises:
        BadRequest: it is no text and no list of objects.
    """
    if isinstance(given, str):
        return [(place, {"type": "message", "role": "user", "content": given})]
    items: list[Placed] = []
    for number, item in enumerate(given):
        where = f"{place}[{number}]"
        if not isinstance(item, dict):
            raise BadRequest(f"Invalid '{where}': an item is an object.", param=where, code="invalid_type")
        items.append((where, item))
    return items


@dataclass(slots=True)
class _Turn:
    """An assistant message that is being put together out of items."""

    place: str
    thoughts: list[str] = field(default_factory=list)
    contents: list[Any] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


class Translation:
    """Turns items into messages.

    Args:
        tools: the call's tools, by whose names earlier calls go as well.
        open: see `Open`.
    """

    def __init__(self, tools: Tools, open: Open, notices: list[Notice]) -> None:  # noqa: A002 - done to a seal
        self._tools = tools
        self._open = open
        self._notices = notices
        self.messages: list[dict[str, Any]] = []
        self.places: list[str] = []
        self._turn: _Turn | None = None
        self._outputs: dict[int, tuple[int, str, Item]] = {}  # by the position of the call

    def translate(self, items: list[Placed]) -> None:
        """All items of a call, in order.

        Raises:
            BadRequest: malformed, an output without its call, a call without its output.
            Unsupported: an item that Qwen has no word for.
        """
        self._pair(items)
        for position, (place, item) in enumerate(items):
            self._take(position, place, item)
        self._flush()

    def _pair(self, items: list[Placed]) -> None:
        """Which output belongs to which call: ids may be used again in a later turn."""
        waiting: dict[str, list[tuple[int, str]]] = {}
        for position, (place, item) in enumerate(items):
            kind = item_type(item)
            if kind in CALLS:
                waiting.setdefault(text_field(item, "call_id", place), []).append((position, place))
            elif kind in OUTPUTS:
                call_id = text_field(item, "call_id", place)
                if not waiting.get(call_id):
                    raise BadRequest(f"No tool call found for the output with call_id {call_id}.", param=place)
                call, _ = waiting[call_id].pop()
                self._outputs[call] = (position, place, item)
        for call_id, calls in waiting.items():
            for _, place in calls:
                raise BadRequest(f"No tool output found for the call {call_id}; send its output as well.", param=place)

    def _take(self, position: int, place: str, item: Item) -> None:
        kind = item_type(item)
        if kind == "message":
            self._message(place, item)
        elif kind == "reasoning":
            self._reasoning(place, item)
        elif kind in CALLS:
            turn = self._assistant(place)
            turn.calls.append(self._call(kind, place, item))
            turn.positions.append(position)
        elif kind in OUTPUTS:
            self._flush()  # with its output, which stands there already if the message of its call does
        elif kind in HOSTED:
            self._notices.append(Notice("dropped", place, f"an earlier {kind} has no form in chat completions"))
        elif kind == "compaction":
            self._compaction(place, item)
        elif kind == "additional_tools":
            pass  # read with the tools
        else:
            known = "message, function_call, function_call_output, custom_tool_call, reasoning and the like"
            raise Unsupported(
                f"Items of type '{kind[:40]}' cannot be translated; the gateway takes {known}.", param=f"{place}.type"
            )

    def _message(self, place: str, item: Item) -> None:
        role = item.get("role")
        if role not in ("user", "assistant", "system", "developer"):
            raise BadRequest(
                f"Invalid '{place}.role': '{str(role)[:40]}'; it must be user, assistant, system or developer.",
                param=f"{place}.role",
            )
        content = chat_content(item.get("content"), f"{place}.content")
        if role == "assistant":
            turn = self._assistant(place)
            if turn.calls:  # text behind a call whose output is not there yet is still the same turn
                turn.contents.append(content)
            elif turn.contents:
                self._flush()
                self._assistant(place).contents.append(content)
            else:
                turn.contents.append(content)
            return
        self._flush()
        self._add(place, {"role": role, "content": content})

    def _reasoning(self, place: str, item: Item) -> None:
        """Our own sealed thoughts, or those that are written in the open; anybody else's cannot be read."""
        thought = None
        sealed = item.get("encrypted_content")
        if isinstance(sealed, str) and sealed:
            thought = self._open(sealed, REASONING)
            if thought is None:
                where = f"{place}.encrypted_content"
                self._notices.append(Notice("dropped", where, "it was not sealed by this gateway"))
        if thought is None:
            thought = _texts(item.get("content")) or _texts(item.get("summary"))
        if self._turn is not None and self._turn.contents and not self._turn.calls:
            self._flush()
        if thought:
            self._assistant(place).thoughts.append(thought)

    def _compaction(self, place: str, item: Item) -> None:
        """The summary that stands for what was said before; without it there is no context, so nothing goes on."""
        text_field(item, "encrypted_content", place)
        kept = opened(item, self._open, place)
        self._flush()
        for message in kept["items"]:
            self._message(place, message)
        self._add(place, {"role": "user", "content": f"{SUMMARY}\n\n{kept['summary']}"})

    def _call(self, kind: str, place: str, item: Item) -> dict[str, Any]:
        call: dict[str, Any] = {"id": item["call_id"]}
        if kind == "tool_search_call":
            arguments = item.get("arguments")
            text = arguments if isinstance(arguments, str) else dumps(arguments or {}).decode()
            return {**call, "type": "function", "function": {"name": TOOL_SEARCH, "arguments": text}}
        namespace = item.get("namespace")
        given = namespace if isinstance(namespace, str) and namespace else None
        name = self._tools.chat_name(text_field(item, "name", place), given)
        if kind == "custom_tool_call":
            return {**call, "type": "custom", "custom": {"name": name, "input": text_field(item, "input", place)}}
        arguments = item.get("arguments")
        text = dumps(arguments).decode() if isinstance(arguments, dict) else text_field(item, "arguments", place)
        return {**call, "type": "function", "function": {"name": name, "arguments": text}}

    def _assistant(self, place: str) -> _Turn:
        if self._turn is None:
            self._turn = _Turn(place)
        return self._turn

    def _flush(self) -> None:
        """The assistant message is whole; the outputs of its calls follow in the order the client sent them in."""
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if not turn.contents and not turn.calls:
            self._notices.append(Notice("dropped", turn.place, "reasoning without the message that it belongs to"))
            return
        message: dict[str, Any] = {"role": "assistant", "content": joined(turn.contents) if turn.contents else None}
        if turn.thoughts:
            message["reasoning_content"] = "\n\n".join(turn.thoughts)
        if turn.calls:
            message["tool_calls"] = turn.calls
        self._add(turn.place, message)
        for _, place, item in sorted((self._outputs[position] for position in turn.positions), key=lambda row: row[0]):
            self._add(place, self._output(place, item))

    def _output(self, place: str, item: Item) -> dict[str, Any]:
        kind = item_type(item)
        name = OUTPUTS[kind]
        given = item.get(name)
        if kind == "tool_search_output":
            content: Any = dumps({"tools": given if isinstance(given, list) else []}).decode()
        elif isinstance(given, dict):
            content = dumps(given).decode()
        else:
            content = chat_content(given, f"{place}.{name}")
        return {"role": "tool", "tool_call_id": item["call_id"], "content": content}

    def _add(self, place: str, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.places.append(place)


def opened(item: Item, open: Open, place: str = "input") -> dict[str, Any]:  # noqa: A002 - done to a seal
    """What a compaction holds: `items` and a `summary`.

    Raises:
        BadRequest: it cannot be opened.
    """
    text = open(str(item.get("encrypted_content")), COMPACTION)
    if text is None:
        raise BadRequest(
            "This compaction was not made by this gateway, or its key (seal.key) is gone; send the conversation "
            "itself.",
            param=f"{place}.encrypted_content",
            code="invalid_encrypted_content",
        )
    kept: dict[str, Any] = loads(text)
    return kept


def further_tools(items: Iterable[Placed]) -> list[tuple[str, list[Any]]]:
    """Tools that came as items: Codex's `additional_tools`, and what a client's tool search has found."""
    return [
        (f"{place}.tools", item["tools"])
        for place, item in items
        if item_type(item) in ("additional_tools", "tool_search_output") and isinstance(item.get("tools"), list)
    ]


def _texts(parts: Any) -> str:
    """The text of reasoning that is written in the open."""
    if not isinstance(parts, list):
        return ""
    found = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") in TEXTS)
    return "\n\n".join(text for text in found if isinstance(text, str) and text)
