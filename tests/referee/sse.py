"""A strict reader of server-sent events for tests, independent of the product's own codec."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

DONE = "[DONE]"
FIELDS = ("data", "event", "id", "retry")


class SseError(AssertionError):
    """The bytes are not the stream that a client of OpenAI expects."""


@dataclass(slots=True)
class Event:
    """One event: its name, its payload, and the comments that came before it."""

    data: str
    name: str | None = None
    comments: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        """The payload, parsed."""
        return json.loads(self.data)


def read_sse(stream: bytes, *, done: bool = True) -> list[Event]:
    """The events of a finished stream, without the closing `[DONE]`.

    `done=False` is for streams that must end without it: Responses, and chat streams that broke after the
    first byte. Everything that a lenient client would forgive is an `SseError` here.
    """
    try:
        text = stream.decode()
    except UnicodeDecodeError as error:
        msg = f"not UTF-8 at byte {error.start}: {stream[error.start - 20 : error.start + 20]!r}"
        raise SseError(msg) from error
    if "\r" in text.replace("\r\n", ""):
        msg = "a bare carriage return"
        raise SseError(msg)
    text = text.replace("\r\n", "\n")
    if text and not text.endswith("\n\n"):
        msg = f"the last event is not ended by a blank line: {text[-60:]!r}"
        raise SseError(msg)
    events = [event for block in re.split("\n\n+", text) if (event := read_block(block))]
    return without_done(events, wanted=done)


def read_block(block: str) -> Event | None:
    """One event out of its lines; nothing if they are comments only."""
    data: list[str] = []
    event = Event("")
    for line in filter(None, block.split("\n")):
        name, colon, value = line.partition(":")
        if colon and not name:
            event.comments.append(value.strip())
            continue
        if name not in FIELDS:
            msg = f"a line that is no field of an event: {line!r}"
            raise SseError(msg)
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event.name = value
    if not data:
        if event.name:
            msg = f"event {event.name!r} without data"
            raise SseError(msg)
        return None
    event.data = "\n".join(data)
    if event.data != DONE:
        try:
            event.json  # noqa: B018 - parsing is the check
        except ValueError as error:
            msg = f"data is no JSON: {event.data[:80]!r}"
            raise SseError(msg) from error
    return event


def without_done(events: list[Event], *, wanted: bool) -> list[Event]:
    """The events, once `[DONE]` stands where it belongs."""
    places = [place for place, event in enumerate(events) if event.data == DONE]
    if places and places[0] != len(events) - 1:
        msg = f"data after [DONE]: {events[places[0] + 1].data[:80]!r}"
        raise SseError(msg)
    if places and not wanted:
        msg = "[DONE] in a stream that must end without it"
        raise SseError(msg)
    if wanted and not places:
        msg = "[DONE] is missing"
        raise SseError(msg)
    return events[:-1] if places else events
