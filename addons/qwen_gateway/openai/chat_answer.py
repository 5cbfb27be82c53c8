"""Answers of chat completions: deltas into a stream of chunks, or into one object.

Both keep the stream contract (openai-surface.md section 5): the first delta of a choice has the role, `finish_reason`
is in every choice and null until the last, one finish per choice, usage last and only when asked for, then `[DONE]`; a
stream that fails ends with one error event and nothing after it.
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Begin, Delta, Extra, Finish, Refusal, Text, Thought, ToolCall, Usage
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai import usage as usages
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.tool_calls import ToolCallShaper, freeform_input

Thinking = Literal["reasoning_content", "tags", "hidden"]
"""Where thoughts go: a field of their own, `<think>` tags in the text, or nowhere."""


@dataclass(slots=True)
class Dress:
    """How an answer shall look, beside what the call itself says.

    Attributes:
        renamed: the upstream's name of a tool → the client's.
        thinking: where thoughts go.
        service_tier: echoed when the client asked for one.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    thinking: Thinking = "reasoning_content"
    service_tier: str | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))


class _Choice:
    """What is known of one choice while it comes."""

    __slots__ = (
        "begun", "extras", "finish", "freeform", "length", "logprobs", "refusal", "shaper", "text", "thinking",
        "thought", "tools",
    )  # fmt: skip

    def __init__(self, call: ChatCall, dress: Dress) -> None:
        self.begun = False
        self.thinking = False  # inside <think> tags
        self.finish: str | None = None
        self.shaper = ToolCallShaper(
            dress.renamed, only_first=call.body.get("parallel_tool_calls") is False or call.legacy_functions
        )
        self.freeform: dict[int, tuple[ToolCall, list[str]]] = {}
        self.text: list[str] = []
        self.thought: list[str] = []
        self.refusal: list[str] = []
        self.tools: dict[int, tuple[ToolCall, list[str]]] = {}
        self.extras: dict[str, Any] = {}
        self.logprobs: list[Any] = []
        self.length = 0

    def finish_reason(self, reason: str, legacy: bool) -> str:
        """The reason that fits what was sent: some upstreams say `stop` after a tool call, or the other way round."""
        called = bool(self.tools or self.freeform)
        if called and reason in ("stop", "tool_calls"):
            return "function_call" if legacy else "tool_calls"
        if not called and reason == "tool_calls":
            return "stop"
        return reason


