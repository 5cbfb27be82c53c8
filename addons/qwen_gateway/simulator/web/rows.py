"""What the site refuses, row by row, and the shapes it travels in (upstream.md 3.11).

Most refusals arrive with status 200; the real one stands in `x-actual-status-code`. The contract has no text for a
chat that is gone, for a file that is none, and for a parameter that is missing: those are completed in its sense.
"""

from dataclasses import dataclass, field, replace

from qwen_gateway.codec.json import dumps

from ..wire import JsonObject, Reply, json_reply


@dataclass(frozen=True, slots=True)
class Row:
    """One refusal."""

    name: str
    status: int
    """What it would be, were it told as a status."""
    code: str
    details: str
    extra: JsonObject = field(default_factory=dict)
    shape: str = "json"

    def saying(self, details: str) -> "Row":
        """The same row with another text."""
        return replace(self, details=details)

    def with_hours(self, hours: int) -> "Row":
        """The same row with another number of hours to wait."""
        return replace(self, extra={**self.extra, "num": hours})


class Refused(Exception):
    """The call is answered with a row."""

    def __init__(self, row: Row) -> None:
        super().__init__(row.details)
        self.row = row


class Challenged(Exception):
    """The call is answered with a challenge."""


_LIMIT: JsonObject = {
    "template": "You've reached the upper limit for today's usage. Please wait {{num}} hours before trying again.",
    "num": 6,
}
_INSPECTED = "Input or output data may contain inappropriate content."

ROWS = {
    row.name: row
    for row in (
        Row("rate-limited", 429, "RateLimited", "You've reached the upper limit for today's usage.", _LIMIT),
        Row("unauthorized", 401, "Unauthorized", "401 Unauthorized"),
        Row("token-expired", 401, "Unauthorized", "Token has expired"),
        Row("in-progress", 400, "Bad_Request", "The chat is in progress!"),
        Row("bad-request", 400, "Bad_Request", "internal error"),
        Row("wrong-parent", 400, "Bad_Request", "Invalid input chat parent_id root is not exist."),
        Row("model-not-found", 404, "Not_Found", "Model not found"),
        Row("chat-not-found", 404, "Not_Found", "Chat not found"),
        Row("file-not-found", 404, "Not_Found", "File not found"),
        Row(
            "too-many-requests", 429, "Too_Many_Requests", "Too many requests, please try again later.", shape="stream"
        ),
        Row("context-length", 400, "ContextLengthExceeded", "The context is too long for this model.", shape="stream"),
        Row("stream-unauthorized", 401, "unauthorized", "The session is not authorized.", shape="stream"),
        Row("data-inspection", 400, "data_inspection_failed", _INSPECTED, shape="stream"),
        Row("error", 500, "Internal_Server_Error", "Internal server error.", shape="stream"),
    )
}
SHAPES = ("json", "old", "stream", "http")


def refuse(name: str, details: str = "") -> Refused:
    """The exception for a row, with another text if one is given."""
    return Refused(ROWS[name].saying(details) if details else ROWS[name])


def body(row: Row, request_id: str) -> JsonObject:
    """The object of most refusals."""
    data = {"code": row.code, "details": row.details, **row.extra}
    return {"success": False, "request_id": request_id, "data": data}


def event(row: Row, response_id: str) -> bytes:
    """A refusal inside a stream."""
    error = {"code": row.code, "details": row.details}
    return b"data: %b\n\n" % dumps({"error": error, "response_id": response_id})


def reply(row: Row, request_id: str, shape: str = "") -> Reply:
    """A refusal as an answer of its own. Shapes: json, old (a flat object), stream (a lone event), http (a status)."""
    shape = shape or row.shape
    actual = [("x-actual-status-code", str(row.status))]
    if shape == "old":
        return json_reply(200, {"code": row.code, "detail": row.details, **row.extra}, actual)
    if shape == "stream":
        return Reply(200, [("content-type", EVENTS), *actual], iter((event(row, request_id),)))
    if shape in {"json", "http"}:
        return json_reply(row.status if shape == "http" else 200, body(row, request_id), actual)
    raise ValueError(f"no shape {shape!r} of a web error; there are {', '.join(SHAPES)}")


EVENTS = "text/event-stream; charset=utf-8"

_PAGE = """<!doctypehtml>
<html>
<head>
<meta charset="utf-8">
<meta name="aliyun_waf_aa" content="0123456789abcdef">
<meta name="aliyun_waf_bb" content="fedcba9876543210">
<title>Verification</title>
</head>
<body>
<div id="captcha-element"></div>
<div id="nocaptcha"></div>
</body>
</html>
"""


def challenge(form: str, path: str = "/api/v2/chat/completions", status: int = 200) -> Reply:
    """A challenge, as JSON or as a page. Nothing in it can be solved."""
    if form == "html":
        return Reply(status, [("content-type", "text/html; charset=utf-8")], _PAGE.encode())
    if form != "json":
        raise ValueError(f"no form {form!r} of a challenge; there are json and html")
    url = (
        f"https://chat.qwen.ai:443/{path}/_____tmd_____/punish?x5secdata=simulated&x5step=2&action=captcha&pureCaptcha="
    )
    return json_reply(status, {"ret": ["FAIL_SYS_USER_VALIDATE", "RGV587_ERROR::SM::simulated"], "data": {"url": url}})
