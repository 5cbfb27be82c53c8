"""What becomes of each parameter of a chat call: the policy table (openai-surface.md section 4).

One function per decision, one row per parameter. A row either sends a value (translated, clamped), tells why not
(dropped, withheld) or refuses. `strict` turns what would be dropped into a refusal; `lenient` turns some refusals into
drops.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from qwen_gateway.openai.errors import BadRequest, Unsupported
from qwen_gateway.openai.notices import Action, Notice
from qwen_gateway.upstreams.facts import Facts
from qwen_gateway.upstreams.flavours import Flavour

Policy = Literal["strict", "standard", "lenient"]


@dataclass(slots=True)
class Encoding:
    """One call on its way into an upstream's words.

    Attributes:
        call: the client's body, parsed.
        body: what is sent.
    """

    call: dict[str, Any]
    flavour: Flavour
    facts: Facts
    policy: Policy
    notices: list[Notice]
    body: dict[str, Any] = field(default_factory=dict)

    def note(self, action: Action, param: str, detail: str) -> None:
        self.notices.append(Notice(action, param, detail))

    def drop(self, param: str, why: str, *, code: str = "unsupported_parameter") -> None:
        """Leave the parameter out and say so; strict mode refuses."""
        if self.policy == "strict":
            raise Unsupported(f"'{param}' cannot be honoured: {why}. (strict policy)", param=param, code=code)
        self.note("dropped", param, why)

    def refuse(self, param: str, why: str) -> None:
        """Refuse the call; lenient mode drops."""
        if self.policy == "lenient":
            self.note("dropped", param, why)
            return
        raise Unsupported(f"'{param}' cannot be honoured: {why}.", param=param)


Rule = Callable[[Encoding, str, Any], None]


def pass_on(encoding: Encoding, param: str, value: Any) -> None:
    """Sent as it is by hosts that know it, dropped by the others."""
    if param in encoding.flavour.native or param in encoding.flavour.extensions:
        encoding.body[param] = value
    else:
        encoding.drop(param, f"{encoding.flavour.name} has no such parameter")


def dropped(why: str) -> Rule:
    """Left out with a notice, unless the host has such a parameter of its own."""

    def rule(encoding: Encoding, param: str, value: Any) -> None:
        if param in encoding.flavour.extensions:
            encoding.body[param] = value
        else:
            encoding.drop(param, why)

    return rule


def silent(_encoding: Encoding, _param: str, _value: Any) -> None:
    """Read elsewhere: by the parser, by the encoder of messages, tools or thinking, or by the gateway itself."""


def withheld(encoding: Encoding, param: str, _value: Any) -> None:
    """Kept from the upstream for the sake of the person behind it."""
    encoding.note("withheld", param, "not sent to the upstream")


def temperature(encoding: Encoding, param: str, value: Any) -> None:
    if encoding.flavour.open_range and value >= 2:
        encoding.note("clamped", param, f"{value} to 1.99 (the upstream's range is [0, 2))")
        value = 1.99
    encoding.body[param] = value


def top_p(encoding: Encoding, param: str, value: Any) -> None:
    if encoding.flavour.open_range and value <= 0:
        encoding.note("clamped", param, f"{value} to 0.001 (the upstream's range is (0, 1])")
        value = 0.001
    encoding.body[param] = value


def frequency_penalty(encoding: Encoding, param: str, value: Any) -> None:
    if param in encoding.flavour.native:
        encoding.body[param] = value
    elif value != 0:
        encoding.drop(param, "Qwen services have presence_penalty and repetition_penalty only")


def max_tokens(encoding: Encoding, _param: str, _value: Any) -> None:
    """`max_completion_tokens` and `max_tokens` → `max_tokens`, clamped to the model's ceiling."""
    if "max_tokens" in encoding.body:
        return
    given = {name: encoding.call[name] for name in ("max_completion_tokens", "max_tokens") if name in encoding.call}
    name, value = next(iter(given.items()))
    if len(given) > 1 and len(set(given.values())) > 1:
        encoding.note("dropped", "max_tokens", "max_completion_tokens was given as well")
    if name == "max_completion_tokens":
        encoding.note("translated", name, "sent as max_tokens")
    ceiling = encoding.facts.output
    if ceiling is not None and value > ceiling:
        encoding.note("clamped", name, f"{value} to the model's {ceiling}")
        value = ceiling
    encoding.body["max_tokens"] = value


def top_logprobs(encoding: Encoding, param: str, value: Any) -> None:
    if not encoding.call.get("logprobs"):
        raise BadRequest("'top_logprobs' needs 'logprobs': true.", param=param)
    if param not in encoding.flavour.native:
        encoding.refuse(param, f"{encoding.flavour.name} gives no log probabilities, and nulls would falsify results")
        return
    ceiling = encoding.flavour.top_logprobs
    if value > ceiling:
        encoding.note("clamped", param, f"{value} to the upstream's {ceiling}")
    encoding.body[param] = min(value, ceiling)


