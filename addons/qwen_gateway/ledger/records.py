"""Sessions, requests and responses, read back: what `GET /v1/sessions`, `/v1/requests` and `/v1/responses` show.

Every value that came from outside is a bound parameter. A list leaves the bodies out.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, case, func, or_, select

from qwen_gateway.ledger.asked import EVERYTHING, Filter, Page
from qwen_gateway.ledger.schema import ATTEMPTS, REQUESTS, RESPONSES, SESSIONS

SMALL = 64 * 1024
"""Characters of a body in which a list looks for the first message."""

BODIES = frozenset({"headers", "body", "qwen_headers", "qwen_body"})
ANSWERS = frozenset({"body", "received", "sent_events", "received_events"})


def chosen(given: Filter) -> list[ColumnElement[bool]]:
    """The conditions of a filter, on requests."""
    found: list[ColumnElement[bool]] = []
    if given.since is not None:
        found.append(REQUESTS.c.started_at >= given.since)
    if given.until is not None:
        found.append(REQUESTS.c.started_at < given.until)
    if given.model:
        found.append(or_(REQUESTS.c.model == given.model, REQUESTS.c.model_asked == given.model))
    for column, value in (
        (REQUESTS.c.account, given.account),
        (REQUESTS.c.outcome, given.outcome),
        (REQUESTS.c.session_id, given.session),
    ):
        if value:
            found.append(column == value)
    return found


def list_sessions(connection: Connection, given: Filter, page: Page) -> tuple[list[RowMapping], int]:
    """A page of the sessions that have such an exchange, by when they were last used; and how many there are."""
    wanted: Select[Any] = select(SESSIONS.c.id)
    if given != EVERYTHING:
        of_them = select(REQUESTS.c.id).where(REQUESTS.c.session_id == SESSIONS.c.id, *chosen(given))
        wanted = wanted.where(of_them.exists())
    query = _turned(_session(wanted.with_only_columns(SESSIONS)), SESSIONS.c.last_at, SESSIONS.c.id, page)
    return list(connection.execute(query).mappings()), _count(connection, wanted)


def find_session(connection: Connection, session_id: str) -> RowMapping | None:
    """One session."""
    query = _session(select(SESSIONS).where(SESSIONS.c.id == session_id))
    return connection.execute(query).mappings().one_or_none()


def list_requests(connection: Connection, given: Filter, page: Page) -> tuple[list[RowMapping], int]:
    """A page of requests, without bodies; and how many there are."""
    wanted = select(*(column for column in REQUESTS.c if column.name not in BODIES)).where(*chosen(given))
    query = _turned(wanted, REQUESTS.c.started_at, REQUESTS.c.id, page)
    return list(connection.execute(query).mappings()), _count(connection, wanted)


def find_request(connection: Connection, request_id: str) -> RowMapping | None:
    """One request, whole."""
    return connection.execute(select(REQUESTS).where(REQUESTS.c.id == request_id)).mappings().one_or_none()


def attempts_of(connection: Connection, request_id: str) -> list[RowMapping]:
    """The attempts of a request, without bodies."""
    shown = (column for column in ATTEMPTS.c if column.name not in ("body", "answer"))
    query = select(*shown).where(ATTEMPTS.c.request_id == request_id).order_by(ATTEMPTS.c.number)
    return list(connection.execute(query).mappings())


def list_responses(connection: Connection, given: Filter, page: Page) -> tuple[list[RowMapping], int]:
    """A page of responses, without bodies; and how many there are."""
    columns = (column for column in RESPONSES.c if column.name not in ANSWERS)
    wanted = _asked_by(select(*columns, *_OF_REQUEST)).where(*chosen(given))
    query = _turned(wanted, RESPONSES.c.created_at, RESPONSES.c.id, page)
    return list(connection.execute(query).mappings()), _count(connection, wanted)


def find_response(connection: Connection, response_id: str) -> RowMapping | None:
    """One response, whole."""
    return _one_response(connection, RESPONSES.c.id == response_id)


def response_to(connection: Connection, request_id: str) -> RowMapping | None:
    """The response to a request."""
    return _one_response(connection, RESPONSES.c.request_id == request_id)


def sum_up(connection: Connection, given: Filter) -> RowMapping:
    """What responses came to: their number, tokens, and mean duration."""
    query = _asked_by(
        select(
            func.count().label("responses"),
            *(func.coalesce(func.sum(RESPONSES.c[name]), 0).label(name) for name in TOKENS),
            func.avg(RESPONSES.c.duration_ms).label("duration_ms"),
        )
    )
    return connection.execute(query.where(*chosen(given))).mappings().one()


TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens")

_OF_REQUEST = (
    REQUESTS.c.surface, REQUESTS.c.parent_id, REQUESTS.c.model, REQUESTS.c.model_asked, REQUESTS.c.account,
    REQUESTS.c.stream, REQUESTS.c.started_at, REQUESTS.c.outcome, REQUESTS.c.error_status, REQUESTS.c.error_code,
    REQUESTS.c.error_message,
)  # fmt: skip


def _asked_by(query: Select[Any]) -> Select[Any]:
    return query.select_from(RESPONSES.join(REQUESTS, RESPONSES.c.request_id == REQUESTS.c.id))


def _one_response(connection: Connection, which: ColumnElement[bool]) -> RowMapping | None:
    return connection.execute(_asked_by(select(RESPONSES, *_OF_REQUEST)).where(which)).mappings().one_or_none()


def _session(query: Select[Any]) -> Select[Any]:
    """What is shown of a session beside its row."""
    mine = REQUESTS.c.session_id == SESSIONS.c.id
    newest = REQUESTS.c.started_at.desc(), REQUESTS.c.id.desc()
    small = case((func.length(REQUESTS.c.body) <= SMALL, REQUESTS.c.body))
    return query.add_columns(
        select(func.count()).select_from(REQUESTS).where(mine).scalar_subquery().label("requests"),
        select(func.count())
        .select_from(REQUESTS)
        .where(mine, REQUESTS.c.outcome == "finished")
        .scalar_subquery()
        .label("answered"),
        select(REQUESTS.c.parent_id).where(mine).order_by(*newest).limit(1).scalar_subquery().label("parent_id"),
        select(REQUESTS.c.qwen_url)
        .where(mine, REQUESTS.c.qwen_url.contains("?chat_id=", autoescape=True))
        .order_by(*newest)
        .limit(1)
        .scalar_subquery()
        .label("chat_url"),
        select(small)
        .where(mine)
        .order_by(REQUESTS.c.started_at, REQUESTS.c.id)
        .limit(1)
        .scalar_subquery()
        .label("first_body"),
    )


def _turned(query: Select[Any], when: ColumnElement[float], key: ColumnElement[str], page: Page) -> Select[Any]:
    """One page of it."""
    if page.behind is not None:
        at, row_id = page.behind
        further = when < at if page.newest_first else when > at
        query = query.where(or_(further, and_(when == at, key < row_id if page.newest_first else key > row_id)))
    order = (when.desc(), key.desc()) if page.newest_first else (when.asc(), key.asc())
    return query.order_by(*order).limit(page.limit + 1).offset(page.offset)


def _count(connection: Connection, wanted: Select[Any]) -> int:
    return connection.scalar(select(func.count()).select_from(wanted.order_by(None).subquery())) or 0
