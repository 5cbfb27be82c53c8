"""What an exchange used of its accounts' windows."""

from dataclasses import dataclass
from typing import Literal

from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.usage import usage_object

Span = Literal["minute", "hour"]
SECONDS: dict[Span, int] = {"minute": 60, "hour": 3600}

REFUSED = 429
"""Calls that were refused for a quota are no part of it."""


@dataclass(frozen=True, slots=True)
class Use:
    """What an account did in one span; `begins` in seconds since the epoch."""

    account: str
    span: Span
    begins: int
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


def uses_of(exchange: Exchange) -> list[Use]:
    """Every attempt that an upstream answered is a call; the tokens are the answering account's."""
    calls: dict[tuple[str, Span, int], int] = {}
    for attempt in exchange.attempts:
        if attempt.status is not None and attempt.status != REFUSED:
            for span, seconds in SECONDS.items():
                key = (attempt.account, span, int(attempt.started) // seconds * seconds)
                calls[key] = calls.get(key, 0) + 1
    used = usage_object(exchange.usage) if exchange.usage else None
    last = {span: key for key in calls if key[0] == exchange.account for span in [key[1]]}
    found = []
    for key, number in calls.items():
        prompt = completion = cached = 0
        if used and last.get(key[1]) == key:
            prompt, completion = used["prompt_tokens"], used["completion_tokens"]
            cached = used["prompt_tokens_details"]["cached_tokens"]
        found.append(Use(*key, number, prompt, completion, cached))
    return found
