"""What someone wants to read of the ledger: which exchanges, and which page of them. Untrusted words in, values out."""

import base64
import binascii
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from qwen_gateway.openai.errors import BadRequest

MOST = 1000
"""Rows of one page."""

Outcome = Literal["running", "finished", "failed", "cancelled", "interrupted"]

OUTCOMES: tuple[str, ...] = get_args(Outcome)

NAMES = {"sessionId": "session", "session_id": "session", "after": "since", "before": "until", "orderBy": "order"}
"""Other names of parameters, those of seed B among them."""

ORDERS = re.compile(r"(?:(?:created_at|timestamp|started_at|last_accessed)[ +]*)?(?P<way>asc|desc)?", re.IGNORECASE)

TEXT_LIMIT = 500
"""Characters of a name or an id; whatever is longer is neither."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which exchanges. None and "": all of them.

    Attributes:
        since, until: when they started, seconds since the epoch; the second is the first moment outside.
        model: what was asked for, or what answered.
    """

    since: float | None = None
    until: float | None = None
    model: str = ""
    account: str = ""
    outcome: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Which of them, in the order of their time.

    Attributes:
        behind: the time and the id of the last row of the page before.
    """

    limit: int = 50
    offset: int = 0
    behind: tuple[float, str] | None = None
    newest_first: bool = True


EVERYTHING = Filter()


def parse(pairs: Iterable[tuple[str, str]]) -> tuple[Filter, Page]:
    """A query's parameters.

    Raises:
        BadRequest: one is unknown, given twice, or makes no sense.
    """
    given: dict[str, str] = {}
    for raw, value in pairs:
        name = NAMES.get(raw, raw)
        if name in given:
            raise BadRequest(f"'{raw[:80]}' is given twice.", param=raw[:80])
        if name not in KNOWN:
            known = ", ".join(sorted(KNOWN))
            raise BadRequest(
                f"There is no parameter '{raw[:80]}'; there are {known}.", param=raw[:80], code="unknown_parameter"
            )
        given[name] = value
    texts = {name: _text(name, given[name]) for name in ("model", "account", "session") if name in given}
    outcome = given.get("outcome", "")
    if outcome and outcome not in OUTCOMES:
        raise BadRequest(f"outcome is '{outcome[:80]}'; it is one of {', '.join(OUTCOMES)}.", param="outcome")
    order = ORDERS.fullmatch(given.get("order", ""))
    if order is None:
        raise BadRequest(f"order is '{given['order'][:80]}'; it is asc or desc.", param="order")
    chosen = Filter(
        since=moment("since", given["since"]) if "since" in given else None,
        until=moment("until", given["until"]) if "until" in given else None,
        outcome=outcome,
        **texts,
    )
    return chosen, Page(
        limit=_number("limit", given.get("limit", "50"), 1, MOST),
        offset=_number("offset", given.get("offset", "0"), 0, 2**53),
        behind=_cursor(given["cursor"]) if "cursor" in given else None,
        newest_first=(order["way"] or "desc").lower() == "desc",
    )


KNOWN = frozenset(
    {"since", "until", "model", "account", "outcome", "session", "limit", "offset", "cursor", "order"},
)


def cursor(when: float, row_id: str) -> str:
    """A place in a list, as a client may hand it back."""
    return base64.urlsafe_b64encode(f"{when!r} {row_id}".encode()).decode().rstrip("=")


def moment(name: str, value: str) -> float:
    """Seconds since the epoch: of a date, a time, or a number of seconds or milliseconds.

    Raises:
        BadRequest: it is none of these.
    """
    try:
        if re.fullmatch(r"\d{1,16}(\.\d{1,9})?", value):
            number = float(value)
            return number / 1000 if number > 1e11 else number
        found = datetime.fromisoformat(value.strip().replace(" ", "+") if "T" in value else value.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{name} is '{value[:80]}'; try 2026-11-21, 2026-11-21T08:00:00Z or seconds since 1970.", param=name
        ) from None


def _cursor(value: str) -> tuple[float, str]:
    try:
        words = base64.b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True).decode()
        when, _, row_id = words.partition(" ")
        if not math.isfinite(float(when)):
            raise ValueError(when)  # noqa: TRY301 - told below
        return float(when), _text("cursor", row_id)
    except (ValueError, binascii.Error):
        raise BadRequest("cursor is none; take next_cursor of the page before.", param="cursor") from None


def _number(name: str, value: str, least: int, most: int) -> int:
    if not re.fullmatch(r"\d{1,16}", value) or not least <= int(value) <= most:
        raise BadRequest(f"{name} is '{value[:80]}'; it is a number from {least} to {most}.", param=name)
    return int(value)


def _text(name: str, value: str) -> str:
    if not value or len(value) > TEXT_LIMIT:
        raise BadRequest(f"{name} has {len(value)} characters; it has 1 to {TEXT_LIMIT}.", param=name)
    return value
