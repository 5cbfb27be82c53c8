"""The spans of limits, all in UTC: a minute of the clock, a day, a calendar month."""

from datetime import UTC, datetime, timedelta
from typing import Literal

Span = Literal["minute", "day", "month"]


def begin_of(span: Span, now: float) -> int:
    """When the span that `now` lies in began; seconds since the epoch."""
    moment = datetime.fromtimestamp(now, UTC).replace(second=0, microsecond=0)
    if span == "minute":
        return int(moment.timestamp())
    midnight = moment.replace(hour=0, minute=0)
    return int((midnight if span == "day" else midnight.replace(day=1)).timestamp())


def end_of(span: Span, begins: int) -> int:
    """When the next one begins."""
    moment = datetime.fromtimestamp(begins, UTC)
    match span:
        case "minute":
            return begins + 60
        case "day":
            return begins + 86_400
        case "month":
            return int((moment + timedelta(days=32)).replace(day=1).timestamp())
