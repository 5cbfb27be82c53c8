"""What chat.qwen.ai refuses, read into one `Fault`: most of it arrives with HTTP 200 (upstream.md 3.11)."""

from collections.abc import Mapping
from typing import Any

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.upstreams.error_body import clip, fault_of_payload, parse_retry_after, plain_text, text_of

CHALLENGE = "FAIL_SYS_USER_VALIDATE"
"""The code of a challenge, in whichever shape it came."""

_PAGE = (b"aliyun_waf", b"captcha-element", b"nocaptcha", b"<title>verification", b"_____tmd_____")

PARENT_LOST, CHAT_LOST, IN_PROGRESS = "ParentNotFound", "ChatNotFound", "InProgress"
"""Codes of our own for what the site says in words only (3.5, 3.11)."""

_WORDS = (
    ("is in progress", IN_PROGRESS),
    ("is not exist", PARENT_LOST),
    ("chat not found", CHAT_LOST),
    ("token has expired", "Unauthorized"),
)


def fault_of_site(
    body: bytes, *, status: int = 0, headers: Mapping[str, str] | None = None, origin: str = "stream"
) -> Fault | None:
    """The fault that a body stands for, None when it holds none.

    Args:
        status: of HTTP, or the one in `x-actual-status-code`; 0 for a plain 200.
    """
    headers = headers or {}
    if is_challenge_page(body):
        return challenge(status, headers)
    try:
        payload = loads(body)
    except BadJSON:
        if b"data:" not in body:
            return None
        parser = sse.Parser()
        for event in parser.feed(body) + parser.close():
            try:
                fault = fault_of_object(loads(event.data), status=status, headers=headers, origin=origin)
            except BadJSON:
                continue
            if fault is not None:
                return fault
        return None
    return fault_of_object(payload, status=status, headers=headers, origin=origin)


def fault_of_object(
    payload: Any, *, status: int = 0, headers: Mapping[str, str] | None = None, origin: str = "stream"
) -> Fault | None:
    """The same for parsed JSON."""
    headers = headers or {}
    if not isinstance(payload, dict):
        return None
    if isinstance(payload.get("ret"), list):
        return challenge(status, headers)
    said: Any = payload
    if payload.get("success") is False and isinstance(payload.get("data"), dict):
        said = payload["data"]
    elif isinstance(payload.get("error"), dict):
        said = payload["error"]
    code = text_of(said.get("code"))
    message = text_of(said.get("details")) or text_of(said.get("detail")) or text_of(said.get("message"))
    if payload.get("success") is not False and not (code and message):
        return fault_of_payload(payload, status=status, origin=origin)
    hours = said.get("num")
    retry_after = parse_retry_after(headers)
    if isinstance(hours, int | float) and not isinstance(hours, bool) and hours > 0:
        retry_after = hours * 3600.0
    lowered = message.lower()
    code = next((ours for words, ours in _WORDS if words in lowered), code)
    request_id = text_of(payload.get("request_id")) or headers.get("x-request-id")
    return Fault(status, code, clip(message or code or "no reason given"), retry_after, origin, request_id)


def fault_of_reply(status: int, headers: Mapping[str, str], body: bytes) -> Fault | None:
    """The fault of a small request's reply; None when it went well."""
    status = actual_status(status, headers)
    if any(mark in headers.get("location", "") for mark in ("_____tmd_____", "/punish")):
        return challenge(status, headers)
    fault = fault_of_site(body, status=status if status >= 300 else 0, headers=headers)
    if fault is None and status >= 300:
        fault = Fault(status, "", clip(plain_text(body)) or f"HTTP {status} without a body", parse_retry_after(headers))
    return fault


def actual_status(status: int, headers: Mapping[str, str]) -> int:
    """The real status where HTTP says 200 (3.2)."""
    told = headers.get("x-actual-status-code", "")
    return int(told) if status == 200 and told.isdecimal() and 300 <= int(told) < 600 else status


def is_challenge_page(body: bytes) -> bool:
    """Whether it is a page of the bot defence."""
    start = body[:20_000].lower()
    return start.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"<") and any(mark in start for mark in _PAGE)


def challenge(status: int, headers: Mapping[str, str]) -> Fault:
    """A challenge; its address is not told, for it is of use to nobody but the browser that met it."""
    said = "chat.qwen.ai's bot defence wants to see a browser"
    return Fault(status, CHALLENGE, said, parse_retry_after(headers), "stream", headers.get("x-request-id"))
