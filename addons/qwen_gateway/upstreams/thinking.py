"""How much a model shall think: OpenAI's effort in the words of each host (upstream.md 2.8, 4.3, 4.13)."""

from collections.abc import Callable
from typing import Any

from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.facts import Facts
from qwen_gateway.upstreams.parameters import Encoding

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


def encode_thinking(encoding: Encoding) -> None:
    """Read `reasoning_effort`, `reasoning`, `enable_thinking`, `thinking_budget`; write the host's own.

    Raises:
        Unsupported: the model cannot do it, and the policy is strict.
    """
    call, facts, flavour = encoding.call, encoding.facts, encoding.flavour
    if ASKED.isdisjoint(call):
        return
    effort, wanted, budget = asked(encoding)
    source = next((name for name in ("reasoning_effort", "reasoning", "enable_thinking") if name in call), _BUDGET)
    if wanted is None and budget is None:
        return
    on = wanted if wanted is not None else True
    if not on and facts.thinks == "always":
        encoding.drop(source, "this model cannot stop thinking")
        return
    if facts.thinks == "never":
        if on:
            encoding.drop(source, "this model does not think")
        return
    if budget is not None and facts.budget is not None and budget > facts.budget:
        if not facts.budget and _BUDGET in call:
            encoding.drop(_BUDGET, "this model takes no budget for thinking")
        elif facts.budget:
            encoding.note("clamped", _BUDGET, f"{budget} to the model's {facts.budget}")
        budget = facts.budget or None
    sent = WRITERS[flavour.thinking](encoding.body, on, effort, budget, facts)
    if effort is not None and sent != effort:
        encoding.note("translated", source, f"sent as {sent}")
    if on and _BUDGET in call and budget is not None and budget not in _numbers(encoding.body):
        encoding.drop(_BUDGET, f"{flavour.name} takes no budget beside an effort, or none at all")


_BUDGET = "thinking_budget"
ASKED = frozenset({"reasoning_effort", "reasoning", "enable_thinking", _BUDGET})
"""Parameters that say how much."""


def asked(encoding: Encoding) -> tuple[str | None, bool | None, int | None]:
    """Effort, switch and budget as the client means them; None for what it did not say."""
    call = encoding.call
    reasoning = call.get("reasoning")
    reasoning = reasoning if isinstance(reasoning, dict) else {}
    effort = call.get("reasoning_effort", reasoning.get("effort"))
    effort = nearest_effort(effort, encoding.notices) if isinstance(effort, str) else None
    wanted = call.get("enable_thinking", reasoning.get("enabled"))
    wanted = wanted if isinstance(wanted, bool) else None
    if wanted is None and effort is not None:
        wanted = effort != "none"
    budget = call.get(_BUDGET, reasoning.get("max_tokens"))
    if type(budget) is not int or budget < 1:
        budget = None if effort is None else BUDGETS.get(effort)
    if wanted is False:
        return effort, wanted, None
    return (effort if effort != "none" else None), wanted, budget


def _numbers(body: dict[str, Any]) -> set[Any]:
    reasoning = body.get("reasoning")
    return {body.get(_BUDGET), reasoning.get("max_tokens") if isinstance(reasoning, dict) else None}


def _dashscope(body: dict[str, Any], on: bool, effort: str | None, budget: int | None, facts: Facts) -> str:
    body["enable_thinking"] = on
    if not on:
        return "enable_thinking off"
    if facts.efforts and effort is not None:
        # Both together are refused on qwen3.8-max (4.3).
        body["reasoning_effort"] = step(effort, facts.efforts)
        return str(body["reasoning_effort"])
    if budget is not None:
        body[_BUDGET] = budget
    return f"enable_thinking on, budget {budget or 'unlimited'}"


def _template(body: dict[str, Any], on: bool, _effort: str | None, _budget: int | None, _facts: Facts) -> str:
    given = body.get("chat_template_kwargs")
    body["chat_template_kwargs"] = {**(given if isinstance(given, dict) else {}), "enable_thinking": on}
    return f"enable_thinking {'on' if on else 'off'}"


def _openrouter(body: dict[str, Any], on: bool, effort: str | None, budget: int | None, _facts: Facts) -> str:
    if not on:
        body["reasoning"] = {"enabled": False}
        return "reasoning off"
    if effort is not None:
        body["reasoning"] = {"effort": step(effort, ("minimal", "low", "medium", "high", "xhigh"))}
        return str(body["reasoning"]["effort"])
    body["reasoning"] = {"max_tokens": budget} if budget is not None else {"enabled": True}
    return "reasoning on"


def _ollama(body: dict[str, Any], on: bool, effort: str | None, _budget: int | None, _facts: Facts) -> str:
    body["reasoning_effort"] = step(effort or "medium", ("low", "medium", "high")) if on else "none"
    return str(body["reasoning_effort"])


WRITERS: dict[str, Callable[[dict[str, Any], bool, str | None, int | None, Facts], str]] = {
    "enable_thinking": _dashscope,
    "chat_template_kwargs": _template,
    "reasoning": _openrouter,
    "reasoning_effort": _ollama,
}
"""One writer for each switch; each says in words what it wrote."""


def step(effort: str, steps: tuple[str, ...]) -> str:
    """The step nearest to `effort`, the stronger one of two equally near."""
    place = EFFORTS.index(effort)
    return min(steps, key=lambda candidate: (abs(EFFORTS.index(candidate) - place), -EFFORTS.index(candidate)))
