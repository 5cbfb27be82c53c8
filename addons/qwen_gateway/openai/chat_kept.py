"""A chat answer that is stored: told whole to whoever keeps it, before the client sees its end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from qwen_gateway.codec.deltas import Delta, Usage
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.chat_stream import ChatStream
from qwen_gateway.openai.errors import OpenAIError


class KeptChat:
    """Writes an answer as its call asks, and collects it whole as well.

    Args:
        told: gets the object.
    """

    def __init__(self, call: ChatCall, dress: Dress, told: Callable[[dict[str, Any]], None]) -> None:
        self._whole = ChatObject(call, dress)
        self._shown = ChatStream(call, dress) if call.stream else self._whole
        self._told = told

    @property
    def content_type(self) -> str:
        return self._shown.content_type

    @property
    def usage(self) -> Usage | None:
        return self._whole.usage

    @property
    def problem(self) -> OpenAIError | None:
        return self._shown.problem

    def rename(self, names: Mapping[str, str]) -> None:
        self._whole.rename(names)
        self._shown.rename(names)

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """What these deltas show the client."""
        deltas = list(deltas)
        if self._shown is not self._whole:
            self._whole.write(deltas)
        return self._shown.write(deltas)

    def end(self) -> bytes:
        """What is left to send."""
        self._told(self._whole.result())
        return self._shown.end()

    def fail(self, error: OpenAIError) -> bytes:
        """A failed answer is not kept."""
        return self._shown.fail(error)


def stored_messages(messages: Sequence[Mapping[str, Any]], completion_id: str) -> list[dict[str, Any]]:
    """The messages of a call as OpenAI lists them with a stored completion."""
    return [_message(message, f"{completion_id}-{number}") for number, message in enumerate(messages)]


def _message(message: Mapping[str, Any], name: str) -> dict[str, Any]:
    content = message.get("content")
    parts = content if isinstance(content, list) else None
    shown: dict[str, Any] = {
        "id": name,
        "role": message["role"],
        "content": content if isinstance(content, str) else None,
        "refusal": message.get("refusal"),
    }
    if parts is not None:
        texts = [part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
        shown["content"] = "\n".join(texts) or None
        shown["content_parts"] = [part for part in parts if part.get("type") in ("text", "image_url")]
    if message.get("tool_calls"):
        shown["tool_calls"] = message["tool_calls"]
    return shown
