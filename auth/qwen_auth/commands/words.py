"""Times as people say them."""

from __future__ import annotations

from datetime import datetime


def span(seconds: float) -> str:
    """About how long: `40 s`, `12 min`, `5 h 12 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def from_now(seconds: float) -> str:
    """`in 12 min`, or `12 min ago`."""
    return f"in {span(seconds)}" if seconds >= 0 else f"{span(-seconds)} ago"


def countdown(seconds: float) -> str:
    """`29:41`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02}"


def moment(timestamp: float) -> str:
    """A point in time for machines: RFC 3339 with the local offset."""
    return datetime.fromtimestamp(timestamp).astimezone().isoformat(timespec="seconds")
