"""Error bodies of every shape, read into one `Fault`.

upstream.md 4.5: E1 `{"error":{…}}`, E2 flat `{"code","message","request_id"}`, E3 SSE lines even under a JSON content
type; 4.13: vLLM's `{"error":"Unauthorized"}` and `"object":"error"`, OpenRouter's numeric codes; 2.12: the edge's HTML.
"""

import re
from collections.abc import Mapping
from typing import Any

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.codec.json import BadJSON, loads

MESSAGE_LIMIT = 2_000
"""Characters of an upstream's message that are kept."""

_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_SPACE = re.compile(r"\s+")


def fault_of_payload(payload: Any, *, status: int, origin: str, retry_after: float | None = None) -> Fault | None:
    """The fault in a parsed JSON value, or None when it holds none."""
    if not isinstance(payload, dict):
        return None
    error = payload.get("error")
    if isinstance(error, str) and error:
        code, message = "", text_of(payload.get("message")) or error
    elif isinstance(error, dict):
        code = text_of(error.get("code")) or text_of(error.get("type"))
        message = text_of(error.get("message")) or text_of(error.get("details")) or code
        status = status or inner_status(error.get("code"))
    elif payload.get("object") == "error" or (
        "message" in payload and "code" in payload and "choices" not in payload and payload["code"] not in ("", None)
    ):
        code = text_of(payload["code"]) if "code" in payload else text_of(payload.get("type"))
        message = text_of(payload.get("message"))
        status = status or inner_status(payload.get("code"))
    else:
        return None
    return Fault(status, code, clip(message), retry_after, origin, text_of(payload.get("request_id")) or None)


def fault_of_response(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault that an HTTP answer with an error status stands for; always finds one."""
    retry_after = parse_retry_after(headers)
    request_id = headers.get("x-request-id")
    fault: Fault | None = None
    try:
        fault = fault_of_payload(loads(body), status=status, origin="status", retry_after=retry_after)
    except BadJSON:
        fault = _fault_of_lines(status, body, retry_after)
    if fault is None:
        fault = Fault(status, "", clip(plain_text(body)) or f"HTTP {status} without a body", retry_after)
    fault.request_id = fault.request_id or request_id
    return fault


def _fault_of_lines(status: int, body: bytes, retry_after: float | None) -> Fault | None:
    """Shape E3 under an error status or a JSON content type."""
    if b"data:" not in body:
        return None
    parser = sse.Parser()
    for event in parser.feed(body) + parser.close():
        try:
            payload = loads(event.data)
        except BadJSON:
            continue
        told = event.status if event.status and event.status >= 400 else status
        found = fault_of_payload(payload, status=told, origin="status", retry_after=retry_after)
        if found:
            return found
    return None


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `retry-after-ms` or `retry-after`; a date is ignored, upstreams send none (upstream.md 4.4)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def inner_status(code: Any) -> int:
    """The HTTP status that a numeric `code` stands for (OpenRouter, vLLM); 0 for other codes."""
    try:
        number = int(code)
    except (TypeError, ValueError):
        return 0
    return number if 400 <= number < 600 else 0


def text_of(value: Any) -> str:
    """`value` as text; nothing for null and for containers."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def plain_text(body: bytes) -> str:
    """What a person would read on an HTML or text page."""
    return _SPACE.sub(" ", _TAG.sub(" ", body[:20_000].decode("utf-8", "replace"))).strip()


def clip(text: str) -> str:
    """At most `MESSAGE_LIMIT` characters."""
    return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT] + "…"
