"""Conversations, known by their messages: which chat at an upstream has exactly the history that a call begins with.

A message's identity is the hash of its own content and of its predecessor's identity; so the identity of the last
message is that of the whole history, and two histories that differ anywhere have no identity in common from there on.
Clients send the whole history each time. A chat that had it all but the last message can go on with that alone.

Only what a chat could know counts: role, text, pictures, tool calls and results. Ids of tool calls are the gateway's
own invention, and thoughts are sent back by some clients and not by others.
"""

import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qwen_gateway.codec.json import BadJSON, canonical, loads

ROLES = {"developer": "system", "function": "tool"}
ANSWERS = ("user", "tool")
"""Roles of a message that a chat can go on with."""

_THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)


def identities(messages: Iterable[Mapping[str, Any]], frame: Any) -> list[str]:
    """The identity of each message.

    Args:
        frame: what else a chat was told at its start, as plain JSON: model, tools, the form of the answer, the caller.
    """
    found = []
    last = hashlib.sha256(b"conversation " + canonical(frame)).hexdigest()
    for message in messages:
        last = identity(message, last)
        found.append(last)
    return found


def identity(message: Mapping[str, Any], before: str) -> str:
    """The identity of a message behind the one with the identity `before`."""
    return hashlib.sha256(before.encode() + canonical(content_of(message))).hexdigest()


def content_of(message: Mapping[str, Any]) -> list[Any]:
    """What counts of a message: equal for the forms in which clients send the same."""
    role = str(message.get("role"))
    role = ROLES.get(role, role)
    parts: list[Any] = []
    content = message.get("content")
    texts = [content] if isinstance(content, str) else []
    for part in content if isinstance(content, list) else ():
        text = part.get("text") or part.get("refusal") if isinstance(part, Mapping) else None
        if isinstance(text, str):
            texts.append(text)
        else:
            parts.append(part)
    if isinstance(message.get("refusal"), str):
        texts.append(message["refusal"])
    text = "\n".join(texts)
    if role == "assistant":
        text = _THOUGHT.sub("", text, count=1).strip()
    return [role, text, parts, [_call(call) for call in _calls(message)]]


def _calls(message: Mapping[str, Any]) -> list[Any]:
    calls = message.get("tool_calls")
    found = list(calls) if isinstance(calls, list) else []
    if isinstance(message.get("function_call"), Mapping):
        found.append({"function": message["function_call"]})
    return found


def _call(call: Any) -> list[Any]:
    """Name and arguments; the same arguments written differently are the same."""
    function = call.get("function") or call.get("custom") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return [call]
    arguments = function.get("arguments", function.get("input"))
    if isinstance(arguments, str):
        try:
            arguments = loads(arguments)
        except BadJSON:
            pass
    return [function.get("name"), arguments]


@dataclass(frozen=True, slots=True)
class Session:
    """A chat at an upstream, as it stood after some messages.

    Attributes:
        account: whose chat it is.
        history: the identity of the last of the messages.
        chat_id, parent: the upstream's ids of the chat and of what the next turn continues.
    """

    account: str
    history: str
    chat_id: str
    parent: str
    model: str = ""


class Sessions(Protocol):
    """Where sessions are kept: in memory, or in the ledger."""

    async def take(self, history: str, accounts: Collection[str]) -> Session | None:
        """The session of this history, for one call alone until it is kept, released or forgotten; None: there is none,
        or another call is at it."""

    def keep(self, session: Session) -> None:
        """It has moved on, and is free; where it stood before is forgotten."""

    def release(self, session: Session) -> None:
        """It is free, where it stood."""

    def forget(self, session: Session) -> None:
        """Its chat is gone."""

    async def idle(self, seconds: float) -> list[Session]:
        """Forget those that nobody used for so long."""


class SessionsInMemory:
    """Sessions of one process, gone with it.

    Args:
        clock: seconds since the epoch.
        lease: seconds after which a call that never came back no longer holds a session.
    """

    def __init__(self, clock: Callable[[], float] = time.time, *, lease: float = 900.0) -> None:
        self._clock = clock
        self._lease = lease
        self._at: dict[str, dict[str, Session]] = {}  # history → chat → session
        self._where: dict[str, str] = {}  # chat → history
        self._used: dict[str, float] = {}
        self._held: dict[str, float] = {}

    async def take(self, history: str, accounts: Collection[str]) -> Session | None:
        now = self._clock()
        for chat_id, session in self._at.get(history, {}).items():
            if session.account in accounts and self._held.get(chat_id, 0.0) <= now:
                self._held[chat_id] = now + self._lease
                self._used[chat_id] = now
                return session
        return None

    def keep(self, session: Session) -> None:
        self.forget(session)
        self._at.setdefault(session.history, {})[session.chat_id] = session
        self._where[session.chat_id] = session.history
        self._used[session.chat_id] = self._clock()

    def release(self, session: Session) -> None:
        self._held.pop(session.chat_id, None)

    def forget(self, session: Session) -> None:
        chat_id = session.chat_id
        history = self._where.pop(chat_id, None)
        if history is not None:
            chats = self._at[history]
            chats.pop(chat_id, None)
            if not chats:
                del self._at[history]
        self._used.pop(chat_id, None)
        self._held.pop(chat_id, None)

    async def idle(self, seconds: float) -> list[Session]:
        now = self._clock()
        found = [
            self._at[self._where[chat_id]][chat_id]
            for chat_id, used in self._used.items()
            if now - used >= seconds and self._held.get(chat_id, 0.0) <= now
        ]
        for session in found:
            self.forget(session)
        return found
