"""What the writer's queue holds."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qwen_gateway.ledger.database import Database


class Entry(Protocol):
    """Something to be written in the next batch."""

    @property
    def weight(self) -> int:
        """Bytes that it holds in memory, roughly."""

    @classmethod
    def save(cls, connection: "Connection", entries: Sequence[Self]) -> None:
        """Write some of its kind, in the order in which they were put."""


@dataclass(frozen=True, slots=True)
class Later:
    """Work whose result nobody waits for, as an entry."""

    work: "Callable[[Connection], object]"
    weight: int = 0

    @classmethod
    def save(cls, connection: "Connection", entries: "Sequence[Later]") -> None:
        for entry in entries:
            entry.work(connection)


@dataclass(frozen=True, slots=True)
class Urgent:
    """Work whose result somebody waits for."""

    work: "Callable[[Database], Any]"
    future: "Future[Any]"


@dataclass(slots=True)
class Chore:
    """Work for when there is time, every few seconds."""

    every: float
    work: "Callable[[Database], object]"
    due: float


def kind_of(entry: Entry) -> type[Entry]:
    """What can save it."""
    return type(entry)


def save_in_order(connection: "Connection", entries: Iterable[Entry]) -> None:
    """Write entries, those of one kind that stand together at once."""
    for kind, group in groupby(entries, key=kind_of):
        together: list[Any] = list(group)
        kind.save(connection, together)