def logprobs(encoding: Encoding, param: str, value: Any) -> None:
    if not value:
        return
    if param in encoding.flavour.native:
        encoding.body[param] = True
    else:
        encoding.refuse(param, f"{encoding.flavour.name} gives no log probabilities, and nulls would falsify results")


def logit_bias(encoding: Encoding, param: str, value: Any) -> None:
    if not value:
        return
    encoding.refuse(param, "OpenAI's token ids mean other tokens to Qwen")


def stop(encoding: Encoding, param: str, value: Any) -> None:
    if value in ("", []):
        return
    pass_on(encoding, param, value)


def modalities(encoding: Encoding, param: str, value: Any) -> None:
    if value == ["text"]:
        return
    if encoding.facts.hears and param in encoding.flavour.extensions:
        encoding.body[param] = value
        return
    encoding.refuse(param, "this model answers with text only; an omni model speaks")


def audio(encoding: Encoding, param: str, value: Any) -> None:
    if "audio" not in (encoding.call.get("modalities") or ()):
        encoding.drop(param, "no audio was asked for in 'modalities'")
    elif encoding.facts.hears and param in encoding.flavour.extensions:
        encoding.body[param] = value
    else:
        encoding.drop(param, "this model answers with text only")


def store(encoding: Encoding, param: str, value: Any) -> None:
    if value:
        encoding.drop(param, "answers are not stored for later retrieval")


def service_tier(encoding: Encoding, param: str, value: Any) -> None:
    if value not in ("auto", "default"):
        encoding.drop(param, "there is one tier; the answer says 'default'")


def web_search(encoding: Encoding, param: str, _value: Any) -> None:
    if "enable_search" in encoding.flavour.extensions:
        encoding.body["enable_search"] = True
        encoding.note("translated", param, "sent as enable_search; sources are not returned (upstream.md 4.3)")
    else:
        encoding.refuse(param, f"{encoding.flavour.name} has no web search")


def verbosity(encoding: Encoding, param: str, value: Any) -> None:
    if param in encoding.flavour.extensions:
        encoding.body[param] = value
    elif value != "medium":
        encoding.drop(param, "Qwen models have no such setting; say it in a system message")


def parallel_tool_calls(encoding: Encoding, param: str, value: Any) -> None:
    """Sent, and kept to by the gateway: Qwen models may call in parallel all the same (upstream.md 4.3)."""
    if param in encoding.flavour.native and "tools" in encoding.call and not encoding.flavour.tools_by_prompt:
        encoding.body[param] = value
    if value is False:
        encoding.note("emulated", param, "calls after the first one are left out of the answer")


RULES: dict[str, Rule] = {
    # read elsewhere
    "messages": silent,
    "tools": silent,
    "tool_choice": silent,
    "response_format": silent,
    "reasoning_effort": silent,
    "reasoning": silent,
    "enable_thinking": silent,
    "thinking_budget": silent,
    "stream_options": dropped("only 'include_usage' is known"),
    "truncation": silent,
    "prompt_cache_key": silent,  # decides the account (design: stickiness)
    # sampling
    "temperature": temperature,
    "top_p": top_p,
    "presence_penalty": pass_on,
    "frequency_penalty": frequency_penalty,
    "seed": pass_on,
    "stop": stop,
    "logprobs": logprobs,
    "top_logprobs": top_logprobs,
    "logit_bias": logit_bias,
    # size
    "max_tokens": max_tokens,
    "max_completion_tokens": max_tokens,
    # form
    "modalities": modalities,
    "audio": audio,
    "verbosity": verbosity,
    "parallel_tool_calls": parallel_tool_calls,
    "web_search_options": web_search,
    # identity and housekeeping
    "user": withheld,
    "safety_identifier": withheld,
    "metadata": withheld,
    "store": store,
    "service_tier": service_tier,
    "prompt_cache_retention": dropped("Qwen's cache has no such setting"),
    "prompt_cache_options": dropped("Qwen's cache has no such setting"),
    "prediction": dropped("Qwen models have no predicted outputs"),
    "moderation": dropped("moderation is the provider's own"),
}
"""Every parameter of OpenAI's description, and the two that Qwen clients add."""


def apply_rules(encoding: Encoding) -> None:
    """Run each parameter of the call through its row; unknown ones go to hosts that know them.

    Raises:
        Unsupported: a row refuses.
        BadRequest: two parameters contradict each other.
    """
    known = encoding.flavour.extensions
    for param, value in encoding.call.items():
        rule = RULES.get(param)
        if rule is not None:
            rule(encoding, param, value)
        elif param in known:
            encoding.body[param] = value
        else:
            encoding.drop(param, "the gateway does not know it", code="unknown_parameter")
