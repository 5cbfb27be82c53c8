"""What the two forms of a chat answer share: how it shall look, what is known of each choice, what is counted.

Both keep the stream contract (openai-surface.md section 5): one finish per choice and nothing after it, tool calls
exact, usage summed over choices. `chat_stream.py` and `chat_object.py` say how the pieces are shown.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qwen_gateway.codec.deltas import (
    Begin,
    Delta,
    Extra,
    Fault,
    Finish,
    Refusal,
    Text,
    Thought,
    ToolCall,
    Usage,
    Vector,
)
from qwen_gateway.codec.ids import random_hex
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai import usage as usages
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.tool_calls import ToolCallShaper

Thinking = Literal["reasoning_content", "tags", "hidden"]
"""Where thoughts go: a field of their own, `<think>` tags in the text, or nowhere."""

Content = Text | Thought | Refusal | ToolCall | Extra | Finish
"""Deltas that belong to a choice."""

NO_CHOICES = (Fault, Vector)
"""Deltas that are the engine's affair, and another surface's."""

OPENING, CLOSING = "<think>\n", "\n</think>\n\n"


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
    id: str = field(default_factory=lambda: f"chatcmpl-{random_hex(16)}")
    created: int = field(default_factory=lambda: int(time.time()))


class Choice:
    """What is known of one choice while it comes."""

    __slots__ = ("called", "calls", "finish", "length", "opened", "shaper", "text", "thinking", "thought")

    def __init__(self, call: ChatCall, dress: Dress) -> None:
        self.opened: bytes | None = None  # a stream: what every further chunk of the choice begins with
        self.thinking = False  # a stream: inside <think> tags
        self.finish: str | None = None
        self.called = False
        self.shaper = ToolCallShaper(
            dress.renamed, only_first=call.body.get("parallel_tool_calls") is False or call.legacy_functions
        )
        self.calls: dict[int, tuple[ToolCall, list[str]]] = {}  # calls that are shown whole
        self.text: list[str] = []
        self.thought: list[str] = []
        self.length = 0

    def collect(self, piece: ToolCall) -> None:
        """Keep a piece of a call that is shown whole."""
        if piece.id is not None:
            self.calls[piece.index] = (piece, [piece.arguments])
        else:
            self.calls[piece.index][1].append(piece.arguments)

    def finish_reason(self, reason: str, *, legacy: bool) -> str:
        """The reason that fits what was sent: some upstreams say `stop` after a tool call, or the other way round."""
        if self.called and reason in ("stop", "tool_calls"):
            return "function_call" if legacy else "tool_calls"
        if not self.called and reason == "tool_calls":
            return "stop"
        return reason


class ChatAnswer(ABC):
    """Takes the deltas of one answer."""

    content_type: str
    problem: OpenAIError | None = None

    def __init__(self, call: ChatCall, dress: Dress) -> None:
        self._call = call
        self._dress = dress
        self._choices = [Choice(call, dress) for _ in range(call.choices)]
        self._usages: dict[int, Usage] = {}
        self._fingerprint: str | None = None
        self.upstream_model: str | None = None

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported, summed over choices; None until it did."""
        return usages.add(list(self._usages.values())) if self._usages else None

    def rename(self, renamed: Mapping[str, str]) -> None:
        """The upstream's name of a tool → the client's; known when the call was encoded for an account."""
        for choice in self._choices:
            choice.shaper.renamed = renamed

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """Take deltas; what they make visible, empty when that is nothing."""
        out: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, Begin):
                self.upstream_model = self.upstream_model or delta.model
                self._fingerprint = self._fingerprint or delta.system_fingerprint
            elif isinstance(delta, NO_CHOICES):
                continue
            elif 0 <= delta.choice < len(self._choices):
                if isinstance(delta, Usage):
                    self._usages[delta.choice] = delta  # the last one counts: some upstreams count on in every chunk
                    continue
                choice = self._choices[delta.choice]
                if choice.finish is None:
                    self._take(delta, choice, out)
        return b"".join(out)

    @abstractmethod
    def end(self) -> bytes:
        """The answer is complete: what is left to send."""

    def _take(self, delta: Content, choice: Choice, out: list[bytes]) -> None:
        if isinstance(delta, Text):
            choice.length += len(delta.text)
            self._text(delta, choice, out)
        elif isinstance(delta, Thought):
            choice.length += len(delta.text)
            self._thought(delta, choice, out)
        elif isinstance(delta, ToolCall):
            if piece := choice.shaper.shape(delta):
                choice.called = True
                choice.length += len(piece.arguments)
                self._tool_call(piece, choice, out)
        elif isinstance(delta, Refusal):
            self._refusal(delta, choice, out)
        elif isinstance(delta, Extra):
            fields = {name: value for name, value in delta.fields.items() if isinstance(value, SHOWN.get(name, ()))}
            if fields:
                self._extra(Extra(fields, delta.choice), choice, out)
        else:
            self._close(delta, choice, out)

    def _close(self, delta: Finish, choice: Choice, out: list[bytes]) -> None:
        if delta.reason not in CUT_OFF:
            for piece in choice.shaper.missing(delta.choice):
                self._tool_call(piece, choice, out)
        reason = choice.finish_reason(delta.reason, legacy=self._call.legacy_functions)
        self._finish(Finish(reason, delta.choice), choice, out)
        choice.finish = reason

    def _usage_or_estimate(self) -> dict[str, Any]:
        usage = self.usage
        if usage is None:
            usage = usages.estimate(dumps(self._call.body), sum(choice.length for choice in self._choices))
        return usages.usage_object(usage)

    @abstractmethod
    def _text(self, delta: Text, choice: Choice, out: list[bytes]) -> None: ...

    @abstractmethod
    def _thought(self, delta: Thought, choice: Choice, out: list[bytes]) -> None: ...

    @abstractmethod
    def _refusal(self, delta: Refusal, choice: Choice, out: list[bytes]) -> None: ...

    @abstractmethod
    def _tool_call(self, piece: ToolCall, choice: Choice, out: list[bytes]) -> None: ...

    @abstractmethod
    def _extra(self, delta: Extra, choice: Choice, out: list[bytes]) -> None: ...

    @abstractmethod
    def _finish(self, delta: Finish, choice: Choice, out: list[bytes]) -> None: ...


SHOWN: dict[str, type] = {"annotations": list, "audio": dict}
"""Fields of a message that OpenAI has beside those read here, also in its streams. What is no one's stays away:
OpenAI's clients in strict languages refuse answers with unknown fields."""

CUT_OFF = frozenset({"length", "content_filter"})
"""Reasons after which a tool call may be half there, and must not be made to look whole."""
