"""The head of a request for HTTP/1.1: where it goes, and its lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from yarl import URL

Origin = tuple[str, int | None, bool]
"""Host, port, and whether it speaks TLS."""

CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})
"""What no line of a head may hold."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads.

    Attributes:
        start: the request line behind the method, and the host.
    """

    url: URL
    origin: Origin
    start: bytes


@lru_cache(maxsize=256)
def url_of(text: str) -> URL:
    """As it is, not encoded anew; there are few of them."""
    return URL(text, encoded=True)


@lru_cache(maxsize=256)
def target_of(text: str) -> Target | None:
    """The target of a URL; None for one that is unusual: of another scheme, without a host, with a password.

    Raises:
        ValueError: it is no URL, or no request line can carry it.
    """
    url = url_of(text)
    if url.scheme not in {"http", "https"} or not url.raw_host or url.raw_user or url.raw_password:
        return None
    start = lines([f"{url.raw_path_qs} HTTP/1.1", f"Host: {url.host_port_subcomponent}"])
    return Target(url, (url.raw_host, url.port, url.scheme == "https"), start)


def head_of(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """The head of a request.

    Raises:
        ValueError: a header would not stay on its line.
    """
    fields = [f"{name}: {value}" for name, value in headers.items()]
    if body or method != "GET":
        fields.append(f"Content-Length: {len(body)}")
    return b"%b %b\r\n%b\r\n\r\n" % (method.encode(), target.start, lines(fields))


def lines(texts: list[str]) -> bytes:
    """Lines of a head, without the end of the last one.

    Raises:
        ValueError: there is more than one line in one of them.
    """
    joined = "\r\n".join(texts).encode()
    if len(joined) - len(joined.translate(None, CONTROLS)) != 2 * (len(texts) - 1):
        raise ValueError("a control character in the head of a request")
    return joined
