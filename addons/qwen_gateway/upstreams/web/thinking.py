"""How a turn shall think and search: `feature_config` (upstream.md 3.5, 3.7)."""

from typing import Any

from qwen_gateway.upstreams.parameters import Encoding
from qwen_gateway.upstreams.thinking import asked
from qwen_gateway.upstreams.web.names import Mode


def feature_config(encoding: Encoding, mode: Mode) -> dict[str, Any]:
    """By parameter, else by the name's suffix, else as the page does it: the model decides."""
    effort, wanted, budget = asked(encoding)
    facts = encoding.facts
    source = next((name for name in ("reasoning_effort", "reasoning", "enable_thinking") if name in encoding.call), "")
    if mode.thinking and wanted is None:
        wanted = True
    if facts.thinks == "never":
        if wanted and not mode.thinking:
            encoding.drop(source or "thinking_budget", "this model does not think")
        wanted = False
    config: dict[str, Any] = {
        "thinking_enabled": wanted is not False,
        "output_schema": "phase",
        "research_mode": "normal",
        "auto_thinking": wanted is None,
        "thinking_mode": {None: "Auto", True: "Thinking", False: "Fast"}[wanted],
        "thinking_format": "summary",
        "auto_search": mode.search or searches(encoding.call),
    }
    if wanted and budget is not None:
        ceiling = facts.budget
        if ceiling is not None and budget > ceiling:
            encoding.note("clamped", "thinking_budget", f"{budget} to the model's {ceiling}")
            budget = ceiling
        config["thinking_budget"] = budget
    if effort is not None and source:
        sent = f"a budget of {budget}" if budget is not None and wanted else config["thinking_mode"]
        encoding.note("translated", source, f"'{effort}' is sent as {sent}")
    return config


def searches(call: dict[str, Any]) -> bool:
    """Whether the call asks for a web search."""
    tools = call.get("tools") or ()
    asked_for = any(str(tool.get("type")).startswith("web_search") for tool in tools)
    return asked_for or "web_search_options" in call or call.get("enable_search") is True
