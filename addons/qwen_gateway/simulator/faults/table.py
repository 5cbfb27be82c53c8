"""What a fault is: a name, its source, and what it does at one of five places."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..chunks import Answer, Event
from ..wire import JsonObject, Reply, Step

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fault needs to know of the call."""

    request_id: str
    shape: str
    """How the face words its errors, see `shapes.BODIES`."""
    stream: bool = False
    model: str = ""
    tools: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table."""

    name: str
    section: str
    """The section of upstream.md; empty for what any server may do."""
    text: str
    params: Params = field(default_factory=dict)
    """Parameters and their defaults."""
    reply: Callable[[Asked, Params], Reply | None] | None = None
    """In place of any other reply, before the key is checked."""
    answer: Callable[[Answer, Params], Answer] | None = None
    """On the chat answer, before it is written."""
    events: Callable[[Asked, Iterator[Event], Params], Iterator[Event]] | None = None
    """On the events of a stream."""
    steps: Callable[[Iterator[Step], Params], Iterator[Step]] | None = None
    """On the bytes of a stream."""
    whole: Callable[[Reply, Params], Reply] | None = None
    """On the finished reply."""


def has_content(event: Event) -> bool:
    """Whether a chunk carries text, thoughts or a piece of a tool call."""
    return isinstance(event, dict) and any(
        bool(value) and key not in {"role", "reasoning_details", "phase", "status", "name"}
        for choice in event.get("choices", ())
        for key, value in choice["delta"].items()
    )


def deltas(event: Event) -> list[JsonObject]:
    """The deltas of a chunk."""
    return [choice["delta"] for choice in event.get("choices", ())] if isinstance(event, dict) else []
