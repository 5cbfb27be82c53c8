"""The way to the upstreams: what the engine asks of a client library, and the faults it may find."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol


class TransportFault(Exception):
    """No answer, or half of one.

    Attributes:
        origin: `connect` when nothing was sent for certain, `timeout`, or `cut` when it broke off.
    """

    def __init__(self, origin: str, message: str) -> None:
        super().__init__(message)
        self.origin = origin
        self.message = message


class Answer(Protocol):
    """An upstream's answer: the head is here, the body comes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, unpacked.

        Raises:
            TransportFault: it broke off.
        """

    async def aclose(self, *, reuse: bool = False) -> None:
        """Let go of it. `reuse`: all that matters was read, keep the connection; else cancel it at the upstream."""


class Transport(Protocol):
    """Sends one request."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None = None
    ) -> Answer:
        """Send and wait for the head of the answer.

        Raises:
            TransportFault: no connection, or no head.
        """

    async def aclose(self) -> None:
        """Close every pooled connection."""


def describe(error: BaseException) -> str:
    """The error's own words, or its name when it has none."""
    return str(error) or type(error).__name__
