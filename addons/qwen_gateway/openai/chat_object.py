"""The whole form of a chat answer: deltas into one `chat.completion`."""

from typing import Any

from qwen_gateway.codec.deltas import Extra, Finish, Refusal, Text, Thought, ToolCall
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.chat_choice import CLOSING, OPENING, ChatAnswer, Choice, Dress
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.logprobs import logprobs_object
from qwen_gateway.openai.tool_calls import freeform_input


class ChatObject(ChatAnswer):
    """Collects the deltas of an answer; it is sent whole, so `write` shows nothing."""

    content_type = "application/json"

    def __init__(self, call: ChatCall, dress: Dress) -> None:
        super().__init__(call, dress)
        self._refusals: dict[int, str] = {}
        self._extras: dict[int, dict[str, Any]] = {}
        self._audio: dict[int, list[dict[str, Any]]] = {}
        self._logprobs: dict[int, dict[str, list[Any]]] = {}

    def end(self) -> bytes:
        """The object as JSON."""
        return dumps(self.result())

    def fail(self, error: OpenAIError) -> bytes:
        """The error as JSON; it is sent with its own status, for nothing went out before."""
        return error.encode()

    def result(self) -> dict[str, Any]:
        """The object."""
        for number, choice in enumerate(self._choices):
            if choice.finish is None:
                self._close(Finish("stop", number), choice, [])
        answer: dict[str, Any] = {
            "id": self._dress.id,
            "object": "chat.completion",
            "created": self._dress.created,
            "model": self._call.model,
            "choices": [self._choice_object(number, choice) for number, choice in enumerate(self._choices)],
            "usage": self._usage_or_estimate(),
        }
        if self._dress.service_tier:
            answer["service_tier"] = self._dress.service_tier
        if self._fingerprint:
            answer["system_fingerprint"] = self._fingerprint
        return answer

    def _text(self, delta: Text, choice: Choice, out: list[bytes]) -> None:
        choice.text.append(delta.text)
        if delta.logprobs:
            kept = self._logprobs.setdefault(delta.choice, {})
            for name, rows in delta.logprobs.items():
                if isinstance(rows, list):
                    kept.setdefault(name, []).extend(rows)

    def _thought(self, delta: Thought, choice: Choice, out: list[bytes]) -> None:
        choice.thought.append(delta.text)

    def _refusal(self, delta: Refusal, choice: Choice, out: list[bytes]) -> None:
        self._refusals[delta.choice] = self._refusals.get(delta.choice, "") + delta.text

    def _tool_call(self, piece: ToolCall, choice: Choice, out: list[bytes]) -> None:
        choice.collect(piece)

    def _extra(self, delta: Extra, choice: Choice, out: list[bytes]) -> None:
        kept = self._extras.setdefault(delta.choice, {})
        if citations := [row for row in delta.fields.get("annotations", ()) if is_citation(row)]:
            kept.setdefault("annotations", []).extend(citations)
        if "audio" in delta.fields:
            self._audio.setdefault(delta.choice, []).append(delta.fields["audio"])

    def _finish(self, delta: Finish, choice: Choice, out: list[bytes]) -> None:
        """Nothing is shown before the end."""

    def _choice_object(self, number: int, choice: Choice) -> dict[str, Any]:
        text, thought = "".join(choice.text), "".join(choice.thought)
        shown = bool(thought) and self._dress.thinking == "tags"
        message: dict[str, Any] = {
            "role": "assistant",
            "content": f"{OPENING}{thought}{CLOSING}{text}" if shown else text if text or not choice.calls else None,
            "refusal": self._refusals.get(number),
            **self._extras.get(number, {}),
        }
        if number in self._audio and (audio := spoken(self._audio[number])):
            message["audio"] = audio
        if thought and self._dress.thinking == "reasoning_content":
            message["reasoning_content"] = thought
        calls = [self._call_object(piece, "".join(arguments)) for piece, arguments in choice.calls.values()]
        if calls and self._call.legacy_functions:
            message["function_call"] = calls[0]["function"]
        elif calls:
            message["tool_calls"] = calls
        logprobs = self._logprobs.get(number)
        return {
            "index": number,
            "message": message,
            "logprobs": logprobs_object(logprobs) if logprobs else None,
            "finish_reason": choice.finish,
        }

    def _call_object(self, piece: ToolCall, arguments: str) -> dict[str, Any]:
        if piece.name in self._call.custom_tools:
            custom = {"name": piece.name, "input": freeform_input(arguments)}
            return {"id": piece.id, "type": "custom", "custom": custom}
        return {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": arguments}}


def is_citation(row: Any) -> bool:
    """Whether an annotation is the one kind that OpenAI's description knows."""
    citation = row.get("url_citation") if isinstance(row, dict) and row.get("type") == "url_citation" else None
    return isinstance(citation, dict) and all(
        type(citation.get(name)) is kind
        for name, kind in (("start_index", int), ("end_index", int), ("url", str), ("title", str))
    )


def spoken(pieces: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The pieces of a spoken answer as one; None without an id."""
    name = next((piece["id"] for piece in pieces if isinstance(piece.get("id"), str)), None)
    if name is None:
        return None
    expiries = [piece["expires_at"] for piece in pieces if type(piece.get("expires_at")) is int]
    data, transcript = (
        "".join(piece[key] for piece in pieces if isinstance(piece.get(key), str)) for key in ("data", "transcript")
    )
    return {"id": name, "expires_at": max(expiries, default=0), "data": data, "transcript": transcript}
