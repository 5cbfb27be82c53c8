"""Rows of the ledger in the JSON that clients of seed B know: milliseconds, its names, and ours beside them."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.sessions import IDLE

Row = Mapping[Any, Any]

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
}

FIRST = 200
"""Characters of the message by which a session is recognised."""


def session(row: Row, *, whole: bool = False) -> dict[str, Any]:
    """A session. `message_count` counts the exchanges that were answered; records stay after `expires_at`."""
    shown = {
        "id": row["id"],
        "object": "session",
        "chat_id": chat_of(row["chat_url"]),
        "parent_id": row["parent_id"],
        "message_count": row["answered"],
        "request_count": row["requests"],
        "first_user_message": first_message(value(row["first_body"])),
        "created_at": ms(row["created_at"]),
        "last_accessed": ms(row["last_at"]),
        "expires_at": ms(row["last_at"] + IDLE),
    }
    return shown | {"caller": row["caller"]} if whole else shown


def chat_of(url: str | None) -> str | None:
    """The chat of chat.qwen.ai that a call went to; other upstreams have none (upstream.md 3.5)."""
    return parse_qs(urlsplit(url).query).get("chat_id", [None])[0] if url else None


def session_stats(row: Row, sums: Row) -> dict[str, Any]:
    """What a session came to."""
    return {
        "session_id": row["id"],
        "message_count": row["answered"],
        "created_at": ms(row["created_at"]),
        "last_accessed": ms(row["last_at"]),
        "usage": statistics(sums),
    }


def statistics(sums: Row) -> dict[str, Any]:
    """What responses came to; a mean of nothing is 0."""
    return {
        "total_responses": sums["responses"],
        "total_completion_tokens": int(sums["completion_tokens"]),
        "total_prompt_tokens": int(sums["prompt_tokens"]),
        "total_tokens": int(sums["total_tokens"]),
        "total_cached_tokens": int(sums["cached_tokens"]),
        "total_reasoning_tokens": int(sums["reasoning_tokens"]),
        "avg_duration_ms": round(sums["duration_ms"] or 0),
    }


def request(row: Row) -> dict[str, Any]:
    """A request without its bodies."""
    return {
        "id": row["id"],
        "object": "request",
        "session_id": row["session_id"],
        "request_id": row["id"],
        "timestamp": ms(row["started_at"]),
        "method": "POST",
        "path": PATHS.get(row["surface"], row["surface"]),
        "model": row["model_asked"],
        "stream": row["stream"],
        "created_at": ms(row["started_at"]),
        "ended_at": ms(row["ended_at"]),
        "parent_id": row["parent_id"],
        "model_used": row["model"] or None,
        "account": row["account"] or None,
        "account_why": row["account_why"] or None,
        "outcome": row["outcome"],
        "error": error(row),
        "attempts": row["attempts"],
        "notices": value(row["notices"]),
        "client": row["client"],
        "user_agent": row["user_agent"],
        "caller": row["caller"],
        "gateway": row["gateway"],
        "upstream_request_id": row["upstream_request_id"],
    }


def whole_request(row: Row, attempts: Sequence[Row]) -> dict[str, Any]:
    """A request with what the client sent and what Qwen was sent; no bodies where only metadata is kept."""
    tries = [
        {
            "number": each["number"],
            "account": each["account"],
            "why": each["why"],
            "model": each["model"],
            "url": each["url"],
            "started_at": ms(each["started_at"]),
            "ended_at": ms(each["ended_at"]),
            "status": each["status"],
            "verdict": each["verdict"],
            "fault": each["fault_message"],
        }
        for each in attempts
    ]
    return request(row) | {
        "headers": value(row["headers"]),
        "openai_request": value(row["body"]),
        "qwen_url": row["qwen_url"],
        "qwen_headers": value(row["qwen_headers"]),
        "qwen_request": value(row["qwen_body"]),
        "attempts": tries,
    }


def response(row: Row) -> dict[str, Any]:
    """A response without its bodies. `queued_ms` and `first_byte_ms` count from the call's beginning."""
    return {
        "id": row["id"],
        "object": "response_record",
        "request_id": row["request_id"],
        "session_id": row["session_id"],
        "timestamp": ms(row["created_at"]),
        "parent_id": row["parent_id"],
        "completion_tokens": row["completion_tokens"],
        "prompt_tokens": row["prompt_tokens"],
        "total_tokens": row["total_tokens"],
        "cached_tokens": row["cached_tokens"],
        "reasoning_tokens": row["reasoning_tokens"],
        "finish_reason": row["finish_reason"],
        "error": error(row),
        "status": row["status"],
        "queued_ms": row["queued_ms"],
        "first_byte_ms": row["first_byte_ms"],
        "duration_ms": row["duration_ms"],
        "created_at": ms(row["created_at"]),
        "model": row["model"] or row["model_asked"],
        "account": row["account"] or None,
        "outcome": row["outcome"],
    }


def whole_response(row: Row) -> dict[str, Any]:
    """A response with what the client got and what Qwen sent."""
    sent = value(row["body"])
    return response(row) | {
        "response_id": sent.get("id") if isinstance(sent, dict) else None,
        "openai_response": sent,
        "qwen_response": value(row["received"]),
        "sent_events": row["sent_events"],
        "received_events": row["received_events"],
        "request": {
            "id": row["request_id"],
            "request_id": row["request_id"],
            "model": row["model_asked"],
            "stream": row["stream"],
            "timestamp": ms(row["started_at"]),
        },
    }


def error(row: Row) -> dict[str, Any] | None:
    """What the client was told, when the call failed."""
    if row["error_code"] is None and row["error_message"] is None:
        return None
    return {"status": row["error_status"], "code": row["error_code"], "message": row["error_message"]}


def ms(seconds: float | None) -> int | None:
    """Milliseconds since the epoch, as seed B counts time."""
    return None if seconds is None else round(seconds * 1000)


def value(text: str | None) -> Any:
    """What a body says; its text when it is no JSON."""
    if text is None:
        return None
    try:
        return loads(text)
    except BadJSON:
        return text


def first_message(body: Any) -> str | None:
    """The beginning of what the user said first, on whatever surface."""
    if not isinstance(body, dict):
        return None
    said = body.get("messages") or body.get("input") or body.get("prompt")
    if isinstance(said, list):
        said = next(
            (each.get("content") for each in said if isinstance(each, dict) and each.get("role") == "user"), None
        )
    if isinstance(said, list):
        said = next((part.get("text") for part in said if isinstance(part, dict) and part.get("text")), None)
    return said[:FIRST] if isinstance(said, str) else None
