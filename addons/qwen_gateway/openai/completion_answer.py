"""What the two forms of a legacy completion share; `CompletionObject` is the whole one, `CompletionStream` the other.

The engine's parts are upstream calls: `best_of` for each prompt, one after the other. Thoughts have no place here.
"""

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Delta, Finish, Refusal, Text, Usage
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai import usage as usages
from qwen_gateway.openai.completion_request import CompletionCall
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.logprobs import logprobs_object

REASONS = frozenset({"stop", "length", "content_filter"})
"""Why a completion ends; all else is `stop`."""


@dataclass(slots=True)
class Part:
    """One upstream call's answer.

    Attributes:
        rows: log probabilities in chat's form.
    """

    text: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    finish: str | None = None
    length: int = 0

    @property
    def likelihood(self) -> float:
        """The mean log probability of a token."""
        return sum(row["logprob"] for row in self.rows) / len(self.rows) if self.rows else 0.0


class CompletionAnswer(ABC):
    """Takes the deltas of one answer."""

    content_type: str
    problem: OpenAIError | None = None

    def __init__(self, call: CompletionCall) -> None:
        self._call = call
        self._parts = [Part() for _ in range(len(call.prompts) * call.best_of)]
        self._usages: dict[int, Usage] = {}
        self._head = {
            "id": f"cmpl-{secrets.token_hex(16)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": call.model,
        }

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported, summed over all parts: each of them was paid for."""
        return usages.add(list(self._usages.values())) if self._usages else None

    def rename(self, names: Mapping[str, str]) -> None:
        """There are no tools."""
        del names

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """Take deltas; what they make visible, empty when that is nothing."""
        out: list[bytes] = []
        for delta in deltas:
            if isinstance(delta, Usage):
                self._usages[delta.choice] = delta
            elif isinstance(delta, Text | Refusal | Finish) and 0 <= delta.choice < len(self._parts):
                part = self._parts[delta.choice]
                if part.finish is not None:
                    continue
                if isinstance(delta, Finish):
                    part.finish = delta.reason if delta.reason in REASONS else "stop"
                    self._finish(delta.choice, part, out)
                else:
                    rows = logprobs_of(delta)
                    self._text(delta.choice, part, delta.text, rows, out)
                    part.length += len(delta.text)
        return b"".join(out)

    def _echo(self, number: int) -> str:
        """What the part's text begins with."""
        prompt = self._call.prompts[number // self._call.best_of]
        return prompt if self._call.echo and isinstance(prompt, str) else ""

    def _counted(self) -> dict[str, Any]:
        usage = self.usage
        if usage is None:
            usage = usages.estimate(dumps(self._call.prompts), sum(part.length for part in self._parts))
        return usages.usage_object(usage)

    @abstractmethod
    def end(self) -> bytes:
        """The answer is complete: what is left to send."""

    @abstractmethod
    def _text(self, number: int, part: Part, text: str, rows: list[dict[str, Any]], out: list[bytes]) -> None: ...

    @abstractmethod
    def _finish(self, number: int, part: Part, out: list[bytes]) -> None: ...


class CompletionObject(CompletionAnswer):
    """Collects the deltas into one `text_completion`."""

    content_type = "application/json"

    def end(self) -> bytes:
        """The object as JSON: the likeliest answers of each prompt."""
        choices: list[dict[str, Any]] = []
        for first in range(0, len(self._parts), self._call.best_of):
            numbers = range(first, first + self._call.best_of)
            best = sorted(numbers, key=lambda number: -self._parts[number].likelihood)[: self._call.answers]
            for number in best if self._call.best_of > self._call.answers else numbers:
                part = self._parts[number]
                shown = None
                if self._call.logprobs is not None and part.rows:
                    shown = legacy_logprobs(part.rows, 0, self._call.logprobs)
                text = self._echo(number) + "".join(part.text)
                reason = part.finish or "stop"
                choices.append({"text": text, "index": len(choices), "logprobs": shown, "finish_reason": reason})
        return dumps({**self._head, "choices": choices, "usage": self._counted()})

    def fail(self, error: OpenAIError) -> bytes:
        """The error as JSON; it is sent with its own status, for nothing went out before."""
        return error.encode()

    def _text(self, number: int, part: Part, text: str, rows: list[dict[str, Any]], out: list[bytes]) -> None:
        part.text.append(text)
        part.rows += rows

    def _finish(self, number: int, part: Part, out: list[bytes]) -> None:
        """Nothing is shown before the end."""


class CompletionStream(CompletionAnswer):
    """Writes the chunks of a streamed completion; there is no `best_of` here, so a part is a choice."""

    content_type = "text/event-stream; charset=utf-8"

    def end(self) -> bytes:
        """What is missing: finish reasons, usage if asked for, then `[DONE]`."""
        out: list[bytes] = []
        for number, part in enumerate(self._parts):
            if part.finish is None:
                part.finish = "stop"
                self._finish(number, part, out)
        if self._call.include_usage:
            out.append(sse.data_line(dumps({**self._head, "choices": [], "usage": self._counted()})))
        out.append(sse.DONE)
        return b"".join(out)

    def fail(self, error: OpenAIError) -> bytes:
        """The answer broke off: one error event, and no `[DONE]`."""
        return sse.data_line(error.encode())

    def _text(self, number: int, part: Part, text: str, rows: list[dict[str, Any]], out: list[bytes]) -> None:
        shown = None
        if self._call.logprobs is not None and rows:
            shown = legacy_logprobs(rows, part.length, self._call.logprobs)
        self._chunk(number, part, text, shown, None, out)

    def _finish(self, number: int, part: Part, out: list[bytes]) -> None:
        self._chunk(number, part, "", None, part.finish, out)

    def _chunk(
        self, number: int, part: Part, text: str, logprobs: dict[str, Any] | None, finish: str | None, out: list[bytes]
    ) -> None:
        if not part.text:  # the first chunk of the choice
            text = self._echo(number) + text
            part.text.append("")
        choice = {"text": text, "index": number, "logprobs": logprobs, "finish_reason": finish}
        chunk = {**self._head, "choices": [choice]}
        if self._call.include_usage:
            chunk["usage"] = None
        out.append(sse.data_line(dumps(chunk)))


def logprobs_of(delta: Text | Refusal) -> list[dict[str, Any]]:
    """The log probabilities of a piece of text, one row a token, in chat's form."""
    if isinstance(delta, Text) and delta.logprobs:
        return logprobs_object(delta.logprobs)["content"] or []
    return []


def legacy_logprobs(rows: list[dict[str, Any]], offset: int, alternatives: int) -> dict[str, Any]:
    """Chat's rows as the four lists of a completion; offsets count characters of the answer."""
    tokens = [row["token"] for row in rows]
    places: list[int] = []
    for token in tokens:
        places.append(offset)
        offset += len(token)
    return {
        "tokens": tokens,
        "token_logprobs": [row["logprob"] for row in rows],
        "top_logprobs": [{top["token"]: top["logprob"] for top in row["top_logprobs"][:alternatives]} for row in rows],
        "text_offset": places,
    }
