"""Usage in OpenAI's form: integers, totals that add up, the details always present."""

from typing import Any

from qwen_gateway.codec.deltas import Usage


def usage_object(usage: Usage) -> dict[str, Any]:
    """A `CompletionUsage`: known details filled with 0, details that only the upstream knows kept."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, **usage.prompt_details},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
            **usage.completion_details,
        },
    }


def add(usages: list[Usage]) -> Usage:
    """The sum over parallel answers: each of them was paid for."""
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
                if isinstance(value, int) and not isinstance(value, bool):
                    mine[name] = mine.get(name, 0) + value
                else:
                    mine.setdefault(name, value)
    return total


def estimate(prompt: str | bytes, answer: str) -> Usage:
    """A stand-in for upstreams that report nothing: four bytes a token, marked as what it is."""
    size = len(prompt) if isinstance(prompt, bytes) else len(prompt.encode("utf-8", "replace"))
    prompt_tokens = max(1, size // 4)
    completion = max(1, len(answer.encode("utf-8", "replace")) // 4) if answer else 0
    return Usage(prompt_tokens, completion, prompt_tokens + completion, {"estimated": True}, {"estimated": True})
