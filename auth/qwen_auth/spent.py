"""How many calls each account made in each window: counted here, kept over a restart, shown beside the plan's limits.

Calls are added up by the minute for five hours and by the hour for thirty days; days and weeks begin on the hour, so
their sums are exact, and a rolling window is right to its bucket. `windows.json` in the gateway's home has no secret in
it, and is only ever as true as its last writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Literal

import orjson

from qwen_auth.errors import FileError
from qwen_auth.files import Warn, log_warning, parse_object, read_file, replace_private
from qwen_auth.windows import HOURS, LIMITS, MONTH, WINDOWS, Window

_MINUTE, _HOUR = 60, 3600

_NEARLY = 0.9  # of a plan's calls counted here explain that it is used up: some are under way, or were made elsewhere

Buckets = dict[int, int]


@dataclass(frozen=True, slots=True)
class Use:
    """One window of one account.

    Attributes:
        limit: what the plan allows, where it is known.
        reset: when the window begins anew, in seconds since the epoch. A rolling one that is used up has room again
            then; None while there is room, and where nobody knows how much the plan allows.
    """

    window: str
    calls: int
    limit: int | None
    reset: float | None


class Spent:
    """The counts of one process, and of those before it."""

    def __init__(self) -> None:
        self._minutes: dict[str, Buckets] = {}
        self._hours: dict[str, Buckets] = {}

    def add(self, account: str, now: float, calls: int = 1) -> None:
        """An account made calls just now (seconds since the epoch)."""
        for table, size in ((self._minutes, _MINUTE), (self._hours, _HOUR)):
            buckets = table.setdefault(account, {})
            place = int(now) // size
            buckets[place] = buckets.get(place, 0) + calls

    def hear(self, span: Literal["minute", "hour"], counts: Iterable[tuple[str, int, int]]) -> None:
        """Take over what all gateways together counted: accounts, when spans began (seconds since the epoch), calls."""
        table, size = (self._minutes, _MINUTE) if span == "minute" else (self._hours, _HOUR)
        for account, begins, calls in counts:
            table.setdefault(account, {})[begins // size] = calls

    def calls(self, account: str, window: Window, now: float, day: tzinfo = UTC) -> int:
        """How many of them lie in the window that `now` is in."""
        fine = window.length <= HOURS.length
        size = _MINUTE if fine else _HOUR
        buckets = (self._minutes if fine else self._hours).get(account, {})
        begin = window.begin(now, day)
        return sum(calls for place, calls in buckets.items() if place * size >= begin - (size if window.rolling else 0))

    def uses(self, account: str, flavour: str, now: float, day: tzinfo = UTC) -> list[Use]:
        """Every window of an account, with the limits of its plan."""
        limits = LIMITS.get(flavour, {})
        return [
            Use(
                window.name,
                self.calls(account, window, now, day),
                limits.get(window),
                self.reset(account, flavour, window, now, day),
            )
            for window in WINDOWS
        ]

    def reset(self, account: str, flavour: str, window: Window, now: float, day: tzinfo = UTC) -> float | None:
        """When a window has room again that is used up, in seconds since the epoch.

        A fixed one begins anew by the calendar. A rolling one has room when the call that filled it leaves: the oldest
        of the last so many calls as the plan allows. That is right as well for a month that began with the first of
        them, which is all that is known of a subscription's month. None: much fewer calls were made from here than
        the plan allows, so that others made them, and nobody here knows when.
        """
        if not window.rolling:
            return window.reset(now, day)
        limit = LIMITS.get(flavour, {}).get(window)
        if limit is None:
            return None
        fine = window.length <= HOURS.length
        size = _MINUTE if fine else _HOUR
        found, oldest = 0, 0.0
        for place, calls in sorted((self._minutes if fine else self._hours).get(account, {}).items(), reverse=True):
            leaves = (place + 1) * size + window.length
            if leaves <= now or found >= limit:
                break
            found, oldest = found + calls, leaves
        return oldest if found >= _NEARLY * limit else None

    def to_json(self, now: float) -> bytes:
        """What a later process needs; what no window can hold any more is left out and forgotten."""
        self._prune(self._minutes, int(now - HOURS.length) // _MINUTE - 1)
        self._prune(self._hours, int(now - MONTH.length) // _HOUR - 1)
        tables = {"minutes": self._minutes, "hours": self._hours}
        return orjson.dumps({"version": 1, **tables}, option=orjson.OPT_NON_STR_KEYS)

    @staticmethod
    def _prune(table: dict[str, Buckets], oldest: int) -> None:
        for buckets in table.values():
            for place in [place for place in buckets if place < oldest]:
                del buckets[place]

    def load(self, document: Mapping[str, Any]) -> None:
        """Add what an earlier process counted.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it is something else; nothing is added then.
        """
        found = {
            name: {
                str(account): {int(place): int(calls) for place, calls in buckets.items()}
                for account, buckets in document[name].items()
            }
            for name in ("minutes", "hours")
        }
        for name, table in (("minutes", self._minutes), ("hours", self._hours)):
            for account, buckets in found[name].items():
                mine = table.setdefault(account, {})
                for place, calls in buckets.items():
                    mine[place] = mine.get(place, 0) + calls


def windows_path(home: Path) -> Path:
    return home / "windows.json"


def write_spent(home: Path, content: bytes) -> None:
    """Put these counts in the place of the last ones."""
    replace_private(windows_path(home), content)


def read_spent(home: Path, spent: Spent, warn: Warn = log_warning) -> None:
    """Add the counts of the file, if there is one. A file that cannot be understood is told, and counts nothing."""
    path = windows_path(home)
    try:
        content = read_file(path)
        if content is not None:
            spent.load(parse_object(path, content))
    except (FileError, AttributeError, KeyError, TypeError, ValueError) as fault:
        warn(f"{path} holds no counts of calls and is ignored ({type(fault).__name__})")
