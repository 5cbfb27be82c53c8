"""Rows of exchanges: sessions, requests, responses, attempts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select

from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.rows import FINAL, attempt_rows, request_row, response_row
from qwen_gateway.ledger.schema import ATTEMPTS, REQUESTS, RESPONSES, SESSIONS

if TYPE_CHECKING:
    from qwen_gateway.ledger.record import Record


def save(connection: Connection, records: "Sequence[Record]") -> None:
    """Write exchanges: what began and ended since the last batch is written once."""
    newest = {record.exchange.id: record for record in records}
    for record in newest.values():
        if record.origin.place is None:
            record.origin.place = record.how.lineage.place(record.exchange, lambda chain: _find(connection, chain))
    sessions: dict[str, dict[str, Any]] = {}
    for record in newest.values():
        assert record.origin.place is not None
        at = record.exchange.started
        name, caller = record.origin.place.session_id, record.exchange.caller
        row = sessions.setdefault(name, {"id": name, "caller": caller, "created_at": at, "last_at": at})
        row["last_at"] = at
    in_order = sorted(sessions.values(), key=lambda row: row["id"])  # one order: no deadlocks between gateways
    upsert.put(connection, SESSIONS, in_order, change=("last_at",))
    begun = [request_row(record) for record in newest.values() if not record.ended]
    upsert.put(connection, REQUESTS, begun)
    ended = [record for record in newest.values() if record.ended]
    requests, responses, attempts = [], [], []
    for record in ended:
        request, response, tried = request_row(record), response_row(record), attempt_rows(record)
        if record.how.bodies:
            request["size"] = sum(len(value) for row in (request, response, *tried) for value in texts(row))
        requests.append(request)
        responses.append(response)
        attempts += tried
    upsert.put(connection, REQUESTS, requests, change=FINAL)
    upsert.put(connection, RESPONSES, responses)
    upsert.put(connection, ATTEMPTS, attempts)


def texts(row: dict[str, Any]) -> list[str]:
    """The values of a row that are text."""
    return [value for value in row.values() if isinstance(value, str)]


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
