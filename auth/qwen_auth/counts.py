"""How much each account did today: `request_counts.json`, as seed A keeps it (upstream.md 2.14).

Counts are added up in memory and merged into the file now and then, under a lock, as differences: so
several gateways on one machine count exactly. Fields that we do not know survive.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from qwen_auth.errors import FileError
from qwen_auth.files import Warn, log_warning, parse_object, read_file, replace_private
from qwen_auth.lock import FileLock


def utc_date() -> str:
    """Today, as the file writes it."""
    return _date_of(int(time.time()) // _DAY)


@lru_cache(maxsize=4)
def _date_of(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY, UTC).date().isoformat()


_DAY = 86_400  # seconds


@dataclass(slots=True)
class Tally:
    """What was done. The fields are the file's, in our spelling."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    web_search_requests: int = 0
    web_search_results: int = 0
    cache_types: set[str] = field(default_factory=set)

    def add(self, other: Tally) -> None:
        self.requests += other.requests
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_tokens += other.cache_read_tokens
        self.cache_write_tokens += other.cache_write_tokens
        self.web_search_requests += other.web_search_requests
        self.web_search_results += other.web_search_results
        self.cache_types |= other.cache_types


_TOKENS = (
    ("requests", "requests"),
    ("inputTokens", "input_tokens"),
    ("outputTokens", "output_tokens"),
    ("cacheReadTokens", "cache_read_tokens"),
    ("cacheWriteTokens", "cache_write_tokens"),
)
_TODAY = (
    ("requests", "requests"),
    ("webSearchRequests", "web_search_requests"),
    ("webSearchResults", "web_search_results"),
)


class RequestCounts:
    """The counts of one file. `count` is cheap and never fails; call `flush` from a thread, every few seconds."""

    def __init__(self, path: Path, *, today: Callable[[], str] = utc_date, warn: Warn = log_warning) -> None:
        self.path = path
        self._today = today
        self._warn = warn
        self._guard = threading.Lock()
        self._pending: dict[tuple[str, str], Tally] = {}  # (date, account)

    def count(self, account: str, tally: Tally) -> None:
        """Remember what an account did just now."""
        with self._guard:
            self._add(self._today(), account, tally)

    def flush(self) -> None:
        """Add what was counted to the file. What could not be written is kept for the next time."""
        with self._guard:
            pending, self._pending = self._pending, {}
        if not pending:
            return
        try:
            with FileLock(self.path.with_suffix(".lock")):
                document = self._read(repair=True)
                for (date, account), tally in pending.items():
                    _merge(document, date, account, tally, self._today())
                replace_private(self.path, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        except BaseException:
            with self._guard:
                for (date, account), tally in pending.items():
                    self._add(date, account, tally)
            raise

    def _add(self, date: str, account: str, tally: Tally) -> None:
        known = self._pending.get((date, account))
        if known is None:
            known = self._pending[date, account] = Tally()
        known.add(tally)

    def today(self) -> dict[str, Tally]:
        """What each account did since midnight UTC, as the file knows it."""
        document = self._read(repair=False)
        tallies: dict[str, Tally] = {}
        for field_name, name in _TODAY:
            for account, count in document[field_name].items():
                setattr(tallies.setdefault(account, Tally()), name, count)
        for account, rows in document["tokenUsage"].items():
            row = next((each for each in rows if each.get("date") == self._today()), None)
            if row is not None:
                tally = tallies.setdefault(account, Tally())
                for field_name, name in _TOKENS[1:]:
                    setattr(tally, name, row.get(field_name, 0))
        return tallies

    def _read(self, *, repair: bool) -> dict[str, Any]:
        """The document with every field there, the counts of another day set to nothing.

        A broken file stops no counting: it is told, and moved aside before another is written.
        """
        document: dict[str, Any] = {}
        content = read_file(self.path)
        if content is not None:
            try:
                document = _parse(self.path, content)
            except FileError as fault:
                aside = self.path.with_suffix(".json.broken")
                self._warn(f"{fault}; counting begins anew, and the old file is kept as {aside.name}")
                if repair:
                    self.path.replace(aside)
        for name, _ in _TODAY:
            document.setdefault(name, {})
        document.setdefault("tokenUsage", {})
        if document.get("lastResetDate") != self._today():
            document["lastResetDate"] = self._today()
            document |= {name: {} for name, _ in _TODAY}
        return document


def _merge(document: dict[str, Any], date: str, account: str, tally: Tally, today: str) -> None:
    if date == today:  # what was counted before midnight belongs to the usage of its day only
        for field_name, name in _TODAY:
            count = getattr(tally, name)
            if count:
                document[field_name][account] = document[field_name].get(account, 0) + count
    rows = document["tokenUsage"].setdefault(account, [])
    row = next((each for each in rows if each.get("date") == date), None)
    if row is None:
        row = {"date": date, "requests": 0, "requestsKnown": True}
        rows.append(row)
    for field_name, name in _TOKENS:
        row[field_name] = row.get(field_name, 0) + getattr(tally, name)
    row["cacheTypes"] = sorted({*row.get("cacheTypes", ()), *tally.cache_types})


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    """The document, if every field that we add to has the shape of upstream.md 2.14."""
    document = parse_object(path, content)
    counts = [document.get(name, {}) for name, _ in _TODAY]
    usage = document.get("tokenUsage", {})
    if (
        all(isinstance(each, dict) and all(isinstance(count, int) for count in each.values()) for each in counts)
        and isinstance(usage, dict)
        and all(isinstance(rows, list) and all(_is_row(row) for row in rows) for rows in usage.values())
    ):
        return document
    raise FileError(path, "holds no request counts", "mend it or delete it", line=1)


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name, 0), int) for name, _ in _TOKENS)
