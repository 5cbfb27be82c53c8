"""What calls came to, by day, model and account; and every exchange in turn, for an export."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, RowMapping, and_, case, cast, func, or_, select

from qwen_gateway.ledger.asked import Filter
from qwen_gateway.ledger.records import attempts_of, chosen, response_to
from qwen_gateway.ledger.schema import REQUESTS, RESPONSES

if TYPE_CHECKING:
    from qwen_gateway.ledger.database import Database

DAY = 86_400

FEW = 100
"""Exchanges that are read at once; whoever writes meanwhile does not wait for the rest."""


def usage(connection: Connection, given: Filter) -> list[RowMapping]:
    """Calls, failures and tokens: `day` (days since 1970, UTC), `model`, `account`, and the sums."""
    day = _day(connection).label("day")
    model = case((REQUESTS.c.model != "", REQUESTS.c.model), else_=REQUESTS.c.model_asked).label("model")
    failed = case((REQUESTS.c.outcome.in_(("failed", "interrupted")), 1), else_=0)
    query = (
        select(
            day,
            model,
            REQUESTS.c.account,
            func.count().label("calls"),
            func.sum(failed).label("failed"),
            *(
                func.coalesce(func.sum(RESPONSES.c[name]), 0).label(name)
                for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "total_tokens")
            ),
        )
        .select_from(REQUESTS.outerjoin(RESPONSES, RESPONSES.c.request_id == REQUESTS.c.id))
        .where(*chosen(given))
        .group_by(day, model, REQUESTS.c.account)
        .order_by(day, model, REQUESTS.c.account)
    )
    return list(connection.execute(query).mappings())


def exchanges(database: "Database", given: Filter) -> Iterator[tuple[RowMapping, list[RowMapping], RowMapping | None]]:
    """Every exchange, the oldest first: the request, its attempts, the response."""
    behind: tuple[float, str] | None = None
    while True:
        some = database.read(partial(_some, given=given, behind=behind))
        yield from some
        if len(some) < FEW:
            return
        last = some[-1][0]
        behind = last["started_at"], last["id"]


def _some(connection: Connection, given: Filter, behind: tuple[float, str] | None) -> list[Any]:
    when, key = REQUESTS.c.started_at, REQUESTS.c.id
    query = select(REQUESTS).where(*chosen(given)).order_by(when, key).limit(FEW)
    if behind is not None:
        query = query.where(or_(when > behind[0], and_(when == behind[0], key > behind[1])))
    rows = connection.execute(query).mappings().all()
    return [(row, attempts_of(connection, row["id"]), response_to(connection, row["id"])) for row in rows]


def _day(connection: Connection) -> ColumnElement[int]:
    """Days since 1970. A cast cuts off in SQLite and rounds in PostgreSQL."""
    days = REQUESTS.c.started_at / DAY
    return cast(func.floor(days), BigInteger) if connection.dialect.name == "postgresql" else cast(days, Integer)
