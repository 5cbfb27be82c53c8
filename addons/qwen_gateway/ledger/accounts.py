"""What gateways know about accounts: which ones rest, until when and why."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.known import Known
from qwen_gateway.ledger.schema import ACCOUNTS_STATE as TABLE


def tell(connection: Connection, states: Iterable[Known], gateway: str, now: float) -> None:
    """What this gateway knows now, in the place of what was known."""
    rows = [
        {
            "account": state.account,
            "model": state.model,
            "status": state.status,
            "until": state.until,
            "reason": state.reason,
            "cause": state.cause,
            "code": state.code,
            "failures": state.failures,
            "gateway": gateway,
            "changed_at": now,
        }
        for state in states
    ]
    change = ("status", "until", "reason", "cause", "code", "failures", "gateway", "changed_at")
    upsert.put(connection, TABLE, rows, change=change)


def told_since(connection: Connection, then: float, but: str) -> list[Known]:
    """What other gateways than this one have told since then."""
    query = select(TABLE).where(TABLE.c.changed_at > then, TABLE.c.gateway != but).order_by(TABLE.c.changed_at)
    return [
        Known(row.account, row.model, row.status, row.until, row.reason, row.cause, row.code, row.failures)
        for row in connection.execute(query)
    ]