class ChatStream:
    """Writes the chunks of one streamed answer."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, call: ChatCall, dress: Dress) -> None:
        self._call = call
        self._dress = dress
        self._choices = [_Choice(call, dress) for _ in range(call.choices)]
        self._usages: list[Usage] = []
        self._head: bytes | None = None
        self._tail = b',"usage":null}\n\n' if call.include_usage else b"}\n\n"
        self._fingerprint: str | None = None
        self.upstream_model: str | None = None

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported, summed over choices; None until it did."""
        return usages.add(self._usages) if self._usages else None

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """The chunks that these deltas make; empty when they show nothing."""
        out: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, Text | Thought | Refusal | ToolCall | Extra | Finish):
                if delta.choice < len(self._choices):
                    self._content(delta, self._choices[delta.choice], out)
            elif isinstance(delta, Usage):
                self._usages.append(delta)
            elif isinstance(delta, Begin):
                self.upstream_model = self.upstream_model or delta.model
                self._fingerprint = self._fingerprint or delta.system_fingerprint
        return b"".join(out)

    def end(self) -> bytes:
        """The answer is complete: usage if asked for, then `[DONE]`."""
        out: list[bytes] = []
        for number, choice in enumerate(self._choices):
            if choice.finish is None:
                self._content(Finish("stop", number), choice, out)
        if self._call.include_usage:
            usage = self.usage or usages.estimate(
                dumps(self._call.body), "x" * sum(choice.length for choice in self._choices)
            )
            head = self._begin_head().removesuffix(b'"choices":[{"index":')
            out.append(b'%b"choices":[],"usage":%b}\n\n' % (head, dumps(usages.usage_object(usage))))
        out.append(sse.DONE)
        return b"".join(out)

    def fail(self, error: OpenAIError) -> bytes:
        """The answer broke off: one error event, and no `[DONE]`."""
        return sse.data_line(error.encode())

    def _begin_head(self) -> bytes:
        if self._head is None:
            fields: dict[str, Any] = {
                "id": self._dress.id,
                "object": "chat.completion.chunk",
                "created": self._dress.created,
                "model": self._call.model,
            }
            if self._dress.service_tier:
                fields["service_tier"] = self._dress.service_tier
            if self._fingerprint:
                fields["system_fingerprint"] = self._fingerprint
            self._head = b"data: " + dumps(fields)[:-1] + b',"choices":[{"index":'
        return self._head

    def _chunk(
        self,
        number: int,
        choice: _Choice,
        delta: dict[str, Any],
        finish: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> bytes:
        if not choice.begun:
            choice.begun = True
            delta = {"role": "assistant", **({"content": ""} if "content" not in delta else {}), **delta}
        return b'%b%d,"delta":%b,"logprobs":%b,"finish_reason":%b}]%b' % (
            self._begin_head(),
            number,
            dumps(delta),
            dumps(logprobs_object(logprobs)) if logprobs else b"null",
            b'"%b"' % finish.encode() if finish else b"null",
            self._tail,
        )

    def _content(
        self, delta: Text | Thought | Refusal | ToolCall | Extra | Finish, choice: _Choice, out: list[bytes]
    ) -> None:
        if choice.finish is not None:
            return
        number = delta.choice
        if isinstance(delta, Text):
            choice.length += len(delta.text)
            text = self._leave_thinking(choice) + delta.text
            out.append(self._chunk(number, choice, {"content": text}, logprobs=delta.logprobs))
        elif isinstance(delta, Thought):
            choice.length += len(delta.text)
            shown = self._thought(delta.text, choice)
            if shown:
                out.append(self._chunk(number, choice, shown))
        elif isinstance(delta, ToolCall):
            piece = choice.shaper.shape(delta)
            if piece:
                choice.length += len(piece.arguments)
                self._tool_call(number, choice, piece, out)
        elif isinstance(delta, Refusal):
            out.append(self._chunk(number, choice, {"refusal": delta.text}))
        elif isinstance(delta, Extra):
            out.append(self._chunk(number, choice, delta.fields))
        else:
            self._finish(number, choice, delta.reason, out)

    def _thought(self, text: str, choice: _Choice) -> dict[str, Any] | None:
        match self._dress.thinking:
            case "reasoning_content":
                return {"reasoning_content": text}
            case "tags":
                opening = "" if choice.thinking else "<think>\n"
                choice.thinking = True
                return {"content": opening + text}
            case _:
                return None

    def _leave_thinking(self, choice: _Choice) -> str:
        if not choice.thinking:
            return ""
        choice.thinking = False
        return "\n</think>\n\n"

    def _tool_call(self, number: int, choice: _Choice, piece: ToolCall, out: list[bytes]) -> None:
        closing = self._leave_thinking(choice)
        if closing:
            out.append(self._chunk(number, choice, {"content": closing}))
        if piece.name is not None and piece.name in self._call.custom_tools:
            choice.freeform[piece.index] = (piece, [piece.arguments])
            return
        if piece.index in choice.freeform:
            choice.freeform[piece.index][1].append(piece.arguments)
            return
        function: dict[str, Any] = {"arguments": piece.arguments}
        entry: dict[str, Any] = {"index": piece.index, "function": function}
        if piece.id is not None:
            choice.tools[piece.index] = (piece, [])
            entry = {"index": piece.index, "id": piece.id, "type": "function", "function": function}
            entry["function"] = function = {"name": piece.name, "arguments": piece.arguments}
        if self._call.legacy_functions:
            out.append(self._chunk(number, choice, {"function_call": function}))
        else:
            out.append(self._chunk(number, choice, {"tool_calls": [entry]}))

    def _finish(self, number: int, choice: _Choice, reason: str, out: list[bytes]) -> None:
        closing = self._leave_thinking(choice)
        if closing:
            out.append(self._chunk(number, choice, {"content": closing}))
        for piece, arguments in choice.freeform.values():
            # OpenAI's description of chunks has no freeform calls; `type` stays away so that the chunk is valid.
            call = {
                "index": piece.index,
                "id": piece.id,
                "custom": {"name": piece.name, "input": freeform_input("".join(arguments))},
            }
            out.append(self._chunk(number, choice, {"tool_calls": [call]}))
        choice.finish = choice.finish_reason(reason, self._call.legacy_functions)
        out.append(self._chunk(number, choice, {}, finish=choice.finish))


class ChatObject:
    """Collects the deltas of an answer into one `chat.completion`."""

    content_type = "application/json"

    def __init__(self, call: ChatCall, dress: Dress) -> None:
        self._call = call
        self._dress = dress
        self._choices = [_Choice(call, dress) for _ in range(call.choices)]
        self._usages: list[Usage] = []
        self._fingerprint: str | None = None
        self.upstream_model: str | None = None

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported, summed over choices; None until it did."""
        return usages.add(self._usages) if self._usages else None

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """Take more deltas; an object is sent whole, so nothing goes out yet."""
        for delta in deltas:
            if isinstance(delta, Text | Thought | Refusal | ToolCall | Extra | Finish):
                if delta.choice < len(self._choices):
                    self._content(delta, self._choices[delta.choice])
            elif isinstance(delta, Usage):
                self._usages.append(delta)
            elif isinstance(delta, Begin):
                self.upstream_model = self.upstream_model or delta.model
                self._fingerprint = self._fingerprint or delta.system_fingerprint
        return b""

    def end(self) -> bytes:
        """The object as JSON."""
        return dumps(self.result())

    def fail(self, error: OpenAIError) -> bytes:
        """The error as JSON; it is sent with its own status, for nothing went out before."""
        return error.encode()

    def result(self) -> dict[str, Any]:
        """The object."""
        answer: dict[str, Any] = {
            "id": self._dress.id,
            "object": "chat.completion",
            "created": self._dress.created,
            "model": self._call.model,
            "choices": [self._choice_object(number, choice) for number, choice in enumerate(self._choices)],
            "usage": usages.usage_object(self.usage or self._estimate()),
        }
        if self._dress.service_tier:
            answer["service_tier"] = self._dress.service_tier
        if self._fingerprint:
            answer["system_fingerprint"] = self._fingerprint
        return answer

    def _estimate(self) -> Usage:
        return usages.estimate(dumps(self._call.body), "x" * sum(choice.length for choice in self._choices))

    def _content(self, delta: Text | Thought | Refusal | ToolCall | Extra | Finish, choice: _Choice) -> None:
        if isinstance(delta, Text):
            choice.length += len(delta.text)
            choice.text.append(delta.text)
            if delta.logprobs:
                choice.logprobs.extend(delta.logprobs.get("content") or ())
        elif isinstance(delta, Thought):
            choice.length += len(delta.text)
            choice.thought.append(delta.text)
        elif isinstance(delta, Refusal):
            choice.refusal.append(delta.text)
        elif isinstance(delta, ToolCall):
            piece = choice.shaper.shape(delta)
            if piece is None:
                return
            choice.length += len(piece.arguments)
            if piece.id is not None:
                choice.tools[piece.index] = (piece, [piece.arguments])
            else:
                choice.tools[piece.index][1].append(piece.arguments)
        elif isinstance(delta, Extra):
            choice.extras.update(delta.fields)
        elif choice.finish is None:
            choice.finish = choice.finish_reason(delta.reason, self._call.legacy_functions)

    def _choice_object(self, number: int, choice: _Choice) -> dict[str, Any]:
        text, thought = "".join(choice.text), "".join(choice.thought)
        message: dict[str, Any] = {
            **choice.extras,
            "role": "assistant",
            "content": text if text or not choice.tools else None,
            "refusal": "".join(choice.refusal) or None,
        }
        if thought and self._dress.thinking == "reasoning_content":
            message["reasoning_content"] = thought
        elif thought and self._dress.thinking == "tags":
            message["content"] = f"<think>\n{thought}\n</think>\n\n{text}"
        calls = [self._call_object(piece, "".join(arguments)) for piece, arguments in choice.tools.values()]
        if calls and self._call.legacy_functions:
            message["function_call"] = calls[0]["function"]
        elif calls:
            message["tool_calls"] = calls
        return {
            "index": number,
            "message": message,
            "logprobs": logprobs_object({"content": choice.logprobs}) if choice.logprobs else None,
            "finish_reason": choice.finish or "stop",
        }

    def _call_object(self, piece: ToolCall, arguments: str) -> dict[str, Any]:
        if piece.name in self._call.custom_tools:
            custom = {"name": piece.name, "input": freeform_input(arguments)}
            return {"id": piece.id, "type": "custom", "custom": custom}
        return {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": arguments or "{}"}}


def logprobs_object(logprobs: dict[str, Any]) -> dict[str, Any]:
    """Log probabilities with every key that OpenAI's description requires."""
    return {
        "content": [_token_object(item, nested=True) for item in logprobs.get("content") or ()],
        "refusal": logprobs.get("refusal"),
    }


def _token_object(item: dict[str, Any], *, nested: bool) -> dict[str, Any]:
    token = {"token": item.get("token") or "", "logprob": item.get("logprob", 0.0), "bytes": item.get("bytes")}
    if nested:
        token["top_logprobs"] = [_token_object(top, nested=False) for top in item.get("top_logprobs") or ()]
    return token
