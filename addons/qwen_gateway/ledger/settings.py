"""What an operator decides about the ledger."""

from dataclasses import dataclass, field
from typing import Literal

MIB = 1024 * 1024
DAY = 86_400.0

Full = Literal["block", "drop"]
What = Literal["off", "metadata", "full"]


@dataclass(frozen=True, slots=True)
class Keep:
    """How long records stay. 0: no limit.

    Attributes:
        seconds: since an exchange started.
        requests: how many.
        size: bytes of bodies.
    """

    seconds: float = 30 * DAY
    requests: int = 100_000
    size: int = 1024 * MIB


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """
    Attributes:
        where: a path of a SQLite file, or a URL of PostgreSQL; empty until `configure`.
        flush: seconds between two batches.
        queue: records that may wait.
        queue_size: bytes that they may hold.
        full: whether new calls wait for room, or what does not fit is dropped.
        keep: how long records stay.
    """

    where: str = ""
    flush: float = 1.0
    queue: int = 10_000
    queue_size: int = 64 * MIB
    full: Full = "block"
    keep: Keep = field(default_factory=Keep)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is kept of an exchange.

    Attributes:
        what: nothing, everything but bodies, or all of it.
        events: streams also as they came and went, event by event.
        redact: patterns whose matches are not kept; `keys` stands for what looks like one.
    """

    what: What = "full"
    events: bool = False
    redact: tuple[str, ...] = ("keys",)
