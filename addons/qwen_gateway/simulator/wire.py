"""A reply and the steps it is played in: bytes, pauses, and the ways a server can misbehave.

Answers are made without any I/O: the application turns a `Received` into a `Reply`, and the
servers play it. Time is a step like any other, so an answer says `Pause(0.1)` and never sleeps.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from qwen_gateway.codec.json import dumps

Clock = Callable[[], float]
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait. For ever, when no time is given: only the client can end that."""

    seconds: float = inf


@dataclass(frozen=True, slots=True)
class Drop:
    """Break the answer off: close the connection (HTTP/1.1) or reset the stream (HTTP/2).

    With `reset` a TCP connection ends in RST; with `connection` HTTP/2 loses the whole connection.
    """

    reset: bool = False
    connection: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes past the framing, HTTP/1.1 only; HTTP/2 leaves them out."""

    data: bytes


Step = bytes | Pause | Drop | Raw


@dataclass(slots=True)
class Reply:
    """An answer, ready to be played."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Iterable[Step]
    """Bytes go out with a Content-Length, steps chunked."""
    before: list[Step] = field(default_factory=list)
    """What happens before the headers."""
    lie: int = 0
    """Added to the Content-Length of a body of bytes."""
    after: Callable[[], None] | None = None
    """Called when the answer is over, however it ends."""

    def header(self, name: str) -> str | None:
        """The first header of that name, in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    def set_header(self, name: str, value: str) -> None:
        """Put one header in place of all of that name, in lower case."""
        self.headers = [pair for pair in self.headers if pair[0] != name]
        self.headers.append((name, value))

    def steps(self) -> Iterator[Step]:
        """The body as steps, whatever it is."""
        if isinstance(self.body, bytes):
            return iter((self.body,))
        return iter(self.body)


def json_reply(status: int, body: Any, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """A JSON answer."""
    return Reply(status, [("content-type", "application/json"), *headers], dumps(body))
