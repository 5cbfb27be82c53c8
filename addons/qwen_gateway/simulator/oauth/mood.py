"""The moods of the portal, for tests to set (upstream.md 2.12, 2.13)."""

from dataclasses import dataclass


@dataclass(slots=True)
class Portal:
    """The mood of the portal; all moods can be combined."""

    closed: bool = False
    """Every call gets 401, as since 2026-04-15."""
    per_day: int | None = None
    """Calls of one account in a day of UTC."""
    rpm: int | None = None
    delay: float = 0.0
    """Seconds before the answer."""
    ceiling: int | None = None
    """Prompts of more tokens end in 504 "stream timeout"; 130,000 to 150,000 in the wild."""
    fault: str = ""
    """A fault on each call that names none, such as `error-event-late`."""
    searches_per_day: int | None = 1_000
