"""Usage in OpenAI's form: integers, totals that add up, the details always present."""

from functools import cache
from typing import Any

from qwen_gateway.codec.deltas import Usage
from qwen_gateway.codec.json import NUMBERS

PROMPT = ("cached_tokens", "audio_tokens", "text_tokens", "image_tokens", "cache_write_tokens")
COMPLETION = (
    "reasoning_tokens", "audio_tokens", "text_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens",
)  # fmt: skip
"""Details that OpenAI's description knows; a detail that is no one's else stays away."""

ALWAYS = frozenset({"cached_tokens", "audio_tokens", "reasoning_tokens", *COMPLETION[3:]})
"""Details that clients read without asking whether they are there."""

RENAMED = {"cache_creation_input_tokens": "cache_write_tokens"}
"""Details by another name: DashScope's explicit cache (upstream.md 4.9)."""


def usage_object(usage: Usage) -> dict[str, Any]:
    """A `CompletionUsage`: the usual details filled with 0, all of them whole numbers."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": _details(usage.prompt_details, PROMPT),
        "completion_tokens_details": _details(usage.completion_details, COMPLETION),
    }


def response_usage(usage: Usage) -> dict[str, Any]:
    """A `ResponseUsage`: the same figures by the names of the Responses API, the details always there."""
    prompt = _details(usage.prompt_details, ("cached_tokens", "cache_write_tokens"))
    completion = _details(usage.completion_details, ("reasoning_tokens",))
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cache_write_tokens": 0, **prompt},
        "output_tokens": usage.completion,
        "output_tokens_details": completion,
        "total_tokens": usage.total,
    }


def _details(given: dict[str, Any], known: tuple[str, ...]) -> dict[str, int]:
    details = _nothing(known).copy()
    for theirs, value in given.items():
        name = RENAMED.get(theirs, theirs)
        if name in known and type(value) in NUMBERS:
            details[name] = max(0, int(value))
    return details


@cache
def _nothing(known: tuple[str, ...]) -> dict[str, int]:
    return {name: 0 for name in known if name in ALWAYS}


def add(usages: list[Usage]) -> Usage:
    """The sum over parallel answers: each of them was paid for."""
    if len(usages) == 1:
        return usages[0]
    total = Usage(0, 0, 0)
    for usage in usages:
        total.prompt += usage.prompt
        total.completion += usage.completion
        total.total += usage.total
        for mine, theirs in (
            (total.prompt_details, usage.prompt_details),
            (total.completion_details, usage.completion_details),
        ):
            for name, value in theirs.items():
                if type(value) in NUMBERS:
                    mine[name] = mine.get(name, 0) + value
    return total


def estimate(prompt: bytes, length: int) -> Usage:
    """A stand-in for upstreams that report nothing: four bytes of prompt and four characters of answer a token."""
    tokens = max(1, len(prompt) // 4)
    completion = max(1, length // 4) if length else 0
    return Usage(tokens, completion, tokens + completion)
