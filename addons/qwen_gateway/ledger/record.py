"""An exchange on its way into the ledger: references to what it is made of, until the writer's thread makes rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from qwen_gateway.exchange import Exchange
from qwen_gateway.ledger import exchanges
from qwen_gateway.ledger.lineage import Lineage, Place
from qwen_gateway.ledger.redaction import Redactor

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(slots=True)
class Origin:
    """Where an exchange came from.

    Attributes:
        gateway: the id of the process.
        client: its address.
        headers: those that are known to hold no secret.
        place: in its session; found by the writer.
        written: characters of its row, once that is there; None until then.
    """

    gateway: str
    client: str
    headers: list[list[str]]
    place: Place | None = None
    written: int | None = None


@dataclass(frozen=True, slots=True)
class How:
    """What is kept, and what finds sessions."""

    bodies: bool
    events: bool
    redact: Redactor
    lineage: Lineage


@dataclass(slots=True)
class Record:
    """The beginning of an exchange, or all of it.

    Attributes:
        weight: what it keeps in memory beside what is there anyway, in bytes.
    """

    exchange: Exchange
    origin: Origin
    how: How
    ended: bool
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        exchange = self.exchange
        self.weight = 2_000 + len(exchange.request_body)
        if self.ended:
            received = sum(len(piece) for attempt in exchange.attempts for piece in attempt.received)
            self.weight += len(exchange.request_body) + min(exchange.sent.size, 1024 * 1024) + received

    @classmethod
    def save(cls, connection: "Connection", entries: Sequence[Self]) -> None:
        exchanges.save(connection, entries)
