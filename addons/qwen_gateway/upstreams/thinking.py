"""How much a model shall think: OpenAI's effort in the words of each host (upstream.md 2.8, 4.3, 4.13)."""

from collections.abc import Callable
from typing import Any

from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.facts import Facts
from qwen_gateway.upstreams.flavours import Flavour

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""From nothing to all; clients of several vendors send all of them (openai-surface.md section 2)."""

BUDGETS: dict[str, int | None] = {
    "minimal": 512, "low": 1_024, "medium": 8_192, "high": None, "xhigh": None, "max": None,
}  # fmt: skip
"""Tokens of thinking by effort; None leaves the model its own limit (2.8: seed A's map)."""

_WORDS = {"off": "none", "disabled": "none", "default": "medium", "auto": "medium", "highest": "max", "ultra": "max"}


def nearest_effort(value: str, notices: list[Notice]) -> str:
    """A known effort; an unknown word becomes the nearest, with a notice."""
    word = value.strip().lower()
    if word in EFFORTS:
        return word
    effort = _WORDS.get(word, "medium")
    notices.append(Notice("translated", "reasoning_effort", f"'{value[:40]}' is taken as '{effort}'"))
    return effort


def encode_thinking(
    call: dict[str, Any], body: dict[str, Any], flavour: Flavour, facts: Facts, notices: list[Notice]
) -> None:
    """Read `reasoning_effort`, `reasoning.effort`, `enable_thinking`, `thinking_budget`; write the host's own."""
    effort = call.get("reasoning_effort")
    reasoning = call.get("reasoning")
    if effort is None and isinstance(reasoning, dict) and isinstance(reasoning.get("effort"), str):
        effort = reasoning["effort"]
    if isinstance(effort, str):
        effort = nearest_effort(effort, notices)
    wanted: bool | None = call.get("enable_thinking")
    if wanted is None and effort is not None:
        wanted = effort != "none"
    budget = call.get("thinking_budget")
    if budget is None and effort is not None:
        budget = BUDGETS.get(effort)
    if wanted is None and budget is None:
        return
    if wanted is False and facts.thinks == "always":
        notices.append(Notice("dropped", "reasoning_effort", "this model cannot stop thinking"))
        return
    if wanted and facts.thinks == "never":
        notices.append(Notice("dropped", "reasoning_effort", "this model does not think"))
        return
    if budget is not None and facts.budget is not None and budget > facts.budget:
        notices.append(Notice("clamped", "thinking_budget", f"{budget} to the model's {facts.budget}"))
        budget = facts.budget
    WRITERS[flavour.thinking](body, bool(wanted or budget), effort, budget, facts)
    if effort is not None and flavour.thinking != "reasoning_effort":
        detail = "thinking off" if not (wanted or budget) else f"thinking on, budget {budget or 'unlimited'}"
        notices.append(Notice("translated", "reasoning_effort", detail))


def _dashscope(body: dict[str, Any], on: bool, effort: str | None, budget: int | None, facts: Facts) -> None:
    body["enable_thinking"] = on
    if not on:
        return
    if facts.efforts and effort is not None:
        # Both together are refused on qwen3.8-max (4.3).
        body["reasoning_effort"] = step(effort, facts.efforts)
    elif budget is not None:
        body["thinking_budget"] = budget


def _template(body: dict[str, Any], on: bool, _effort: str | None, _budget: int | None, _facts: Facts) -> None:
    given = body.get("chat_template_kwargs")
    body["chat_template_kwargs"] = {**(given if isinstance(given, dict) else {}), "enable_thinking": on}


def _openrouter(body: dict[str, Any], on: bool, effort: str | None, budget: int | None, _facts: Facts) -> None:
    if not on:
        body["reasoning"] = {"enabled": False}
    elif effort is not None:
        body["reasoning"] = {"effort": step(effort, ("minimal", "low", "medium", "high", "xhigh"))}
    elif budget is not None:
        body["reasoning"] = {"max_tokens": budget}
    else:
        body["reasoning"] = {"enabled": True}


def _ollama(body: dict[str, Any], on: bool, effort: str | None, _budget: int | None, _facts: Facts) -> None:
    body["reasoning_effort"] = step(effort or "medium", ("low", "medium", "high")) if on else "none"


WRITERS: dict[str, Callable[[dict[str, Any], bool, str | None, int | None, Facts], None]] = {
    "enable_thinking": _dashscope,
    "chat_template_kwargs": _template,
    "reasoning": _openrouter,
    "reasoning_effort": _ollama,
}
"""One writer for each switch."""


def step(effort: str, steps: tuple[str, ...]) -> str:
    """The step nearest to `effort`, the stronger one of two equally near."""
    place = EFFORTS.index(effort)
    return min(steps, key=lambda candidate: (abs(EFFORTS.index(candidate) - place), -EFFORTS.index(candidate)))
