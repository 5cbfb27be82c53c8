"""The web-search plugin (upstream.md 2.11): invented finds, the same ones for the same words."""

from ..errors import refuse
from ..keys import Key, Limits
from ..state import Call
from ..wire import Reply, json_reply

FOUND = 25
"""Finds for every query."""


def web_search(call: Call) -> Reply:
    """`POST /api/v1/indices/plugin/web_search`."""
    key = call.state.logins.key(call.key_name or "")
    if key is None or call.state.portal.closed:
        raise refuse("invalid-access-token")
    call.key = Key(account=key.account + "/web_search", limits=Limits(day=call.state.portal.searches_per_day))
    call.state.windows.enter(call.account, call.key, "web_search", call.now)
    call.entered = True
    body = call.object
    query = body.get("uq")
    if not isinstance(query, str) or not query:
        raise refuse("invalid-parameter", "uq is required")
    page, rows = max(int(body.get("page") or 1), 1), min(max(int(body.get("rows") or 10), 1), 50)
    begin = (page - 1) * rows
    docs = [_doc(query, number) for number in range(begin, min(begin + rows, FOUND))]
    wording = {"query": query, "cleanQuery": query.lower(), "sensitive": False, "spellchecked": ""}
    found = {"total": FOUND, "totalDistinct": FOUND, "docs": docs}
    found["qpInfos"] = [{**wording, "rewrite": "", "multiQuery": []}]
    return json_reply(
        200,
        {
            "headers": {"__d_head_qto": 12},
            "rid": call.request_id,
            "status": 0,
            "success": True,
            "message": "success",
            "data": found,
        },
    )


def _doc(query: str, number: int) -> dict[str, object]:
    return {
        "_id": f"d{number + 1}",
        "_score": round(0.99 - number / 100, 2),
        "title": f"{query}: find {number + 1}",
        "url": f"https://example.org/{number + 1}",
        "snippet": f"The simulator has found “{query}” for the {number + 1}. time.",
        "hostname": "example.org",
        "timestamp": 1_788_000_000 - number * 86_400,
        "timestamp_format": "2026-08-29",
    }
