"""The chats of the site and the chain of their turns (upstream.md 3.4, 3.5, 3.10)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..wire import JsonObject
from .mood import Mood
from .rows import refuse


@dataclass(slots=True, eq=False)
class Chat:
    """One chat."""

    id: str
    owner: str
    """The visitor's name."""
    title: str
    models: list[Any]
    mode: str
    type: str
    created_at: int
    updated_at: int
    project_id: str = ""
    messages: dict[str, JsonObject] = field(default_factory=dict)
    """By id, in the order they came; the site gives its own ids to both sides."""
    running: bool = False
    stopped: bool = False
    busy_until: float = 0.0

    @property
    def turns(self) -> int:
        """Turns so far."""
        return sum(message["role"] == "assistant" for message in self.messages.values())

    def busy(self, now: float) -> bool:
        """Whether a generation is in progress."""
        return self.running or now < self.busy_until

    def stop(self, now: float, settle: float) -> None:
        """End the generation."""
        self.stopped = self.running or self.stopped
        self.busy_until = now + settle if self.busy(now) else 0.0

    def find_parent(self, given: str | None, mood: Mood) -> str | None:
        """The response that a turn continues; None: it begins anew. Refuses a parent that is not there."""
        if given is None:
            if not self.messages or mood.wrong_parent == "forget":
                return None
            raise refuse("wrong-parent")
        message = self.messages.get(given)
        role = message["role"] if message is not None else ""
        if role == "assistant" and mood.parent in {"response", "either"}:
            return given
        if role == "user" and message is not None and mood.parent in {"user", "either"}:
            return str(message["childrenIds"][-1]) if message["childrenIds"] else None
        if mood.wrong_parent == "forget":
            return None
        raise refuse("wrong-parent", f"Invalid input chat parent_id {given} is not exist.")

    def history(self, last: str | None) -> list[JsonObject]:
        """The messages up to this one, oldest first."""
        found = []
        while last is not None:
            found.append(self.messages[last])
            last = self.messages[last]["parentId"]
        return found[::-1]

    def add(self, message: JsonObject) -> JsonObject:
        """Append a message behind its parent."""
        self.messages[message["id"]] = message
        parent = self.messages.get(message["parentId"] or "")
        if parent is not None:
            parent["childrenIds"].append(message["id"])
        return message

    def take_back(self, *ids: str) -> None:
        """Forget messages that were refused after all."""
        for number in ids:
            parent = self.messages.get(self.messages.pop(number)["parentId"] or "")
            if parent is not None:
                parent["childrenIds"].remove(number)

    def as_item(self) -> JsonObject:
        """The chat in a list."""
        return {
            "id": self.id,
            "title": self.title,
            "updated_at": self.updated_at,
            "created_at": self.created_at,
            "chat_type": self.type,
            "project_id": self.project_id or None,
            "pinned": False,
            "content": None,
            "highlight_indexes": None,
            "message_id": None,
        }

    def as_object(self) -> JsonObject:
        """The chat with its history."""
        last = next(reversed(self.messages), None)
        chat = {"history": {"messages": self.messages, "currentId": last}, "messages": list(self.messages.values())}
        return {**self.as_item(), "models": self.models, "chat_mode": self.mode, "chat": chat}


class Chats:
    """All chats."""

    def __init__(self) -> None:
        self.by_id: dict[str, Chat] = {}
        self.deleted: list[str] = []

    def __iter__(self) -> Iterator[Chat]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def __getitem__(self, number: str) -> Chat:
        return self.by_id[number]

    def of(self, owner: str) -> list[Chat]:
        """A visitor's chats, the latest first."""
        return sorted((chat for chat in self if chat.owner == owner), key=lambda chat: -chat.updated_at)

    def find(self, number: Any, owner: str) -> Chat:
        """A visitor's chat; other people's are not there."""
        chat = self.by_id.get(number) if isinstance(number, str) else None
        if chat is None or chat.owner != owner:
            raise refuse("chat-not-found")
        return chat

    def delete(self, number: str) -> None:
        """Forget a chat."""
        self.by_id.pop(number, None)
        self.deleted.append(number)

    def clear(self) -> None:
        """Forget all."""
        self.by_id.clear()
        self.deleted.clear()
