"""An exchange: one client call from start to end, as the observers see it. Plain values, no I/O."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from qwen_gateway.codec.deltas import Fault, Usage
from qwen_gateway.codec.ids import ordered_hex
from qwen_gateway.openai.call import Call
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.notices import Notice
from qwen_gateway.router import Surface
from qwen_gateway.tokens.prompt import Measure

Outcome = Literal["running", "finished", "failed", "cancelled"]


@dataclass(slots=True)
class Attempt:
    """One try with one account.

    Attributes:
        request: method, URL, headers without credentials, body: what a flow of its own shows.
        shown: the client has seen some of its answer.
        fault, verdict: how it failed; None while it runs and when it went well.
        received: what came as the answer, as far as the exchange's `keep` goes.
    """

    number: int
    account: str
    why: str
    model: str
    url: str
    headers: dict[str, str]
    body: bytes
    started: float = field(default_factory=time.time)
    ended: float | None = None
    status: int | None = None
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = b""
    shown: bool = False
    fault: Fault | None = None
    verdict: str | None = None
    received: list[bytes] = field(default_factory=list)
    method: str = "POST"


@dataclass(slots=True)
class Sent:
    """What the client got.

    Attributes:
        status: of HTTP; None while nothing was sent.
        pieces: the bytes, of a stream perhaps only the first ones; `size` counts all.
    """

    status: int | None = None
    streamed: bool = False
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True, weakref_slot=True, eq=False)
class Exchange:
    """One call.

    Attributes:
        request_body: the client's, unpacked, as it was parsed.
        id: ours; the client sees it as `x-request-id`.
        model: the upstream's model, once resolved.
        cache: what the client said about answers that are kept: `use`, `off`, or nothing.
        repeated: it was answered with one that was kept.
        caller: the ID of the key that the client showed; empty where none is needed.
        wanted_account: the account that the client asked for.
        home: the account that has the conversation.
        error: what the client was told, when it failed.
        measure: the size of the prompt, before any upstream said so.
        estimated: the tokens that the upstream was expected to report for it; known when the exchange has ended.
        sent: what the client got.
        keep: bytes of each attempt's answer that somebody wants to have kept.
    """

    call: Call
    surface: Surface = "chat"
    request_body: bytes = b""
    id: str = field(default_factory=lambda: f"req_{ordered_hex()}")
    started: float = field(default_factory=time.time)
    model: str = ""
    caller: str = ""
    cache: str = ""
    repeated: bool = False
    wanted_account: str | None = None
    home: str | None = None
    account: str | None = None
    why: str = ""
    notices: list[Notice] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Outcome = "running"
    error: OpenAIError | None = None
    usage: Usage | None = None
    first_byte: float | None = None
    ended: float | None = None
    upstream_request_id: str | None = None
    measure: Measure | None = None
    estimated: int | None = None
    sent: Sent = field(default_factory=Sent)
    keep: int = 0

    def note(self, notices: list[Notice]) -> None:
        """Add notices that are not there yet: every attempt encodes anew."""
        for notice in notices:
            if notice not in self.notices:
                self.notices.append(notice)

    def end(self, outcome: Outcome, error: OpenAIError | None = None) -> bool:
        """End the exchange; False when it had ended before, for an exchange ends once."""
        if self.outcome != "running":
            return False
        self.outcome = outcome
        self.error = error
        self.ended = time.time()
        return True

    def summary(self) -> str:
        """What a person wants to know about it, in a few lines; stands in the flow's comment."""
        lines = [f"{self.call.model} → {self.model} on {self.account or 'no account'}: {self.outcome}"]
        if self.why:
            lines.append(f"account: {self.account} ({self.why})")
        lines += [
            f"attempt {attempt.number} on {attempt.account}: {attempt.verdict} — {attempt.fault.message[:200]}"
            for attempt in self.attempts
            if attempt.fault
        ]
        if self.usage:
            lines.append(f"tokens: {self.usage.prompt} in, {self.usage.completion} out")
        lines += [str(notice) for notice in self.notices]
        if self.error:
            lines.append(f"error: {self.error.message}")
        return "\n• ".join(lines)  # mitmweb shows a comment as one paragraph
