"""The log of everything the simulator received, for tests that ask what went out."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from qwen_gateway.codec.json import BadJSON, loads


@dataclass(slots=True, eq=False)
class Received:
    """One request and what became of it. Times are real (`time.time()`), whatever `Simulator.clock` says."""

    number: int
    connection: int
    http_version: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    at: float
    body: bytes = b""
    complete_at: float | None = None
    """When the whole request was here; None: the client left while sending it."""
    face: str = ""
    key: str = ""
    faults: list[str] = field(default_factory=list)
    note: str = ""
    """What it meant to the authorization server: "refresh 2 of alice"."""
    status: int | None = None
    answered_at: float | None = None
    """When the headers of the answer left."""
    chunks: int = 0
    """Body pieces written; in a stream one per event."""
    sent: int = 0
    """Body bytes written."""
    ended_at: float | None = None
    dropped: bool = False
    """The simulator broke the answer off on purpose."""
    disconnected_at: float | None = None
    """When the client left before the answer was over."""

    @property
    def disconnected(self) -> bool:
        """Whether the client left before the answer was over."""
        return self.disconnected_at is not None

    @property
    def path(self) -> str:
        """The path, percent-decoded, without the query."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The query; of a repeated name the last value."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """The first header of that name, any letter case."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> Any:
        """The body as JSON; None when it is not JSON."""
        try:
            return loads(self.body)
        except BadJSON:
            return None

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def as_json(self) -> dict[str, Any]:
        """The record as `GET /__sim__/log` shows it."""
        parsed = self.json
        return {
            "number": self.number,
            "connection": self.connection,
            "http_version": self.http_version,
            "method": self.method,
            "target": self.target,
            "path": self.path,
            "headers": self.headers,
            "json": parsed,
            "body": None if parsed is not None else self.body.decode("utf-8", "replace"),
            "at": self.at,
            "complete_at": self.complete_at,
            "face": self.face,
            "key": self.key,
            "faults": self.faults,
            "note": self.note,
            "status": self.status,
            "answered_at": self.answered_at,
            "chunks": self.chunks,
            "sent": self.sent,
            "ended_at": self.ended_at,
            "dropped": self.dropped,
            "disconnected": self.disconnected,
            "disconnected_at": self.disconnected_at,
        }


@dataclass(slots=True, eq=False)
class Connection:
    """One TCP connection, as `GET /__sim__/connections` shows it."""

    id: int
    http_version: str
    tls: bool
    opened_at: float
    closed_at: float | None = None
    requests: int = 0

    @property
    def open(self) -> bool:
        """Whether it still stands."""
        return self.closed_at is None

    def as_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return {
            "id": self.id,
            "http_version": self.http_version,
            "tls": self.tls,
            "opened_at": self.opened_at,
            "closed_at": self.closed_at,
            "open": self.open,
            "requests": self.requests,
        }


KEPT = 10_000
"""The oldest requests and connections are forgotten beyond this number: a load must not fill the memory."""


class Log:
    """The requests and connections since the start or the last `reset`; control calls are left out."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.connections: list[Connection] = []
        self._connections = 0
        self._requests = 0

    def connect(self, http_version: str, *, tls: bool) -> Connection:
        """Note a new connection."""
        self._connections += 1
        connection = Connection(self._connections, http_version, tls, time.time())
        self.connections.append(connection)
        del self.connections[:-KEPT]
        return connection

    def receive(self, connection: Connection, method: str, target: str, headers: list[tuple[str, str]]) -> Received:
        """Note a new request, as soon as its headers are here."""
        received = Received(0, connection.id, connection.http_version, method, target, headers, time.time())
        if not received.path.startswith("/__sim__/"):
            self._requests += 1
            received.number = self._requests
            connection.requests += 1
            self.received.append(received)
            del self.received[:-KEPT]
        return received

    def __iter__(self) -> Iterator[Received]:
        return iter(self.received)

    def clear(self) -> None:
        """Forget all requests, and the connections that are closed. Numbers go on."""
        self.received.clear()
        self.connections[:] = [connection for connection in self.connections if connection.open]
