"""Who may call: the Host header, the browser's Origin, the gateway's own keys. Pure checks.

A gateway on loopback is reachable from every page in the operator's browser: by name tricks (DNS rebinding, which the
Host header gives away) and by plain cross-origin requests (which the Origin header gives away). Both are refused.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from qwen_gateway.openai.errors import BadKey, Forbidden

KEY_HEADERS = ("authorization", "x-api-key", "api-key")
"""Where clients put a key (openai-surface.md section 2: Continue sends two of them)."""


class Keys:
    """The keys that callers must send; only their hashes are kept."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._hashes = [digest_of(key) for key in keys if key]

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def __repr__(self) -> str:
        return f"Keys({len(self._hashes)})"

    def known(self, key: str) -> bool:
        """Whether it is one of them; takes as long for each key."""
        digest = digest_of(key)
        found = False
        for known in self._hashes:
            found |= hmac.compare_digest(digest, known)
        return found

    def name_of(self, headers: Mapping[str, str]) -> str:
        """A name of the known key that was sent, from which it cannot be told; empty where there are no keys."""
        given = (key_of(headers.get(name, "")) for name in KEY_HEADERS) if self._hashes else ()
        return next((digest_of(key).hex()[:16] for key in given if key and self.known(key)), "")

    def check(self, headers: Mapping[str, str]) -> None:
        """Let pass who sends a known key, and everyone when there are none.

        Raises:
            BadKey: missing or unknown.
        """
        if not self._hashes:
            return
        given = [key for name in KEY_HEADERS if (key := key_of(headers.get(name, "")))]
        if not given:
            raise BadKey("This gateway wants a key: send it as 'Authorization: Bearer KEY'.", code="missing_api_key")
        if not any(self.known(key) for key in given):
            raise BadKey("The key is not one of this gateway's keys; ask its operator for one.")


def digest_of(key: str) -> bytes:
    """What is compared and kept of a key instead of it."""
    try:
        data = key.encode("utf-8", "surrogateescape")  # the bytes that came
    except UnicodeEncodeError:  # a half character that no bytes stand for
        data = key.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).digest()


def key_of(value: str) -> str:
    """The key in a header's value, with or without `Bearer`."""
    scheme, _, rest = value.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value.strip()


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine; callers name the same few in every call."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_peer(peer: tuple[str, int] | None) -> None:
    """Without keys only this machine may call.

    Raises:
        Forbidden: the caller is another one.
    """
    address = peer[0] if peer else ""
    if not is_loopback(address.removeprefix("::ffff:")):
        raise Forbidden(
            f"Callers from other machines ({address}) need a key, and this gateway has none. Its operator sets "
            "QWEN_GATEWAY_KEYS or qwen_keys_file.",
            code="keys_required",
        )


def check_admin(keys: Keys, headers: Mapping[str, str], peer: tuple[str, int] | None, *, forwarded: bool) -> None:
    """The operator only: by an admin key, or from this machine where there are none.

    Args:
        forwarded: a proxy on this machine speaks for somebody else.

    Raises:
        BadKey: there are admin keys, and none was sent.
        Forbidden: there are none, and the caller is another machine.
    """
    if keys:
        keys.check(headers)
        return
    address = (peer[0] if peer else "").removeprefix("::ffff:")
    if forwarded or not is_loopback(address):
        raise Forbidden(
            "This is for the operator: callers on this machine, or with one of QWEN_GATEWAY_ADMIN_KEYS.",
            code="admin_only",
        )


def check_no_page(origin: str) -> None:
    """No web page, of whatever origin.

    Raises:
        Forbidden: it is one.
    """
    if origin:
        raise Forbidden("This is for the operator: no web page can reach it.", code="admin_only")


@lru_cache(maxsize=64)
def host_of(authority: str) -> str:
    """The host in a Host header or an authority; empty when it has none."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def check_host(authority: str, allowed: Iterable[str]) -> None:
    """Let pass names of loopback and configured ones.

    Raises:
        Forbidden: another name, or none.
    """
    host = host_of(authority)
    if is_loopback(host) or host in allowed or "*" in allowed:
        return
    raise Forbidden(
        f"The Host header names '{authority[:80]}', which is not this gateway. Add it to qwen_allowed_hosts if it is.",
        code="host_not_allowed",
    )


def origin_allowed(origin: str, configured: Iterable[str]) -> bool:
    """Whether pages of this origin may call: loopback and configured ones."""
    if "*" in configured or origin.lower().rstrip("/") in configured:
        return True
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return origin.startswith(("http://", "https://")) and is_loopback(host)


def check_origin(origin: str, configured: Iterable[str]) -> None:
    """Let pass callers that are no web page, and pages of allowed origins.

    Raises:
        Forbidden: a page of another origin.
    """
    if origin and not origin_allowed(origin, configured):
        raise Forbidden(
            f"Pages of '{origin[:80]}' may not call this gateway. Add the origin to qwen_cors_origins to allow it.",
            code="origin_not_allowed",
        )


def cors_headers(origin: str) -> list[tuple[str, str]]:
    """What lets a page of an allowed origin read the answer."""
    return [
        ("access-control-allow-origin", origin),
        ("access-control-expose-headers", "x-request-id, x-gateway-notice, x-gateway-model, retry-after"),
        ("vary", "origin"),
    ]


def preflight_headers(origin: str, wanted: str) -> list[tuple[str, str]]:
    """The answer to a browser's question before the call."""
    names = (part.strip() for part in wanted.split(","))
    safe = ", ".join(name for name in names if name.isascii() and name.replace("-", "").isalnum())
    return [
        *cors_headers(origin),
        ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
        ("access-control-allow-headers", safe or "authorization, content-type"),
        ("access-control-max-age", "600"),
    ]
