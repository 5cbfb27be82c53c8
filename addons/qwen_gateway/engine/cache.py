"""Answers to identical calls, kept for a while (off by default): as deltas, to be streamed or shown whole.

Only what would come out the same is kept: calls of temperature 0 or with a seed, embeddings, and those whose client
asks for it. An answer belongs to the gateway's key that it was made for; failed ones and those cut off are not kept.
"""

import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from hashlib import sha256

from qwen_gateway.codec.deltas import Delta, Extra, Fault, Finish, Text, Thought, ToolCall, Usage, Vector
from qwen_gateway.codec.json import canonical, dumps
from qwen_gateway.engine.delivery import Writer
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.notices import Notice

OVERHEAD = 120
"""Bytes of a delta itself, about."""

PER_NUMBER = 32
"""Bytes of a number in a vector."""

SHARE = 8
"""One answer takes at most this part of the room."""


@dataclass(slots=True)
class Kept:
    """One answer.

    Attributes:
        model: the upstream's that gave it.
        renamed: the upstream's name of a tool → the client's.
    """

    model: str
    deltas: list[Delta]
    renamed: Mapping[str, str]
    notices: list[Notice]
    until: float
    size: int


class Cache:
    """Answers by what was asked, the least recently used one goes first.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.age = 0.0
        self._entries = 0
        self._room = 0
        self._clock = clock
        self._kept: dict[bytes, Kept] = {}
        self.size = 0

    def configure(self, *, age: float, entries: int, room: int) -> None:
        """Take new bounds, and begin anew: another setting may mean another answer.

        Args:
            age: seconds for which an answer is kept; 0: nothing is.
            room: bytes of all answers together.
        """
        self.age, self._entries, self._room = age, entries, room
        self._kept.clear()
        self.size = 0

    def key(self, exchange: Exchange) -> bytes | None:
        """What stands for the call; None when its answer is neither kept nor looked for."""
        call, wish = exchange.call, exchange.cache
        if not self.age or wish == "off" or not (wish == "use" or call.repeatable):
            return None
        return sha256(canonical([exchange.caller, exchange.wanted_account, call.essence()])).digest()

    def get(self, key: bytes) -> Kept | None:
        """The answer, if it is there and not too old."""
        kept = self._kept.pop(key, None)
        if kept is None:
            return None
        if self._clock() >= kept.until:
            self.size -= kept.size
            return None
        self._kept[key] = kept  # the last one is the youngest
        return kept

    def put(self, key: bytes, exchange: Exchange, copied: "Copied") -> None:
        """Keep a finished answer, if it is one that may be given again."""
        deltas = copied.deltas
        ends = [delta.reason for delta in deltas if isinstance(delta, Finish)]
        whole = all(reason in WHOLE for reason in ends) and (ends or any(isinstance(one, Vector) for one in deltas))
        size = sum(weight(delta) for delta in deltas)
        if exchange.outcome != "finished" or not whole or size > self._room // SHARE:
            return
        if old := self._kept.pop(key, None):
            self.size -= old.size
        until = self._clock() + self.age
        self._kept[key] = Kept(exchange.model, deltas, copied.renamed, list(exchange.notices), until, size)
        self.size += size
        while self._kept and (len(self._kept) > self._entries or self.size > self._room):
            oldest = next(iter(self._kept))
            self.size -= self._kept.pop(oldest).size

    def __len__(self) -> int:
        return len(self._kept)


WHOLE = frozenset({"stop", "tool_calls"})
"""Ends of answers that may be given again."""


@dataclass(slots=True)
class Copied:
    """A writer that keeps a copy of what is written (engine.delivery.Writer)."""

    writer: Writer
    deltas: list[Delta] = field(default_factory=list)
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        return self.writer.content_type

    @property
    def usage(self) -> Usage | None:
        return self.writer.usage

    @property
    def problem(self) -> OpenAIError | None:
        return self.writer.problem

    def rename(self, names: Mapping[str, str]) -> None:
        self.renamed = dict(names)
        self.writer.rename(names)

    def write(self, deltas: list[Delta]) -> bytes:
        self.deltas.extend(copy(delta) for delta in deltas if not isinstance(delta, Fault))
        return self.writer.write(deltas)

    def end(self) -> bytes:
        return self.writer.end()

    def fail(self, error: OpenAIError) -> bytes:
        return self.writer.fail(error)


def weight(delta: Delta) -> int:
    """Bytes of memory, about."""
    if isinstance(delta, Vector):
        return OVERHEAD + PER_NUMBER * len(delta.values)
    if isinstance(delta, Text):
        return OVERHEAD + 2 * len(delta.text) + (len(dumps(delta.logprobs)) * 4 if delta.logprobs else 0)
    if isinstance(delta, Thought):
        return OVERHEAD + 2 * len(delta.text)
    if isinstance(delta, ToolCall):
        return OVERHEAD + 2 * len(delta.arguments)
    return OVERHEAD + (len(dumps(delta.fields)) * 4 if isinstance(delta, Extra) else 0)
