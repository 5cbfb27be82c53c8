"""A browser session of chat.qwen.ai: the cookies, tokens and headers that its owner captured (upstream.md 3.1, 3.2).

Cookies are one opaque header: they go back as they came, and `Set-Cookie` is merged into them. Nothing here is made up;
what was not captured is not sent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

BROWSER = ("user-agent", "bx-v", "bx-ua", "version", "accept-language", "sec-ch-ua", "sec-ch-ua-mobile",
           "sec-ch-ua-platform")  # fmt: skip
"""Headers of the browser that are kept as captured, beside cookies and tokens (3.2)."""

TOKEN_COOKIE = "token"  # noqa: S105 - a name
SECRET_LENGTH = 8
"""Shorter values of cookies are flags, and no redactor should search for a `1`."""

_JWT = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]*")
_GONE = re.compile(r"(?:^|;)\s*(?:max-age\s*=\s*0\s*(?:;|$)|expires\s*=\s*[^;]*\b1970\b)", re.IGNORECASE)

Cookies = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Session:
    """One session, as a value.

    Attributes:
        bearer: the JWT that is sent as `Authorization`; empty where the cookies carry it, and for guests.
        umidtoken: the header `bx-umidtoken`.
        cookies: names and values in their order.
        headers: what of `BROWSER` was captured.
    """

    bearer: str = field(default="", repr=False)
    umidtoken: str = field(default="", repr=False)
    cookies: Cookies = field(default=(), repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def jwt(self) -> str:
        """The account's token, wherever it stands; empty for a guest."""
        return self.bearer or dict(self.cookies).get(TOKEN_COOKIE, "")

    @property
    def guest(self) -> bool:
        """Whether nobody is signed in: chats of guests are marked (3.4), and their quota is small."""
        return not self.jwt

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies)

    def apply(self, headers: dict[str, str]) -> None:
        """Add everything that was captured."""
        headers.update(self.headers)
        if self.bearer:
            headers["authorization"] = f"Bearer {self.bearer}"
        if self.umidtoken:
            headers["bx-umidtoken"] = self.umidtoken
        if self.cookies:
            headers["cookie"] = self.cookie_header

    def secrets(self) -> tuple[str, ...]:
        """What must not be seen: tokens, the browser's own token, and each cookie that is more than a flag."""
        values = [self.bearer, self.umidtoken, dict(self.headers).get("bx-ua", "")]
        values += [value for _, value in self.cookies if len(value) >= SECRET_LENGTH]
        return tuple(dict.fromkeys(value for value in values if value))

    def merged(self, set_cookies: Iterable[str]) -> Session:
        """With the cookies that an answer set; one that it took back is gone. Attributes do not matter: one host."""
        cookies = dict(self.cookies)
        for line in set_cookies:
            pair, _, attributes = line.partition(";")
            name, equals, value = pair.strip().partition("=")
            name, value = name.strip(), value.strip().strip('"')
            if not equals or not _is_cookie(name, value):
                continue
            if not value or _GONE.search(attributes):
                cookies.pop(name, None)
            else:
                cookies[name] = value
        return replace(self, cookies=tuple(cookies.items()))

    def with_token(self, token: str) -> Session:
        """With another JWT in the places where the old one stood."""
        cookies = tuple((name, token if name == TOKEN_COOKIE else value) for name, value in self.cookies)
        in_cookies = any(name == TOKEN_COOKIE for name, _ in cookies)
        return replace(self, cookies=cookies, bearer=token if self.bearer or not in_cookies else "")


def parse_cookies(header: str) -> Cookies:
    """A `Cookie` header as names and values. `ValueError` for one that no header can carry."""
    found: dict[str, str] = {}
    for pair in header.strip().removeprefix("Cookie:").removeprefix("cookie:").split(";"):
        name, equals, value = pair.strip().partition("=")
        if not pair.strip():
            continue
        if not equals or not _is_cookie(name, value):
            raise ValueError(f"the cookies have something else at {len(found) + 1}: copy the whole value of `Cookie`")
        found[name] = value
    return tuple(found.items())


def _is_cookie(name: str, value: str) -> bool:
    return (
        bool(name)
        and all("!" <= char <= "~" and char not in ";=" for char in name)
        and value.isprintable()
        and (value.isascii() and ";" not in value)
    )


def is_jwt(text: str) -> bool:
    """Whether it looks like a JSON web token, whatever is in it."""
    return bool(claims(text))


def claims(token: str) -> Mapping[str, Any]:
    """The payload of a JWT; empty for anything else. Nobody's signature is checked: the token is our own."""
    found = _JWT.fullmatch(token)
    if not found:
        return {}
    payload = found[1] + "=" * (-len(found[1]) % 4)
    try:
        parsed = orjson.loads(base64.urlsafe_b64decode(payload))
    except (ValueError, binascii.Error):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def moment_of(token: str, claim: str) -> float | None:
    """A time in a JWT (`exp`, `iat`), in seconds since the epoch; None where it says nothing (3.1: never assume)."""
    value = claims(token).get(claim)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
