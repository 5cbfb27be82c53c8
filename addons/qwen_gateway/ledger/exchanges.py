"""Rows of exchanges: sessions, requests, responses, attempts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select

from qwen_gateway.ledger import rows, upsert
from qwen_gateway.ledger.schema import ATTEMPTS, REQUESTS, RESPONSES, SESSIONS

if TYPE_CHECKING:
    from qwen_gateway.ledger.record import Record


HEAVY = 4 * 1024 * 1024
"""Bytes of records whose rows are in memory at once: they are there as bytes, as texts and as SQLite's copies."""


def save(connection: Connection, records: "Sequence[Record]") -> None:
    """Write exchanges: what began and ended since the last batch is written once."""
    newest = {record.exchange.id: record for record in records}.values()
    late = [record for record in newest if record.ended and record.origin.written is not None]
    fresh = [record for record in newest if not record.ended or record.origin.written is None]
    if not all(_finish(connection, some) for some in portions(late)):
        for record in late:
            record.origin.written = None
        fresh += late
    _place(connection, fresh)
    for some in portions(fresh):
        _begin(connection, [record for record in some if not record.ended])
        ended = [rows.ended(record) for record in some if record.ended]
        upsert.put(connection, REQUESTS, [request for request, _, _ in ended], change=rows.FINAL)
        _put_answers(connection, ended)


def portions(records: "Iterable[Record]") -> "Iterator[list[Record]]":
    """Records in their order, in lists that are not heavy; one that is has a list for itself."""
    some: list[Record] = []
    weight = 0
    for record in records:
        if some and weight + record.weight > HEAVY:
            yield some
            some, weight = [], 0
        some.append(record)
        weight += record.weight
    if some:
        yield some


def _begin(connection: Connection, records: "Sequence[Record]") -> None:
    """Write what has only begun."""
    begun = [rows.begun(record) for record in records]
    upsert.put(connection, REQUESTS, [row for row, _ in begun])
    for record, (_, size) in zip(records, begun, strict=True):
        record.origin.written = size


def _finish(connection: Connection, records: "Sequence[Record]") -> bool:
    """Write how exchanges ended whose beginnings are there; False: some are not, as that batch was undone."""
    ended = [rows.ended(record) for record in records]
    if upsert.change(connection, REQUESTS, [request for request, _, _ in ended]) < len(ended):
        return False
    _put_answers(connection, ended)
    return True


def _place(connection: Connection, records: "Sequence[Record]") -> None:
    """Find out which sessions exchanges belong to, and write these."""
    sessions: dict[str, dict[str, Any]] = {}
    for record in records:
        if record.origin.place is None:
            record.origin.place = record.how.lineage.place(record.exchange, lambda chain: _find(connection, chain))
        at = record.exchange.started
        name, caller = record.origin.place.session_id, record.exchange.caller
        row = sessions.setdefault(name, {"id": name, "caller": caller, "created_at": at, "last_at": at})
        row["last_at"] = at
    in_order = sorted(sessions.values(), key=lambda row: row["id"])  # one order: no deadlocks between gateways
    upsert.put(connection, SESSIONS, in_order, change=("last_at",))


def _put_answers(connection: Connection, ended: Sequence[tuple[rows.Row, rows.Row, list[rows.Row]]]) -> None:
    upsert.put(connection, RESPONSES, [response for _, response, _ in ended])
    upsert.put(connection, ATTEMPTS, [attempt for _, _, attempts in ended for attempt in attempts])


def remove_session(connection: Connection, session_id: str) -> bool:
    """Forget a session and all that belongs to it; False when there was none."""
    return bool(connection.execute(delete(SESSIONS).where(SESSIONS.c.id == session_id)).rowcount)


def _find(connection: Connection, chain: str) -> tuple[str, str] | None:
    row = connection.execute(
        select(REQUESTS.c.session_id, REQUESTS.c.id)
        .where(REQUESTS.c.chain == chain)
        .order_by(REQUESTS.c.started_at.desc())
        .limit(1)
    ).first()
    return None if row is None else (row[0], row[1])
