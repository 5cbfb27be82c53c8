"""What the two forms of a response share: deltas become output items, opened and closed in order.

One item is open at a time, except calls of tools that an upstream writes in turns: a call stays open until its
arguments are whole. `responses_stream.py` tells of each step, `responses_object.py` of the end only.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

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
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai import usage as usages
from qwen_gateway.openai.chat_choice import CUT_OFF, Dress
from qwen_gateway.openai.chat_object import is_citation
from qwen_gateway.openai.errors import OpenAIError, UpstreamError
from qwen_gateway.openai.responses_calls import Call, call_item
from qwen_gateway.openai.responses_echo import response_object
from qwen_gateway.openai.responses_events import Events
from qwen_gateway.openai.responses_items import REASONING
from qwen_gateway.openai.responses_message import Message
from qwen_gateway.openai.responses_output import Item, Reasoning, Status
from qwen_gateway.openai.responses_request import ResponsesCall
from qwen_gateway.openai.responses_tools import Called
from qwen_gateway.openai.sealing import Seal
from qwen_gateway.openai.tool_calls import ToolCallShaper
from qwen_gateway.openai.usage import response_usage

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is not whole: chat's word, the Responses API's word."""

CODES = {
    "context_length_exceeded": "context_length_exceeded", "insufficient_quota": "insufficient_quota",
    "rate_limit_exceeded": "rate_limit_exceeded", "content_policy_violation": "invalid_prompt",
    "invalid_value": "invalid_prompt",
}  # fmt: skip
"""Codes of a failed response, by which clients decide (openai-surface.md section 2, Codex); all others are
`server_error`, and the message says more."""


