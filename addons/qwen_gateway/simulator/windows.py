"""Rate limits and quotas (upstream.md 4.6, 4.7): per Alibaba account and model, by the given clock.

RPM and TPM slide over 60 seconds, RPS and the burst over one; the plan's five hours roll, its week ends on
Monday 00:00 UTC+8, its month is taken as 30 days from the first use, Token Plan's seven days run
from the first use, the day of the portal ends at midnight UTC (2.13).
"""

from collections import deque
from dataclasses import dataclass, field

from .errors import refuse
from .keys import Key

_EIGHT_HOURS = 8 * 3600
_WEEK = 7 * 86_400
_MONTH = 30 * 86_400
_MONDAY = 4 * 86_400  # 1970-01-05 was a Monday


@dataclass(slots=True)
class _Use:
    """What one account has used."""

    calls: dict[str, deque[float]] = field(default_factory=dict)
    tokens: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)
    hours5: deque[float] = field(default_factory=deque)
    week: tuple[int, int] = (-1, 0)
    month: tuple[float, int] = (0.0, 0)
    day: tuple[int, int] = (-1, 0)
    credits7: tuple[float, int] = (0.0, 0)
    running: int = 0


class Windows:
    """The use of every account."""

    def __init__(self) -> None:
        self._uses: dict[str, _Use] = {}

    def clear(self) -> None:
        """Nobody has used anything."""
        self._uses.clear()

    def enter(self, account: str, key: Key, model: str, now: float) -> None:
        """Count one call, or refuse it; a refused call is not counted. Who is let in must `leave`."""
        limits = key.limits
        use = self._uses.setdefault(account, _Use())
        calls = use.calls.setdefault(model, deque())
        tokens = use.tokens.setdefault(model, deque())
        while calls and calls[0] <= now - 60:
            calls.popleft()
        while tokens and tokens[0][0] <= now - 60:
            tokens.popleft()
        while use.hours5 and use.hours5[0] <= now - 5 * 3600:
            use.hours5.popleft()
        week = int((now + _EIGHT_HOURS - _MONDAY) // _WEEK)
        weekly = use.week[1] if use.week[0] == week else 0
        month = use.month if now < use.month[0] + _MONTH else (now, 0)
        credits7 = use.credits7 if now < use.credits7[0] + _WEEK else (now, 0)

        day = int(now // 86_400)
        daily = use.day[1] if use.day[0] == day else 0

        if limits.concurrency is not None and use.running >= limits.concurrency:
            raise refuse("concurrency-quota")
        if limits.hour5 is not None and len(use.hours5) >= limits.hour5:
            raise refuse("hour-quota")
        if limits.week is not None and weekly >= limits.week:
            raise refuse("week-quota")
        if limits.month is not None and month[1] >= limits.month:
            raise refuse("month-quota")
        if limits.credits7 is not None and credits7[1] >= limits.credits7:
            raise refuse("token-plan-quota")
        if limits.day is not None and daily >= limits.day:
            raise refuse("free-quota")
        if limits.rpm is not None and len(calls) >= limits.rpm:
            raise refuse("token-plan-rate" if key.plan == "token" else "rate-quota")
        if limits.rps is not None and sum(at > now - 1 for at in calls) >= limits.rps:
            raise refuse("limit-requests")
        if limits.burst is not None and sum(at > now - 1 for at in calls) >= limits.burst:
            raise refuse("burst-rate")
        if limits.tpm is not None and sum(count for _, count in tokens) >= limits.tpm:
            raise refuse("insufficient-quota")

        use.running += 1
        calls.append(now)
        use.hours5.append(now)
        use.week = (week, weekly + 1)
        use.month = (month[0], month[1] + 1)
        use.day = (day, daily + 1)
        use.credits7 = (credits7[0], credits7[1] + 1)

    def spend(self, account: str, model: str, now: float, tokens: int) -> None:
        """Count the tokens of a call that was let in."""
        use = self._uses.setdefault(account, _Use())
        use.tokens.setdefault(model, deque()).append((now, tokens))

    def leave(self, account: str) -> None:
        """A call that was let in is over."""
        self._uses.setdefault(account, _Use()).running -= 1
