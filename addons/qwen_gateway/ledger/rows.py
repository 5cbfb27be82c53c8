"""An exchange as rows of tables. Pure; whatever came from outside passes the redactor."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from qwen_gateway.codec import json
from qwen_gateway.codec.deltas import Usage
from qwen_gateway.exchange import Attempt
from qwen_gateway.ledger.assembly import assembled
from qwen_gateway.ledger.redaction import PIECE
from qwen_gateway.upstreams.chat_chunks import count

if TYPE_CHECKING:
    from qwen_gateway.ledger.record import Record

FINAL = (
    "ended_at", "model", "account", "account_why", "outcome", "error_status", "error_code", "error_message",
    "upstream_request_id", "attempts", "notices", "qwen_url", "qwen_headers", "qwen_body", "size",
)  # fmt: skip
"""What of a request is known only at its end."""

RUNNING = dict.fromkeys(FINAL) | {
    "model": "", "account": "", "account_why": "", "outcome": "running", "attempts": 0, "notices": "[]",
}  # fmt: skip
"""What it is until then."""

NAME = 300
"""Characters of a name or an id that are kept."""

NO_USAGE = Usage(0, 0, 0)

Row = dict[str, Any]
Redact = Callable[[str], str]


def begun(record: "Record") -> tuple[Row, int]:
    """The row of an exchange that has just begun, of `requests`, and how many of its characters will stay."""
    (row,), size = redacted(record, lambda redact: [request_row(record, redact)])
    return row | RUNNING | {"size": len(record.exchange.request_body) if record.how.bodies else 0}, size


def ended(record: "Record") -> tuple[Row, Row, list[Row]]:
    """The rows of an exchange that has ended: of `requests`, `responses` and `attempts`.

    Where the first is there already, it has only what is new.
    """
    written = record.origin.written

    def make(redact: Redact) -> list[Row]:
        request = {} if written is not None else request_row(record, redact)
        request |= end(record, redact)
        return [request, response_row(record, redact), *attempt_rows(record, redact)]

    (request, response, *attempts), size = redacted(record, make)
    request["id"] = record.exchange.id
    request["size"] = size + (written or 0) if record.how.bodies else 0
    return request, response, attempts


def redacted(record: "Record", make: Callable[[Redact], list[Row]]) -> tuple[list[Row], int]:
    """Rows without what is not to be kept, and how many characters they have.

    Those of a small exchange are searched together, and made once more where something may be in them.
    """
    if record.weight < PIECE:
        rows = make(str)
        whole = "".join(texts(rows))
        if not record.how.redact.may_find(whole):
            return rows, len(whole)
    rows = make(record.how.redact)
    return rows, sum(map(len, texts(rows)))


def texts(rows: Iterable[Row]) -> list[str]:
    """The values that are text."""
    return [value for row in rows for value in row.values() if type(value) is str]


def request_row(record: "Record", redact: Redact) -> Row:
    """A row of `requests` without what its end tells."""
    exchange, origin = record.exchange, record.origin
    assert origin.place is not None
    headers = {name.lower(): redact(value) for name, value in origin.headers}
    return {
        "id": exchange.id,
        "session_id": origin.place.session_id,
        "parent_id": origin.place.parent_id,
        "chain": origin.place.chain,
        "gateway": origin.gateway,
        "started_at": exchange.started,
        "surface": exchange.surface,
        "stream": exchange.call.stream,
        "client": origin.client,
        "user_agent": headers.get("user-agent", "")[:NAME],
        "caller": exchange.caller,
        "model_asked": redact(exchange.call.model)[:NAME],
        "headers": json.dumps(headers).decode() if record.how.bodies else "{}",
        "body": readable(exchange.request_body, redact) if record.how.bodies else None,
    }


def end(record: "Record", redact: Redact) -> Row:
    """What of a row of `requests` only its end tells, but its size."""
    exchange = record.exchange
    error = exchange.error
    row: Row = dict.fromkeys(FINAL) | {
        "ended_at": exchange.ended,
        "model": redact(exchange.model)[:NAME],
        "account": exchange.account or "",
        "account_why": exchange.why,
        "outcome": exchange.outcome,
        "attempts": len(exchange.attempts),
        "notices": redact(json.dumps([str(notice) for notice in exchange.notices]).decode()),
    }
    if error is not None:
        row |= {
            "error_status": error.status,
            "error_code": error.code and redact(error.code),
            "error_message": redact(error.message),
        }
    if exchange.upstream_request_id:
        row["upstream_request_id"] = redact(exchange.upstream_request_id)[:NAME]
    attempt = answering(record)
    if attempt is not None:
        row["qwen_url"] = redact(attempt.url)
        if record.how.bodies:
            row["qwen_headers"] = json.dumps({name: redact(value) for name, value in attempt.headers.items()}).decode()
            row["qwen_body"] = readable(attempt.body, redact)
    return row


def response_row(record: "Record", redact: Redact) -> Row:
    """A row of `responses`: what the client got, and what the upstream sent for it."""
    exchange, sent = record.exchange, record.exchange.sent
    assert record.origin.place is not None
    ended = exchange.ended or exchange.started
    usage = exchange.usage or NO_USAGE
    row: Row = {
        "id": f"res_{exchange.id.removeprefix('req_')}",
        "request_id": exchange.id,
        "session_id": record.origin.place.session_id,
        "created_at": ended,
        "status": sent.status,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "cached_tokens": count(usage.prompt_details.get("cached_tokens")),
        "reasoning_tokens": count(usage.completion_details.get("reasoning_tokens")),
        "queued_ms": milliseconds(exchange.started, exchange.attempts[0].started if exchange.attempts else None),
        "first_byte_ms": milliseconds(exchange.started, exchange.first_byte),
        "duration_ms": milliseconds(exchange.started, ended),
    }
    reason = finish_reason(sent.pieces)
    row["finish_reason"] = reason and redact(reason)
    row["body"] = row["received"] = row["sent_events"] = row["received_events"] = None
    if record.how.bodies:
        row["body"] = redact(assembled(sent.pieces))
        shown = [attempt for attempt in exchange.attempts if attempt.shown]
        received = [assembled(attempt.received) for attempt in shown]
        row["received"] = redact("[" + ",".join(received) + "]" if len(received) > 1 else "".join(received))
    if record.how.bodies and record.how.events:
        pieces = [piece for attempt in exchange.attempts if attempt.shown for piece in attempt.received]
        row["received_events"] = readable(b"".join(pieces), redact)
        row["sent_events"] = readable(b"".join(sent.pieces), redact) if sent.streamed else None
    return row


def attempt_rows(record: "Record", redact: Redact) -> list[Row]:
    """Rows of `attempts`."""
    bodies, main = record.how.bodies, answering(record)
    return [
        {
            "request_id": record.exchange.id,
            "number": attempt.number,
            "account": attempt.account,
            "why": attempt.why,
            "model": redact(attempt.model)[:NAME],
            "url": redact(attempt.url),
            "started_at": attempt.started,
            "ended_at": attempt.ended,
            "status": attempt.status,
            "verdict": attempt.verdict,
            "fault_code": redact(attempt.fault.code)[:NAME] if attempt.fault else None,
            "fault_message": redact(attempt.fault.message) if attempt.fault else None,
            "shown": attempt.shown,
            "body": readable(attempt.body, redact) if bodies and main and attempt.body != main.body else None,
            "answer": readable(attempt.answer, redact) if bodies and attempt.fault and attempt.answer else None,
        }
        for attempt in record.exchange.attempts
    ]


def answering(record: "Record") -> Attempt | None:
    """The attempt that the client saw, else the last one."""
    attempts = record.exchange.attempts
    return next((attempt for attempt in attempts if attempt.shown), attempts[-1] if attempts else None)


def readable(data: bytes, redact: Redact) -> str:
    """Bytes as text, without what is not to be kept."""
    return redact(data.decode("utf-8", "replace"))


def milliseconds(begin: float, end: float | None) -> float | None:
    """Between two times."""
    return None if end is None else round(max(0.0, end - begin) * 1000, 3)


TAIL = 8
"""Pieces of a stream among which is its end."""

FINISH = re.compile(rb'"finish_reason" ?: ?"([^"\\]{1,60})"|"type" ?: ?"response\.(completed|incomplete|failed)"')
"""Within a string of JSON the quotes would be escaped."""


def finish_reason(pieces: Sequence[bytes]) -> str | None:
    """The last reason that an answer gives for its end; of the Responses API, how its stream ended."""
    data = b"".join(pieces[-TAIL:])
    found = [first or second for first, second in FINISH.findall(data)]
    return found[-1].decode("utf-8", "replace") if found else None
