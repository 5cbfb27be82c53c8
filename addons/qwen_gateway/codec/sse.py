"""Server-sent events: bytes in, events out.

Follows the WHATWG parsing rules (any of LF, CR, CRLF ends a line, a byte-order mark is skipped, a last event without a
blank line is still handed out at `close`, because real upstreams cut it off), with one addition: DashScope carries the
HTTP status of a failed stream in a comment, `:HTTP_STATUS/429` (upstream.md 4.5, shape E3), so comments of that form
become the event's `status`.
"""

import re
from dataclasses import dataclass

EVENT_LIMIT = 32 * 1024 * 1024
"""Bytes of one unfinished event that are kept. Beyond it the stream is not SSE, or it is hostile."""

_END_OF_LINE = re.compile(rb"\r\n|\n|\r")
_STATUS = re.compile(rb"HTTP_STATUS/(\d{3})")


class EventTooLong(ValueError):
    """An event grew beyond `EVENT_LIMIT` without an end."""


@dataclass(slots=True)
class Event:
    """One server-sent event: `data` lines joined by LF, the `event` name, the status from a comment."""

    data: bytes
    name: str = ""
    status: int | None = None


class Parser:
    """Feed bytes as they come, get the events that are complete.

    Args:
        limit: bytes of an unfinished event that are kept.
    """

    def __init__(self, *, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._rest = b""
        self._held: list[bytes] = []  # pieces of a long line, joined once when its end comes
        self._data: list[bytes] = []
        self._size = 0
        self._name = ""
        self._status: int | None = None
        self._first = True

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes; return the events they complete, perhaps none.

        Raises:
            EventTooLong: see `limit`.
        """
        if self._held or not (b"\n" in chunk or b"\r" in chunk or self._first):
            self._held.append(chunk)
            self._size += len(chunk)
            if not (b"\n" in chunk or b"\r" in chunk):
                self._check_size()
                return []
            chunk = b"".join(self._held)
            self._size -= len(chunk)
            self._held = []
        data = self._rest + chunk if self._rest else chunk
        if self._first and data:
            if b"\xef\xbb\xbf".startswith(data[:3]) and len(data) < 3:
                self._rest = data
                return []
            self._first = False
            data = data.removeprefix(b"\xef\xbb\xbf")
        lines = data.split(b"\n") if b"\r" not in data else _split(data)
        self._rest = lines.pop()
        events: list[Event] = []
        for line in lines:
            if not line:
                self._dispatch(events)
            else:
                self._line(line)
        self._check_size()
        return events

    def close(self) -> list[Event]:
        """The stream ended: hand out what is left, even without its blank line."""
        events: list[Event] = []
        rest = self._rest + b"".join(self._held)
        self._rest, self._held = b"", []
        for line in _END_OF_LINE.split(rest):
            if line:
                self._line(line)
            else:
                self._dispatch(events)
        self._dispatch(events)
        return events

    def _check_size(self) -> None:
        if len(self._rest) + self._size > self._limit:
            raise EventTooLong(f"an event of more than {self._limit} bytes has no end")

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            events.append(Event(data, self._name, self._status))
            self._data = []
            self._size = 0
        self._name = ""
        self._status = None

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._size += len(value) + 1  # empty lines add up as well
        elif line.startswith(b":"):
            if found := _STATUS.search(line):
                self._status = int(found[1])
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().decode("utf-8", "replace")
        elif line == b"data":
            self._data.append(b"")
            self._size += 1


def _split(data: bytes) -> list[bytes]:
    """Split at any end of line; a lone CR at the very end may be half of CRLF and stays with the rest."""
    held = data.endswith(b"\r")
    lines = _END_OF_LINE.split(data[:-1] if held else data)
    if held:
        lines[-1] += b"\r"
    return lines


def data_line(payload: bytes) -> bytes:
    """One event that has only data, as OpenAI's chat streams send them."""
    return b"data: %b\n\n" % payload


DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
"""A comment: clients ignore it, connections and idle timers do not."""
