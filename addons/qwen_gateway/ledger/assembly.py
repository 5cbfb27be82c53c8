"""One answer out of the events of a stream, as the client would have got it in one piece.

Knows the forms of chat completions (pieces to be joined, by choice), of the Responses API (its last event has all of
it) and of errors amid a stream. What it does not know it leaves as text; it never raises.
"""

from collections.abc import Sequence
from typing import Any

from qwen_gateway.codec import json, sse

JOINED = frozenset({"content", "reasoning_content", "refusal", "arguments", "text", "thinking"})
"""Fields whose pieces are put one behind the other; of all others the last one counts."""


def assembled(pieces: Sequence[bytes]) -> str:
    """The answer as JSON, or as the text that it was."""
    data = b"".join(pieces)
    if not looks_like_events(data):
        return data.decode("utf-8", "replace")
    whole: dict[str, Any] = {}
    for event in events(data):
        try:
            value = json.loads(event)
        except json.BadJSON:
            continue  # [DONE]
        if not isinstance(value, dict):
            continue
        if isinstance(value.get("response"), dict):
            whole = value["response"]
        elif "choices" in value or "error" in value or not str(value.get("type", "")).startswith("response."):
            merge(whole, value)
    return json.dumps(whole).decode()


def looks_like_events(data: bytes) -> bool:
    """Whether it is a stream: JSON begins otherwise."""
    return data[:64].lstrip(b"\xef\xbb\xbf\r\n \t").startswith((b"data:", b"event:", b"id:", b":", b"retry:"))


def events(data: bytes) -> list[bytes]:
    """What the events carry."""
    parser = sse.Parser()
    try:
        found = parser.feed(data)
    except sse.EventTooLong:
        return []
    return [event.data for event in found + parser.close()]


def merge(whole: dict[str, Any], chunk: dict[str, Any]) -> None:
    """Put a chunk's fields into the answer so far."""
    for name, value in chunk.items():
        if name == "choices" and isinstance(value, list):
            choices = whole.setdefault("choices", [])
            for choice in value:
                if isinstance(choice, dict):
                    _merge_choice(row_of(choices, choice), choice)
        elif name == "object" and value == "chat.completion.chunk":
            whole[name] = "chat.completion"
        elif value is not None or name not in whole:
            whole[name] = value


def _merge_choice(row: dict[str, Any], choice: dict[str, Any]) -> None:
    for name, value in choice.items():
        if name == "delta" and isinstance(value, dict):
            join(row.setdefault("message", {}), value)
        elif name in JOINED:
            join(row, {name: value})
        elif value is not None or name not in row:
            row[name] = value


def join(message: dict[str, Any], delta: dict[str, Any]) -> None:
    """Put a piece of a message behind what is there."""
    for name, value in delta.items():
        before = message.get(name)
        if isinstance(value, str) and isinstance(before, str) and name in JOINED:
            message[name] = before + value
        elif name == "tool_calls" and isinstance(value, list):
            calls = message.setdefault("tool_calls", [])
            for call in value:
                if isinstance(call, dict):
                    join(row_of(calls, call), {key: part for key, part in call.items() if key != "index"})
        elif isinstance(value, dict) and isinstance(before, dict):
            join(before, value)
        elif value is not None or name not in message:
            message[name] = dict(value) if isinstance(value, dict) else value


def row_of(rows: Any, piece: dict[str, Any]) -> dict[str, Any]:
    """The row with the piece's index, which is made when it is not there."""
    index = piece.get("index", 0)
    if not isinstance(rows, list):
        return {}
    for row in rows:
        if isinstance(row, dict) and row.get("index", 0) == index:
            return row
    row = {"index": index}
    rows.append(row)
    return row
