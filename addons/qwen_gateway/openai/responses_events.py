"""Events of a Responses stream as bytes: numbered from 0 without a gap."""

from typing import Any, Protocol

from qwen_gateway.codec.json import dumps


class Events(Protocol):
    """Where the events of an answer go."""

    def event(self, kind: str, fields: dict[str, Any]) -> None:
        """One event."""

    def head(self, kind: str, fields: dict[str, Any]) -> bytes:
        """What the deltas of one text begin with: there are many of them, and they differ in little."""

    def delta(self, head: bytes, text: str, more: bytes = b"") -> None:
        """A piece of a text; `more` are further fields as JSON, with a comma before them."""


class Unheard:
    """Nobody listens: a whole answer has no events."""

    def event(self, kind: str, fields: dict[str, Any]) -> None: ...

    def head(self, kind: str, fields: dict[str, Any]) -> bytes:
        return b""

    def delta(self, head: bytes, text: str, more: bytes = b"") -> None: ...


class Written:
    """Server-sent events, each with its name."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._number = 0

    def event(self, kind: str, fields: dict[str, Any]) -> None:
        name = kind.encode()
        self._pieces.append(
            b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b\n\n' % (name, name, self._number, dumps(fields)[1:])
        )
        self._number += 1

    def head(self, kind: str, fields: dict[str, Any]) -> bytes:
        name = kind.encode()
        return b'event: %b\ndata: {"type":"%b",%b,"delta":' % (name, name, dumps(fields)[1:-1])

    def delta(self, head: bytes, text: str, more: bytes = b"") -> None:
        self._pieces.append(b'%b%b%b,"sequence_number":%d}\n\n' % (head, dumps(text), more, self._number))
        self._number += 1

    def take(self) -> bytes:
        """What was written since the last time."""
        written = b"".join(self._pieces)
        self._pieces.clear()
        return written