class ResponsesAnswer:
    """Takes the deltas of one answer."""

    def __init__(self, call: ResponsesCall, dress: Dress, seal: Seal, events: Events) -> None:
        self._call = call
        self._dress = dress
        self._seal = seal
        self._events = events
        self._response = response_object(call, dress.created, dress.service_tier)
        self._queued = self._begun = False
        self._items: list[Item] = []
        self._open: Message | Reasoning | None = None
        self._calls: dict[int, Call] = {}
        self._shaper = ToolCallShaper(dress.renamed, only_first=call.body.get("parallel_tool_calls") is False)
        self._finished: str | None = None
        self._length = 0
        self._usage: Usage | None = None
        self.upstream_model: str | None = None
        self.problem: OpenAIError | None = None

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported; None until it did."""
        return self._usage

    def rename(self, names: Mapping[str, str]) -> None:
        """The upstream's name of a tool → the client's; known when the call was encoded for an account."""
        self._shaper.renamed = names

    @property
    def response(self) -> dict[str, Any]:
        """The response as it is now."""
        return self._response

    def take(self, deltas: Iterable[Delta]) -> None:
        """Take deltas; the events tell of what they make visible."""
        for delta in deltas:
            if isinstance(delta, Begin):
                self.upstream_model = self.upstream_model or delta.model
            elif isinstance(delta, Usage):
                self._usage = delta  # the last one counts: some upstreams count on in every chunk
            elif not isinstance(delta, Fault | Vector) and self._finished is None and delta.choice == 0:
                self.begin()
                self._take(delta)

    def queue(self) -> None:
        """The response is created but waits: one that is made in the background."""
        self._queued = True
        self._response = self._response | {"status": "queued"}
        for kind in ("response.created", "response.queued"):
            self._events.event(kind, {"response": self._response})

    def begin(self) -> None:
        """The response is created; told once, before anything else."""
        if not self._begun:
            self._begun = True
            self._response = self._response | {"status": "in_progress"}
            for kind in ("response.in_progress",) if self._queued else ("response.created", "response.in_progress"):
                self._events.event(kind, {"response": self._response})

    def complete(self) -> dict[str, Any]:
        """The answer is over: what is open is closed, and the response is as it stays."""
        self.begin()
        if self._finished is None:
            self._close(Finish("stop"))
        usage = self._usage or usages.estimate(dumps(self._call.body), self._length)
        ended = {"output": [item.value for item in self._items], "usage": response_usage(usage)}
        broken = next((call.value for call in self._calls.values() if call.broken), None)
        reason = INCOMPLETE.get(self._finished or "")
        if broken is not None:
            said = f"The model's arguments for the tool '{broken.get('name', broken['type'])}' are not JSON; try again."
            error = {"code": "server_error", "message": said}
            self.problem = UpstreamError(said, code="upstream_malformed")
            self._response = self._response | ended | {"status": "failed", "error": error}
        elif reason:
            self._response = self._response | ended | {"status": "incomplete", "incomplete_details": {"reason": reason}}
        else:
            self._response = self._response | ended | {"status": "completed", "completed_at": int(time.time())}
        self._events.event(f"response.{self._response['status']}", {"response": self._response})
        self._tell()
        return self._response

    def break_off(self, error: OpenAIError) -> dict[str, Any]:
        """The answer failed: items that were done stand, what was open stays open."""
        self.begin()
        failed: dict[str, Any] = {
            "status": "failed",
            "error": {"code": CODES.get(error.code or "", "server_error"), "message": error.message},
            "output": [item.value for item in self._items if item.done],
        }
        if self._usage:
            failed["usage"] = response_usage(self._usage)
        self._response = self._response | failed
        self._events.event("response.failed", {"response": self._response})
        self._tell()
        return self._response

    def cancel(self) -> None:
        """Nobody wants it any more; OpenAI has no event for that."""
        done = [item.value for item in self._items if item.done]
        self._response = self._response | {"status": "cancelled", "output": done}

    def _tell(self) -> None:
        """Whoever keeps responses learns of it before the client does, so that the client can refer to it at once."""
        if self._call.when_answered is not None:
            self._call.when_answered(self._response)

    def _take(self, delta: Text | Thought | Refusal | ToolCall | Extra | Finish) -> None:
        if isinstance(delta, Text):
            self._length += len(delta.text)
            self._message().text(delta.text, delta.logprobs)
        elif isinstance(delta, Thought):
            self._length += len(delta.text)
            self._think(delta.text)
        elif isinstance(delta, ToolCall):
            if piece := self._shaper.shape(delta):
                self._length += len(piece.arguments)
                self._tool_call(piece)
        elif isinstance(delta, Refusal):
            self._message().refuse(delta.text)
        elif isinstance(delta, Extra):
            for row in delta.fields.get("annotations") or ():
                if is_citation(row):
                    self._message().annotate({"type": "url_citation", **row["url_citation"]})
        else:
            self._close(delta)

    def _message(self) -> Message:
        if not isinstance(self._open, Message):
            self._settle()
            self._open = Message(self._events, len(self._items), f"msg_{self._suffix()}")
            self._items.append(self._open)
        return self._open

    def _think(self, text: str) -> None:
        shown = self._dress.thinking != "hidden"
        if not shown and not self._call.sealed:
            return
        if not isinstance(self._open, Reasoning):
            self._settle()
            self._open = Reasoning(self._events, len(self._items), f"rs_{self._suffix()}", shown=shown)
            self._items.append(self._open)
        self._open.add(text)

    def _tool_call(self, piece: ToolCall) -> None:
        call = self._calls.get(piece.index)
        if call is not None:
            if not call.done:
                call.add(piece.arguments)
            return
        self._settle()
        name = piece.name or ""
        called = self._call.called.get(name, Called("function", name))
        call = call_item(self._events, len(self._items), self._suffix(), piece, called)
        self._calls[piece.index] = call
        self._items.append(call)

    def _settle(self) -> None:
        """Something new begins: close what is whole."""
        self._close_open("completed")
        for call in self._calls.values():
            if not call.done and call.whole:
                call.close("completed")

    def _close_open(self, status: Status) -> None:
        item, self._open = self._open, None
        if isinstance(item, Reasoning) and self._call.sealed:
            item.sealed = self._seal.seal(item.text, REASONING)
        if item is not None:
            item.close(status)

    def _close(self, finish: Finish) -> None:
        """The model said its last word."""
        cut = finish.reason in CUT_OFF
        if not cut:
            for piece in self._shaper.missing(0):
                self._tool_call(piece)
        status: Status = "incomplete" if cut else "completed"
        self._close_open(status)
        for call in self._calls.values():
            call.close(status)
        self._finished = finish.reason

    def _suffix(self) -> str:
        return f"{self._call.id.removeprefix('resp_')}{len(self._items):02x}"
