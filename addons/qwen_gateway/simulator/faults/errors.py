"""Faults that are errors: each row of upstream.md 4.6 and 4.7, and the four ways they travel (4.5)."""

from collections.abc import Iterator

from ..chunks import Event
from ..errors import ROWS, Row
from ..shapes import error_reply, event
from ..wire import Reply
from .table import Asked, Fault, Params, has_content

_COMMON: Params = {"shape": "", "after": 0, "message": "", "retry_after": ""}


def _row(asked: Asked, params: Params) -> Row:
    row = ROWS[str(params["row"])]
    text = str(params["message"]) or row.message.replace("{model}", asked.model)
    return row.saying(text)


def _reply(asked: Asked, params: Params) -> Reply | None:
    shape = str(params["shape"]) or asked.shape
    if shape == "E4" and asked.stream:
        return None
    if shape == "E4":
        shape = asked.shape
    reply = error_reply(_row(asked, params), asked.request_id, shape)
    if params["retry_after"] != "":
        reply.set_header("retry-after", str(params["retry_after"]))
    return reply


def _events(asked: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    if params["shape"] != "E4":
        yield from events
        return
    left = int(params["after"])
    while left > 0 and (chunk := next(events, None)) is not None:
        yield chunk
        left -= has_content(chunk)
    yield event(_row(asked, params), asked.request_id, asked.shape)


def _error(name: str, section: str, text: str, **params: str | int) -> Fault:
    return Fault(name, section, text, {**_COMMON, **params}, reply=_reply, events=_events)


_QUOTA = "allocation-quota"

FAULTS = [
    *(_error(row.name, row.section, f"{row.status} {row.code}: {row.message}", row=row.name) for row in ROWS.values()),
    _error("flat-error", "4.5", "E2: a flat error where an envelope is usual", shape="E2", row="invalid-parameter"),
    _error("error-in-200", "4.5", "E3: error lines in a 200 stream", shape="E3", row=_QUOTA),
    _error("error-in-200-json", "4.5", "E3: error lines in a 200 that says JSON", shape="E3-json", row=_QUOTA),
    _error("error-lines", "4.5", "E3: error lines with a 4xx status that says JSON", shape="E3-status", row=_QUOTA),
    _error("error-event", "4.5", "E4: an error event in place of the first chunk", shape="E4", row="internal-error"),
    _error(
        "error-event-late", "4.5", "E4: an error event after some content", shape="E4", row="internal-error", after=3
    ),
    _error(
        "content-filter-in-stream",
        "4.5",
        "E4: the output filter stops a stream",
        shape="E4",
        row="data-inspection-output",
        after=3,
    ),
    _error(
        "buffer-overflow",
        "4.5",
        "E4: a passing back-end fault over 200",
        shape="E4",
        row="internal-error",
        message="Backend buffer overflow",
    ),
    _error(
        "too-many-in-stream",
        "4.5",
        "E4: a throttle told as text over 200",
        shape="E4",
        row="internal-algo",
        message="<429> InternalError.Algo: An error occurred in model serving, error message is: [Too many requests.]",
    ),
]
