"""Kind `key`: a chat call for any OpenAI-compatible host (upstream.md section 4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.decoders import ChatAnswer, Decoder
from qwen_gateway.upstreams.error_body import fault_of_response
from qwen_gateway.upstreams.facts import facts_of
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.forms import encode_response_format, encode_tools
from qwen_gateway.upstreams.guard import Guard
from qwen_gateway.upstreams.messages import encode_messages
from qwen_gateway.upstreams.parameters import Encoding, Policy, apply_rules
from qwen_gateway.upstreams.situation import NOWHERE, Situation
from qwen_gateway.upstreams.stages import Staged, Stages
from qwen_gateway.upstreams.steps import Request, Steps
from qwen_gateway.upstreams.thinking import encode_thinking
from qwen_gateway.upstreams.thoughts import ThoughtsInText
from qwen_gateway.upstreams.tool_prompt import render_history
from qwen_gateway.upstreams.tool_prompt.words import calls_that_leak, put_into_words

SHORT_ANSWER = 4_096
"""An answer limited to so many tokens comes well within 300 s, where a host cuts what is not streamed (4.4)."""


@dataclass(slots=True)
class Encoded:
    """A call in an upstream's words, without credentials.

    Attributes:
        path: what follows the account's base URL.
        stream: whether the upstream was asked to stream, whatever the client gets.
        renamed: the upstream's name of a tool → the client's.
        stages: what finds thoughts and tool calls in the text, where that is needed.
        guard: makes what looks after one answer, where a client relies on more than text.
    """

    path: str
    headers: dict[str, str]
    body: bytes
    stream: bool
    model: str
    notices: list[Notice] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    stages: Stages = ()
    guard: Callable[[], Guard] | None = None

    def decoder(self) -> Decoder:
        """A fresh decoder for one attempt."""
        return Staged(ChatAnswer(), [make() for make in self.stages]) if self.stages else ChatAnswer()

    def steps(self) -> Steps | None:
        """The requests of the call, where it takes more than one (see `upstreams.steps`)."""
        return None

    def status_of(self, status: int, headers: Mapping[str, str]) -> int:
        """The status of an answer, wherever it stands."""
        return status

    def fault_of(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        """What an answer with an error status stands for."""
        return fault_of_response(status, headers, body)

    def afterwards(self) -> list[Request]:
        """What to tell the upstream when the attempt is over and its answer was not read to its end."""
        return []


Shape = Callable[[list[dict[str, Any]], list[Notice]], list[dict[str, Any]]]
"""Gives the messages another form, and says so where that loses something."""


def encode_chat(
    call: ChatCall,
    model: str,
    flavour: Flavour,
    *,
    policy: Policy = "standard",
    output_ceiling: int | None = None,
    situation: Situation = NOWHERE,
    shape: Shape | None = None,
) -> Encoded:
    """The call for one host; `n` is not sent, for the engine asks several times instead.

    Args:
        model: the upstream's name of the model.
        output_ceiling: a ceiling of `max_tokens` learned from the upstream, if any.
        shape: the form of messages that the host demands beyond the protocol.

    Raises:
        BadRequest: something in the call cannot be sent and must not be dropped.
    """
    facts = facts_of(model)
    notices: list[Notice] = []
    encoding = Encoding(call.body, flavour, facts, policy, notices)
    body: dict[str, Any] = encoding.body
    body["model"] = model
    messages = encode_messages(call.body["messages"], facts, notices)
    if flavour.tools_by_prompt:
        messages = render_history(messages, situation.tool_prompt)
    body["messages"] = shape(messages, notices) if shape else messages
    apply_rules(encoding)
    if output_ceiling is not None and body.get("max_tokens", 0) > output_ceiling:
        notices.append(Notice("clamped", "max_tokens", f"{body['max_tokens']} to the upstream's {output_ceiling}"))
        body["max_tokens"] = output_ceiling
    encode_thinking(encoding)
    if facts.output_with_thinking and "thinking_budget" in body and "max_tokens" in body:
        room = max(1, body["max_tokens"] - 1)
        if body["thinking_budget"] > room:
            encoding.note("clamped", "thinking_budget", f"{body['thinking_budget']} to {room}, below max_tokens")
            body["thinking_budget"] = room
    if flavour.tools_by_prompt:
        renamed, stages = {}, put_into_words(encoding, situation.tool_prompt)
    else:
        renamed, stages = encode_tools(encoding), calls_that_leak(encoding) if flavour.calls_in_text else ()
    if flavour.thoughts_in_text:
        stages = (ThoughtsInText, *stages)
    encode_response_format(encoding)
    stream = call.stream or facts.stream_only
    if not stream and flavour.cuts_long_answers:
        stream = body.get("max_tokens", SHORT_ANSWER + 1) > SHORT_ANSWER
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        **flavour.headers,
    }
    return Encoded("/chat/completions", headers, dumps(body), stream, model, notices, renamed, stages)
