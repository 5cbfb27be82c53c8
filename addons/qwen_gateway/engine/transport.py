"""The way to the upstreams: what the engine asks of a client library, and the faults it may find."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from qwen_auth.account import redact_url


class TransportFault(Exception):
    """No answer, or half of one.

    Attributes:
        origin: `connect` when nothing was sent for certain, `timeout`, or `cut` when it broke off.
    """

    def __init__(self, origin: str, message: str) -> None:
        super().__init__(message)
        self.origin = origin
        self.message = message


def unspoken(proxy: str) -> TransportFault:
    """The fault of a proxy with which a transport cannot speak."""
    remedy = "SOCKS is not spoken here; give the account an HTTP proxy, like http://host:3128"
    return TransportFault("connect", f"no connection through the proxy {redact_url(proxy)}: {remedy}")


class Answer(Protocol):
    """An upstream's answer: the head is here, the body comes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""

    @property
    def set_cookies(self) -> list[str]:
        """Every `Set-Cookie`; `headers` can have only one of them."""

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


WORDS = {
    "ClientPayloadError": "its body ended too early or was malformed",
    "ClientResponseError": "its head is not HTTP",
    "InvalidURL": "the URL cannot be used",
    "Malformed": "its head is not HTTP",
    "ServerDisconnectedError": "the server closed the connection",
    "RemoteProtocolError": "the server did not keep to HTTP",
}
"""What the errors of client libraries mean; their own texts show the insides of the library."""


def describe(error: BaseException) -> str:
    """Why it failed, for people: the system's words, ours for what libraries say, or the name of the error."""
    cause = getattr(error, "os_error", error)
    if said := getattr(cause, "strerror", None):
        return str(said)
    name = type(error).__name__
    text = str(error)
    if name in WORDS or not text or set(text) & set("<{'\"") or len(text) > 160:
        return WORDS.get(name, name)
    return text
