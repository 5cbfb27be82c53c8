"""A call that takes several HTTP requests, without the HTTP: requests out, replies in (upstream.md 3.4, 3.5, 3.9).

`Steps` is a generator. It yields a `Request` and is sent what came of it: a `Reply`, or the `Fault` that kept it away.
A request that is `final` has the call's answer; its reply is streamed to the client and the generator is resumed only
when that failed before the client saw anything, with the fault. Then it may try another way; when it returns, its value
is the fault of the attempt, for `judge`.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from qwen_gateway.codec.deltas import Fault


@dataclass(slots=True)
class Request:
    """One HTTP request, without credentials.

    Attributes:
        url: a path behind the account's base URL; or a whole URL, which never gets the account's credentials.
        final: its reply is the answer of the call.
        pause: seconds to wait before it.
        work: what takes time, done in a thread before it is sent: it may change headers and body.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    final: bool = False
    pause: float = 0.0
    work: Callable[["Request"], None] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever its status."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Steps = Generator[Request, Reply | Fault, Fault | None]
