"""An exchange in one line: in words and colours for people, as JSON for programs. Nothing in it is a secret."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from qwen_auth.errors import redact
from qwen_gateway.codec.json import dumps
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.upstreams.chat_chunks import count

RED, GREEN, YELLOW, CYAN, DIM = "31", "32", "33", "36", "2"
COLOURS = {"finished": GREEN, "failed": RED, "cancelled": YELLOW}


def painted(text: str, colour: str, *, coloured: bool) -> str:
    """The text in that colour, where colours are shown."""
    return f"\x1b[{colour}m{text}\x1b[0m" if coloured else text


def printable(text: str) -> str:
    """What came from outside must not move the cursor."""
    return "".join(char if char.isprintable() else "?" for char in text[:120])


def clock(moment: float) -> str:
    """The time of day, here."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def line(exchange: Exchange, *, coloured: bool = False) -> str:
    """`12:00:01 gpt-4o → qwen3.7-plus @work ≈18: 20+46 tokens, first 0.21 s, 1.32 s, finished`.

    Behind the account the tokens of the prompt as they were estimated, then those that the upstream reported.
    """

    def paint(text: str, colour: str) -> str:
        return painted(text, colour, coloured=coloured)

    parts = [paint(clock(exchange.started), DIM), printable(exchange.call.model)]
    if exchange.model and exchange.model != exchange.call.model:
        parts += ["→", printable(exchange.model)]
    if exchange.account:
        parts.append(paint(f"@{printable(exchange.account)}", CYAN))
    facts = []
    estimated = f"≈{exchange.estimated * exchange.call.choices}" if exchange.estimated is not None else ""
    if exchange.usage:
        used = f"{exchange.usage.prompt}+{exchange.usage.completion} tokens"
        facts.append(f"{estimated}: {used}" if estimated else used)
    elif estimated:
        facts.append(f"{estimated} tokens")
    if exchange.first_byte and exchange.call.stream:
        facts.append(f"first {exchange.first_byte - exchange.started:.2f} s")
    facts.append(f"{(exchange.ended or time.time()) - exchange.started:.2f} s")
    failed = [f"{attempt.verdict} @{printable(attempt.account)}" for attempt in exchange.attempts if attempt.verdict]
    if failed and exchange.outcome == "finished":
        facts.append(paint(f"after {', '.join(failed)}", YELLOW))
    outcome: str = exchange.outcome
    if exchange.error:
        outcome += f" {exchange.error.status} {printable(exchange.error.code or '')}".rstrip()
    return f"{' '.join(parts)} {', '.join(facts)}, {paint(outcome, COLOURS.get(exchange.outcome, DIM))}\n"


def refusal_line(moment: float, method: str, path: str, status: int, why: str, *, coloured: bool = False) -> str:
    """`12:00:01 POST /v1/chat/completions 400 refused: 'n' is 9`, for what never became an exchange."""
    parts = painted(clock(moment), DIM, coloured=coloured), printable(method), printable(path), str(status)
    return f"{' '.join(parts)} {painted(printable(why), YELLOW, coloured=coloured)}\n"


def record(exchange: Exchange, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """The same and more, as JSON. Durations are seconds.

    Args:
        secrets: what is taken out of the words of upstreams.
    """
    usage, error = exchange.usage, exchange.error
    return {
        "time": stamp(exchange.ended or time.time()),
        "event": "call",
        "id": exchange.id,
        "surface": exchange.surface,
        "outcome": exchange.outcome,
        "model_asked": exchange.call.model,
        "model": exchange.model or None,
        "account": exchange.account,
        "caller": exchange.caller or None,
        "stream": exchange.call.stream,
        "tokens": {
            "estimated": exchange.estimated,
            "input": usage.prompt if usage else None,
            "output": usage.completion if usage else None,
            "cached": count(usage.prompt_details.get("cached_tokens")) if usage else None,
            "reasoning": count(usage.completion_details.get("reasoning_tokens")) if usage else None,
        },
        "first": spent(exchange.started, exchange.first_byte),
        "duration": spent(exchange.started, exchange.ended),
        "attempts": [attempt_record(attempt, secrets) for attempt in exchange.attempts],
        "notices": [str(notice) for notice in exchange.notices],
        "error": {"status": error.status, "code": error.code, "message": redact(error.message, secrets)}
        if error
        else None,
        "upstream_request_id": exchange.upstream_request_id,
    }


def attempt_record(attempt: Attempt, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """One attempt as JSON."""
    return {
        "number": attempt.number,
        "account": attempt.account,
        "why": attempt.why,
        "model": attempt.model,
        "status": attempt.status,
        "verdict": attempt.verdict,
        "fault": redact(attempt.fault.message, secrets)[:500] if attempt.fault else None,
        "duration": spent(attempt.started, attempt.ended),
    }


def refusal_record(moment: float, method: str, path: str, status: int, why: str) -> dict[str, Any]:
    """What never became an exchange, as JSON."""
    return {
        "time": stamp(moment), "event": "refusal",
        "method": method, "path": path[:200], "status": status, "why": why[:500],
    }  # fmt: skip


def as_json(value: dict[str, Any]) -> bytes:
    """One line of JSON; whatever is in it."""
    try:
        return dumps(value) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, from an upstream's text
        return dumps({key: str(item).encode("utf-8", "replace").decode() for key, item in value.items()}) + b"\n"


def stamp(moment: float) -> str:
    """`2026-11-21T12:00:01.250Z`."""
    return f"{_second(int(moment))}.{int(moment * 1000) % 1000:03d}Z"


@lru_cache(maxsize=16)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def spent(start: float, end: float | None) -> float | None:
    """Seconds between two moments, if the second one came."""
    return round(end - start, 4) if end else None
