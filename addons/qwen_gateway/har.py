"""Exchanges as an HTTP Archive (HAR 1.2), as browsers' tools and others read it. Fields of our own begin with `_`.

An entry is the call as the client made it; what Qwen was sent stands in `_qwen`. A stream of which no events were kept
is shown as the object that it came to.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.ledger import shapes
from qwen_gateway.version import __version__

HEAD: dict[str, Any] = {
    "version": "1.2",
    "creator": {"name": "qwen-gateway", "version": __version__},
    "pages": [],
}

GATEWAY = "http://qwen-gateway.localhost"
"""Where a client's calls went, as far as a record tells."""

Exchange = tuple[shapes.Row, Iterable[shapes.Row], shapes.Row | None]


def document(exchanges: Iterable[Exchange]) -> Iterator[bytes]:
    """The whole archive, piece by piece: it may be larger than the memory."""
    yield b'{"log":' + dumps(HEAD)[:-1] + b',"entries":['
    for number, (request, _, response) in enumerate(exchanges):
        yield (b",\n" if number else b"\n") + dumps(entry(request, response))
    yield b"\n]}}\n"


def entry(request: shapes.Row, response: shapes.Row | None) -> dict[str, Any]:
    """One exchange."""
    timings = _timings(response)
    return {
        "startedDateTime": datetime.fromtimestamp(request["started_at"], UTC).isoformat(timespec="milliseconds"),
        "time": sum(part for part in timings.values() if part > 0),
        "request": _request(request),
        "response": _response(request, response),
        "cache": {},
        "timings": timings,
        "comment": " ".join(filter(None, (request["model_asked"], "→", request["model"], f"@{request['account']}"))),
        "_id": request["id"],
        "_session": request["session_id"],
        "_account": request["account"] or None,
        "_model": request["model"] or None,
        "_outcome": request["outcome"],
        "_notices": shapes.value(request["notices"]),
        "_qwen": {"url": request["qwen_url"], "request": request["qwen_body"]} if request["qwen_url"] else None,
    }


def _request(row: shapes.Row) -> dict[str, Any]:
    headers = shapes.value(row["headers"])
    pairs = headers.items() if isinstance(headers, dict) else ()
    found: dict[str, Any] = {
        "method": "POST",
        "url": GATEWAY + shapes.PATHS.get(row["surface"], f"/{row['surface']}"),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": str(name), "value": str(value)} for name, value in pairs],
        "queryString": [],
        "headersSize": -1,
        "bodySize": -1,
    }
    if row["body"] is not None:
        found["postData"] = {"mimeType": "application/json", "text": row["body"]}
        found["bodySize"] = len(row["body"].encode())
    return found


def _response(request: shapes.Row, row: shapes.Row | None) -> dict[str, Any]:
    status = (row["status"] if row else None) or request["error_status"] or 0
    text, kind = "", "application/json"
    if row and row["sent_events"]:
        text, kind = row["sent_events"], "text/event-stream"
    elif row and row["body"]:
        text = row["body"]
    content: dict[str, Any] = {"size": len(text.encode()), "mimeType": kind}
    if text:
        content["text"] = text
    return {
        "status": status,
        "statusText": HTTPStatus(status).phrase if status in HTTPStatus else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "content-type", "value": kind}] if text else [],
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": len(text.encode()) if text else -1,
    }


def _timings(row: shapes.Row | None) -> dict[str, float]:
    """Milliseconds: in the gateway, until the first byte, until the last one; -1 where it is not known."""
    if row is None or row["duration_ms"] is None:
        return {"blocked": -1, "send": 0, "wait": 0, "receive": 0}
    whole = row["duration_ms"]
    first = whole if row["first_byte_ms"] is None else min(row["first_byte_ms"], whole)
    queued = min(row["queued_ms"] or 0.0, first)
    return {"blocked": queued, "send": 0, "wait": first - queued, "receive": whole - first}
