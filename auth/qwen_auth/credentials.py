"""What an account puts into request headers."""

from __future__ import annotations

import hmac
from typing import Literal, Protocol, runtime_checkable

State = Literal["fresh", "stale", "expired"]
"""fresh: use it. stale: use it, and renew it in the background. expired: renew it first."""


@runtime_checkable
class Credentials(Protocol):
    """Credentials of any kind: an API key, a Qwen login, a browser session.

    They may change while the process runs (a refreshed token, a new cookie): hold on to the object,
    never to what it put into the headers.
    """

    @property
    def state(self) -> State:
        """Whether they can be used now."""

    @property
    def endpoint(self) -> str | None:
        """The base URL these credentials are for, when they say so themselves (upstream.md 2.7)."""

    def apply(self, headers: dict[str, str]) -> None:
        """Add what authenticates a request. Touches no other header."""

    def secrets(self) -> tuple[str, ...]:
        """Every raw string that must not be seen anywhere, for a redactor to search for."""


class KeyCredentials:
    """A static API key (upstream.md 4.2). An empty one, for a server without keys, adds nothing."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    @property
    def state(self) -> State:
        return "fresh"

    @property
    def endpoint(self) -> str | None:
        return None

    def apply(self, headers: dict[str, str]) -> None:
        if self._secret:
            headers["Authorization"] = f"Bearer {self._secret}"

    def secrets(self) -> tuple[str, ...]:
        return (self._secret,) if self._secret else ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyCredentials):
            return NotImplemented
        return hmac.compare_digest(self._secret.encode(), other._secret.encode())

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return "KeyCredentials('***')" if self._secret else "KeyCredentials('')"


def clean_key(raw: str) -> str:
    """A key as people paste it: without the blanks, line ends and quotes around it.

    Raises `ValueError` for a key that no header can carry, without showing it.
    """
    key = raw.strip().removeprefix("\ufeff").strip()
    while len(key) >= 2 and key[0] == key[-1] and key[0] in "\"'":
        key = key[1:-1].strip()
    if key.lower().startswith("bearer "):
        key = key[len("bearer ") :].strip()
    for position, character in enumerate(key):
        if not "!" <= character <= "~":
            what = (
                "a blank"
                if character.isspace()
                else "a control character"
                if character < " "
                else "a non-ASCII character"
            )
            raise ValueError(f"the key has {what} at position {position + 1} of {len(key)}")
    return key
