"""Faults of chat.qwen.ai: each row of upstream.md 3.11, the challenges, and streams that say nothing.

They fit every call to the site; in a script, `"path": "/chat/completions"` keeps one for a turn.
"""

from collections.abc import Iterator

from ..chunks import Event
from ..web import rows
from ..wire import Reply
from .table import Asked, Fault, Params, has_content


def _row(params: Params) -> rows.Row:
    row = rows.ROWS[str(params["row"])]
    if params["num"] != "":
        row = row.with_hours(int(params["num"]))
    return row.saying(str(params["details"])) if params["details"] else row


def _shape(params: Params) -> str:
    return str(params["shape"]) or rows.ROWS[str(params["row"])].shape


def _reply(asked: Asked, params: Params) -> Reply | None:
    if _shape(params) == "stream" and asked.stream:
        return None
    return rows.reply(_row(params), asked.request_id, _shape(params))


def _events(asked: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    if _shape(params) != "stream":
        yield from events
        return
    left = int(params["after"])
    while left > 0 and (event := next(events, None)) is not None:
        yield event
        left -= has_content(event)
    yield rows.event(_row(params), asked.request_id)


def _challenge(_: Asked, params: Params) -> Reply:
    return rows.challenge(str(params["form"]), status=int(params["status"]))


def _silent(_: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    first = next(events, None)
    if first is not None:
        yield first
    if params["finished"]:
        yield from (event for event in events if not has_content(event))


def _no_phase(_: Asked, events: Iterator[Event], __: Params) -> Iterator[Event]:
    for event in events:
        for choice in event.get("choices", ()) if isinstance(event, dict) else ():
            choice["delta"].pop("phase", None)
        yield event


FAULTS = [
    *(
        Fault(
            f"web-{row.name}",
            "3.11",
            f"{row.code}: {row.details}",
            {"row": row.name, "shape": "", "after": 0, "details": "", "num": ""},
            reply=_reply,
            events=_events,
        )
        for row in rows.ROWS.values()
    ),
    Fault("web-challenge", "3.11", "the defence, as JSON", {"form": "json", "status": 200}, reply=_challenge),
    Fault("web-challenge-page", "3.11", "the defence, as a page", {"form": "html", "status": 200}, reply=_challenge),
    Fault("web-silent", "3.6", "a stream that says nothing", {"finished": 0}, events=_silent),
    Fault("web-no-phase", "3.6", "deltas without a phase", events=_no_phase),
]
