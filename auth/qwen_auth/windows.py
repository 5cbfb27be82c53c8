"""Spans with a quota, and when each begins anew (upstream.md 2.13, 4.7).

=========  ==============================================================================
`minute`   the last 60 s
`5 hours`  the last 5 h, rolling (Coding Plan, Token Plan)
`day`      from midnight, of UTC unless the operator knows better (upstream.md 9.7)
`week`     from Monday 00:00 UTC+8 (Coding Plan)
`month`    of the subscription; when it began nobody tells, so it is taken as 30 rolling days
=========  ==============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Window:
    """One span.

    Attributes:
        length: seconds.
        rolling: it has no fixed beginning: each call leaves it `length` seconds later.
    """

    name: str
    length: float
    rolling: bool = False

    def begin(self, now: float, day: tzinfo = UTC) -> float:
        """When the span that `now` lies in began, in seconds since the epoch."""
        if self.rolling:
            return now - self.length
        here = datetime.fromtimestamp(now, CHINA if self is WEEK else day)
        midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - timedelta(days=midnight.weekday() if self is WEEK else 0)).timestamp()

    def reset(self, now: float, day: tzinfo = UTC) -> float | None:
        """When the quota is there again as a whole; None for a rolling one, where it comes back call by call."""
        return None if self.rolling else self.begin(now, day) + self.length


MINUTE = Window("minute", 60.0, rolling=True)
HOURS = Window("5 hours", 5 * 3600.0, rolling=True)
DAY = Window("day", 86_400.0)
WEEK = Window("week", 7 * 86_400.0)
MONTH = Window("month", 30 * 86_400.0, rolling=True)
WINDOWS = (MINUTE, HOURS, DAY, WEEK, MONTH)


def day_zone(hours: float) -> tzinfo:
    """The zone whose midnight ends a day: hours ahead of UTC."""
    return timezone(timedelta(hours=hours))


LIMITS: dict[str, dict[Window, int]] = {
    "portal": {MINUTE: 60, DAY: 100},  # 2.13: since 2026-04-13, two days before it closed
    "coding-plan": {HOURS: 6_000, WEEK: 45_000, MONTH: 90_000},  # 4.7: Pro
}
"""Calls that a plan allows, by the flavour's name, where they are known. They are shown, never enforced: the upstream
itself knows what other programs have used, and limits change."""
