"""What becomes of a call's parameters at chat.qwen.ai, which knows next to none of them (upstream.md 3.5)."""

from typing import Any

from qwen_gateway.openai.errors import Unsupported
from qwen_gateway.upstreams.parameters import RULES, Encoding, Rule, dropped, silent

UNKNOWN = "chat.qwen.ai has no such setting"


def not_heard(encoding: Encoding, param: str, value: Any) -> None:
    """Dropped with a notice; a value that changes nothing is dropped without one."""
    if value not in (0, "default", "auto", None, False, [], {}) and (param, value) not in ORDINARY:
        encoding.drop(param, UNKNOWN)


ORDINARY = (("temperature", 1), ("top_p", 1), ("verbosity", "medium"))
"""What OpenAI's models do when nobody asks."""


def refused(why: str) -> Rule:
    def rule(encoding: Encoding, param: str, value: Any) -> None:
        if value:
            encoding.refuse(param, why)

    return rule


def web_search(encoding: Encoding, param: str, value: Any) -> None:
    if isinstance(value, dict) and value:
        encoding.note("dropped", f"{param}.{next(iter(value))}", "the search has no settings; its sources are cited")


def stops(encoding: Encoding, param: str, _value: Any) -> None:
    if stop_sequences(encoding.call):
        encoding.note("emulated", param, "the gateway ends the answer")


def limit(encoding: Encoding, param: str, _value: Any) -> None:
    encoding.note("emulated", param, "the gateway ends the answer; tokens are counted as the upstream tells them")


WEB_RULES: dict[str, Rule] = {
    **RULES,
    **dict.fromkeys(
        ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "verbosity"), not_heard
    ),
    "parallel_tool_calls": silent,
    "logprobs": refused("chat.qwen.ai gives no log probabilities, and nulls would falsify results"),
    "top_logprobs": refused("chat.qwen.ai gives no log probabilities, and nulls would falsify results"),
    "stop": stops,
    "max_tokens": limit,
    "max_completion_tokens": limit,
    "web_search_options": web_search,
    "enable_search": silent,
    "prediction": dropped(UNKNOWN),
}  # fmt: skip
"""Rows that differ from `upstreams.parameters`; read elsewhere: thinking, search, tools, the form of the answer."""


def apply_web_rules(encoding: Encoding) -> None:
    """Run each parameter of the call through its row.

    Raises:
        BadRequest: what cannot be honoured and must not be dropped.
    """
    for param, value in encoding.call.items():
        rule = WEB_RULES.get(param)
        if rule is not None:
            rule(encoding, param, value)
        else:
            encoding.drop(param, "the gateway does not know it", code="unknown_parameter")


def stop_sequences(call: dict[str, Any]) -> tuple[str, ...]:
    """The call's stop sequences."""
    given = call.get("stop")
    return tuple(text for text in ([given] if isinstance(given, str) else given or ()) if text)


def token_limit(call: dict[str, Any]) -> int | None:
    """The most tokens of the answer."""
    limit = call.get("max_completion_tokens", call.get("max_tokens"))
    return limit if type(limit) is int else None


def refuse_several(choices: int) -> None:
    """One generation per chat (3.11), and no parallel chats for one question."""
    if choices > 1:
        raise Unsupported(f"'n' is {choices}; an account of chat.qwen.ai gives one answer to a question.", param="n")
