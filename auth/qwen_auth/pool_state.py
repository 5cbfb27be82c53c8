"""What the pool knows: an account's state for a model, what a failure does to it, what was picked or why none was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from qwen_auth.account import Account

Strategy = Literal["single", "fill-first", "round-robin", "least-used", "sticky"]
STRATEGIES: tuple[Strategy, ...] = ("single", "fill-first", "round-robin", "least-used", "sticky")

Status = Literal["healthy", "resting", "exhausted", "needs-login", "disabled", "excluded"]

ModelOf = Callable[[Account], str | None]

ALL = ""
"""The model under which the state of the account as a whole is kept."""

_PROBE_LIMIT = 120.0  # seconds after which a probe that never reported no longer blocks the next one


@dataclass(frozen=True, slots=True)
class Rest:
    """What a failure does to an account.

    Attributes:
        status: the state it goes into.
        seconds: how long without a hint; doubled with each failure in a row.
        hint: seconds that the upstream itself named, believed up to `ceiling`.
        ceiling: the longest rest.
        longest: the longest rest without a hint, where that is less: nobody waits a month for a guess.
        whole_account: rest for every model, not only this one.
        transient: a passing fault (a torn connection, a 500); the only account rests for it after three in a row.
        reason: for people.
        cause: for programs: the class of the failure.
        code: the upstream's own code, by which repeats are counted.
    """

    status: Status
    seconds: float
    ceiling: float
    hint: float | None = None
    longest: float | None = None
    whole_account: bool = False
    transient: bool = False
    reason: str = ""
    cause: str = ""
    code: str = ""


@dataclass(slots=True)
class State:
    """The state of one account for one model (or for all): what the cockpit shows.

    Attributes:
        failures: in a row; the rests grow with them.
        repeats: those of the last code among them, the first of which was at `since`.
    """

    account: str
    model: str
    status: Status = "healthy"
    until: float = 0.0
    reason: str = ""
    cause: str = ""
    failures: int = 0
    probing_since: float | None = None
    code: str = ""
    repeats: int = 0
    since: float = 0.0

    def repeat(self, code: str, now: float) -> None:
        """Count a failure: the same as the last one, or the first of its kind."""
        if code != self.code or not self.repeats:
            self.code, self.repeats, self.since = code, 0, now
        self.repeats += 1

    def resting(self, now: float) -> bool:
        """Whether calls stay away now: resting, or one call is already looking whether it is well."""
        if self.status == "healthy":
            return False
        if now < self.until:
            return True
        return self.probing_since is not None and now < self.probing_since + _PROBE_LIMIT


@dataclass(frozen=True, slots=True)
class Choice:
    """A picked account and in words why it was picked; `healthy` when nothing is known against it."""

    account: Account
    why: str
    healthy: bool


class NoAccount(Exception):
    """No account can serve this call now.

    Attributes:
        retry_at: when the first one recovers (seconds since the epoch); None when none will by itself.
        states: what keeps each account away.
    """

    def __init__(self, message: str, retry_at: float | None, states: Sequence[State]) -> None:
        super().__init__(message)
        self.retry_at = retry_at
        self.states = states
