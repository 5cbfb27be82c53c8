"""The credentials of a Qwen login: a token that is replaced while the process runs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from qwen_auth.account import Account
from qwen_auth.credentials import State
from qwen_auth.errors import AccountError
from qwen_auth.files import Stamp
from qwen_auth.plans import QWEN_OAUTH
from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import VALIDITY_MARGIN, Token, resolve_endpoint

FREE_TIER_CLOSED = (
    "Qwen closed the free tier of these logins on 2026-04-15: signing in still works, but every call is answered "
    "401 'invalid access token or token expired'. Signing in again does not help. Use an API key instead, "
    "for example `qwen-auth add work --plan model-studio-intl`."
)
"""upstream.md 2.12 and 2.13, for whoever meets a healthy login that is refused."""


def closed_tier(endpoint: str) -> str | None:
    """`FREE_TIER_CLOSED` where it holds: at Qwen's own hosts, not at a simulator or a portal of one's own."""
    host = urlsplit(endpoint).hostname or ""
    return FREE_TIER_CLOSED if host.endswith((".qwen.ai", ".aliyuncs.com")) else None


@dataclass(frozen=True, slots=True)
class Timing:
    """When a token counts as expired, and how long before that it is renewed in the background.

    `margin` is qwen-code's 30 s, or `TOKEN_REFRESH_BUFFER` (upstream.md 2.5). The lead comes on top: a
    random 10 to 30 minutes per login (upstream.md 2.4: seed A), so that many logins made together are not
    renewed together.
    """

    margin: float = VALIDITY_MARGIN
    shortest_lead: float = 600.0
    longest_lead: float = 1800.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Timing:
        said = environ.get("TOKEN_REFRESH_BUFFER", "").strip()
        if not said:
            return cls()
        if not said.isdecimal() or int(said) > 86_400_000:
            raise AccountError(f"TOKEN_REFRESH_BUFFER is {said[:40]!r}; give milliseconds, for example 30000")
        return cls(margin=int(said) / 1000)


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks of a machine: one that people and files agree on, one that never jumps."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class OAuthCredentials:
    """A login in one file. The refresher alone changes it; everyone else applies it.

    `problem` says in words why its owner has to sign in again, or None. Until it expires, the token
    serves in spite of it.
    """

    def __init__(
        self,
        file: LoginFile,
        token: Token,
        stamp: Stamp | None,
        *,
        timing: Timing | None = None,
        clock: Clock | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.file = file
        self.problem: str | None = None
        self._timing = timing or Timing()
        self._clock = clock or Clock()
        self._lead = uniform(self._timing.shortest_lead, self._timing.longest_lead)
        self._on_disk: Token | None = token
        self._stamp = stamp
        self._granted: float | None = None
        self._take(token)

    @property
    def token(self) -> Token:
        return self._token

    @property
    def stamp(self) -> Stamp | None:
        """The file as it was when the token was last read from it or written to it."""
        return self._stamp

    @property
    def remaining(self) -> float:
        """Seconds until the expiry, by whichever clock says less: a wall clock may be set back."""
        wall = self._token.expires_at - self._clock.wall()
        return min(wall, self._expiry - self._clock.monotonic())

    @property
    def state(self) -> State:
        # Neither may eat up the life of a short token, or each call would renew it.
        usable = self.remaining - min(self._timing.margin, self._life / 3)
        if usable <= 0:
            return "expired"
        return "stale" if usable <= min(self._lead, self._life / 3) else "fresh"

    @property
    def age(self) -> float | None:
        """Seconds since this process was granted the token; None when it came from the file."""
        return None if self._granted is None else self._clock.monotonic() - self._granted

    @property
    def endpoint(self) -> str:
        return resolve_endpoint(self._token.resource_url)

    @property
    def unsaved(self) -> bool:
        """Whether the memory is ahead of the file, because that could not be written."""
        return self._on_disk is not None and self._token != self._on_disk

    def apply(self, headers: dict[str, str]) -> None:
        headers["Authorization"] = f"Bearer {self._token.access_token}"

    def secrets(self) -> tuple[str, ...]:
        return self._token.secrets()

    def adopt(self, token: Token, stamp: Stamp | None) -> None:
        """Take over what the file holds now, unless that is only what it held before."""
        self._stamp = stamp
        if token != self._on_disk:
            self._take(token)
            self._on_disk = token

    def lost(self) -> None:
        """The file is gone: someone has signed out."""
        self._stamp = None
        self._on_disk = None
        self.problem = f"has no login any more ({self.file.path} is gone)"

    def granted(self, token: Token) -> None:
        """Take over what the server granted us just now; it is on no disk yet."""
        self._take(token)
        self._granted = self._clock.monotonic()
        self._life = self.remaining

    def saved(self, stamp: Stamp | None) -> None:
        """The file holds this token now."""
        self._stamp = stamp
        self._on_disk = self._token

    def _take(self, token: Token) -> None:
        self._token = token
        self._expiry = self._clock.monotonic() + token.expires_at - self._clock.wall()
        self._granted = None
        self._life = float("inf")  # a file does not tell
        self.problem = None

    def __repr__(self) -> str:
        problem = f", problem={self.problem!r}" if self.problem else ""
        return f"OAuthCredentials({str(self.file.path)!r}, {self.state}{problem})"


def oauth_account(
    name: str, credentials: OAuthCredentials, *, proxy: str | None = None, models: tuple[str, ...] | None = None
) -> Account:
    """The account of a login. Its calls go to `account.endpoint`, which follows the token (upstream.md 2.7)."""
    return Account(
        name=name,
        kind="oauth",
        plan=QWEN_OAUTH.name,
        base_url=credentials.endpoint,
        credentials=credentials,
        proxy=proxy,
        models=models,
        source=str(credentials.file.path),
    )
