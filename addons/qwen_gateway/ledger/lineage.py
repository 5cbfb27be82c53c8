"""Which session an exchange belongs to: the one of the exchange whose conversation it goes on with.

A call holds its whole history. What stands before the last answer in it is what the call before it asked; so a call
goes on from the newest one that asked exactly that. A client that names its conversations (`prompt_cache_key`) has a
session for each name; one that rewrites its history begins a new session.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from qwen_gateway.codec.json import canonical
from qwen_gateway.exchange import Exchange

REMEMBERED = 4_000
"""Exchanges whose place is known without asking the database."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    Attributes:
        parent_id: the exchange that this one goes on from.
        chain: stands for everything that was asked.
    """

    session_id: str
    parent_id: str | None
    chain: str | None


Find = Callable[[str], tuple[str, str] | None]
"""The session's and the exchange's id of the newest exchange with a chain, in the database."""


class Lineage:
    """Finds places, and remembers the newest ones."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}
        self._guard = threading.Lock()

    def place(self, exchange: Exchange, find: Find) -> Place:
        """The exchange's place, made up where it begins a conversation."""
        call = exchange.call
        asked, before = chains(call.body.get("messages"), exchange.caller)
        parent = self._find(before, find) if before else None
        if call.stickiness:
            session = named("key", exchange.caller, call.stickiness)
        elif asked is None:
            session = named("surface", exchange.caller, exchange.surface)
        else:
            session = parent[0] if parent else f"sess_{exchange.id[4:]}"
        place = Place(session, parent[1] if parent else None, asked)
        if asked is not None:
            with self._guard:
                self._known.pop(asked, None)
                self._known[asked] = (session, exchange.id)
                if len(self._known) > REMEMBERED:
                    del self._known[next(iter(self._known))]
        return place

    def _find(self, chain: str, find: Find) -> tuple[str, str] | None:
        with self._guard:
            known = self._known.get(chain)
        return known or find(chain)


def chains(messages: Any, caller: str) -> tuple[str | None, str | None]:
    """What stands for the whole of these messages, and for those before the last answer; None where there is none."""
    if not isinstance(messages, list) or not messages:
        return None, None
    last = next((place for place in range(len(messages) - 1, 0, -1) if is_answer(messages[place])), 0)
    digest = blake2b(caller.encode(), digest_size=16)
    before = None
    for place, message in enumerate(messages):
        if place == last and place:
            before = digest.hexdigest()
        content = canonical(message)
        digest.update(b"%d:" % len(content))
        digest.update(content)
    return digest.hexdigest(), before


def is_answer(message: Any) -> bool:
    """Whether a model said it."""
    return isinstance(message, dict) and message.get("role") == "assistant"


def named(*words: str) -> str:
    """The session of a name."""
    return f"sess_{blake2b('\0'.join(words).encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
