"""The records over HTTP: sessions, requests and responses read back, for the operator alone.

The paths and shapes are seed B's; `/v1/responses/resp_…` is OpenAI's object and none of ours.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mitmproxy import ctx, http

from qwen_gateway import flows, local, options
from qwen_gateway.codec.json import dumps
from qwen_gateway.ledger import Ledger, LedgerError, exchanges, records, shapes
from qwen_gateway.ledger.asked import Filter, Page, cursor, parse
from qwen_gateway.openai.errors import NotFound, OpenAIError
from qwen_gateway.router import route

# By name: SQLAlchemy is loaded when something in `records` is looked at, which must be in the thread that reads.
LISTS: dict[str, tuple[str, Callable[[shapes.Row], dict[str, Any]], str]] = {
    "sessions": ("list_sessions", shapes.session, "last_at"),
    "requests": ("list_requests", shapes.request, "started_at"),
    "responses": ("list_responses", shapes.response, "created_at"),
}
"""How each list is read and shown, and the time by which it is in order."""

FINDERS = {
    "session": "find_session", "request": "find_request", "response": "find_response", "response to": "response_to",
}  # fmt: skip


class Archive:
    """Serves `/v1/sessions…`, `/v1/requests…` and `/v1/responses…`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open = self._kept = True

    def configure(self, updated: set[str]) -> None:
        if updated & {"qwen_records_api", "qwen_persistence"}:
            settings = options.read(ctx.options)
            self._open, self._kept = settings.records_api, settings.persistence

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.metadata.get(flows.SURFACE) != "records":
            return
        try:
            if not self._open:
                raise NotFound("The records are not shown here; qwen_records_api (ENABLE_CRUD_API) is off.")
            if not self._kept:
                raise unavailable("nothing is kept, for qwen_persistence (ENABLE_PERSISTENCE) is off")
            shown = await self._answer(flow.request)
        except OpenAIError as error:
            local.refuse(flow, error)
        except LedgerError as error:
            local.refuse(flow, unavailable(str(error)))
        else:
            show(flow, dumps(shown))

    async def _answer(self, request: http.Request) -> dict[str, Any]:
        kind, *rest = (unquote(part) for part in route(request.path, request.method).argument.split("/"))
        given, page = parse(parse_qsl(urlsplit(request.path).query, keep_blank_values=True))
        await self._ledger.flush()
        if kind == "responses" and rest == ["stats"]:
            return {"session_id": given.session or "all", "statistics": shapes.statistics(await self._sums(given))}
        if kind == "sessions" and rest[1:] == ["requests"]:
            await self._find("session", rest[0])
            kind, rest, given = "requests", [], replace(given, session=rest[0])
        if not rest:
            return await self._list(kind, given, page)
        if request.method == "DELETE":
            return await self._delete(rest[0])
        return await self._one(kind, *rest)

    async def _list(self, kind: str, given: Filter, page: Page) -> dict[str, Any]:
        read, shape, time = LISTS[kind]
        rows, total = await self._ledger.read(lambda connection: getattr(records, read)(connection, given, page))
        shown = rows[: page.limit]
        more = len(rows) > len(shown)
        return {
            "object": "list",
            "data": [shape(row) for row in shown],
            "total": total,
            "limit": page.limit,
            "offset": page.offset,
            "has_more": more,
            "next_cursor": cursor(shown[-1][time], shown[-1]["id"]) if more else None,
        }

    async def _one(self, kind: str, key: str, part: str = "") -> dict[str, Any]:
        if kind == "sessions":
            row = await self._find("session", key)
            return (
                shapes.session_stats(row, await self._sums(Filter(session=key)))
                if part
                else shapes.session(row, whole=True)
            )
        if kind == "requests" and not part:
            row = await self._find("request", key)
            attempts = await self._ledger.read(lambda connection: records.attempts_of(connection, key))
            return shapes.whole_request(row, attempts)
        if kind == "requests":
            await self._find("request", key)
            return shapes.whole_response(await self._find("response to", key))
        return shapes.whole_response(await self._find("response", key))

    async def _find(self, what: str, key: str) -> shapes.Row:
        find = FINDERS[what]
        row: shapes.Row | None = await self._ledger.read(lambda connection: getattr(records, find)(connection, key))
        if row is None:
            raise missing(what, key)
        return row

    async def _delete(self, key: str) -> dict[str, Any]:
        if not await self._ledger.write(lambda connection: exchanges.remove_session(connection, key)):
            raise missing("session", key)
        return {"deleted": True, "session_id": key}

    async def _sums(self, given: Filter) -> shapes.Row:
        return await self._ledger.read(lambda connection: records.sum_up(connection, given))


def unavailable(why: str) -> OpenAIError:
    """The records cannot be read."""
    return OpenAIError(f"The records cannot be read: {why}.", status=503, code="ledger_unavailable")


def missing(what: str, key: str) -> NotFound:
    """There is no such record."""
    return NotFound(f"The ledger has no {what} '{key[:80]}'.", param="id")


def show(flow: http.HTTPFlow, body: bytes) -> None:
    """Answer, or say that nothing has changed since the caller last asked (RFC 9110 13.1.2)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = [each.strip().removeprefix("W/") for each in flow.request.headers.get("if-none-match", "").split(",")]
    headers = [("etag", tag), ("cache-control", "private, no-cache")]
    if flow.request.method in ("GET", "HEAD") and (tag in known or "*" in known):
        flow.response = http.Response.make(304, b"", dict(headers))
    else:
        local.give(flow, flows.json_response(body, 200, headers))
