"""How many conversations are going on: those with a call within the last half hour, told apart by how they began."""

from collections import OrderedDict
from hashlib import blake2b
from typing import Any

from qwen_gateway.openai.call import Call

IDLE = 30 * 60.0
"""Where nothing else is said (the seed's SESSION_TIMEOUT)."""

REMEMBERED = 20_000
"""Conversations; beyond that the oldest are forgotten."""

BEGINNING = 4_096
"""Characters of a conversation's first messages that tell it from others."""


class Sessions:
    """Conversations by their beginnings, the longest silent first. Only hashes are kept.

    Attributes:
        idle: seconds without a call after which a conversation has ended.
    """

    def __init__(self, idle: float = IDLE) -> None:
        self.idle = idle
        self._last: OrderedDict[int, float] = OrderedDict()

    def note(self, call: Call, now: float) -> None:
        """A call; those without messages belong to no conversation."""
        began = call.stickiness or beginning(call.body)
        if not began:
            return
        key = hash(began)
        self._last[key] = now
        self._last.move_to_end(key)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    def active(self, now: float) -> int:
        """How many are going on."""
        while self._last and next(iter(self._last.values())) < now - self.idle:
            self._last.popitem(last=False)
        return len(self._last)


def conversation_of(call: Call, caller: str) -> str | None:
    """A name for the conversation that a call goes on with, the same for all its calls; None when it has none."""
    began = beginning(call.body)
    if not began:
        return None
    return blake2b(f"{caller}\0{began}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def beginning(body: dict[str, Any]) -> str:
    """What stays the same while a conversation goes on: its messages up to the first one of the user's."""
    found = []
    for message in body.get("messages") or ():
        found.append(str(message.get("content"))[:BEGINNING])
        if message.get("role") == "user":
            break
    return "\0".join(found)
