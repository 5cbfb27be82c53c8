"""A chat-completions call: parsed from bytes, checked, and brought into one form that every upstream encodes from.

The checks follow OpenAI's description (openai-surface.md section 4): names, types and ranges. Fields that are not known
stay in the body; what becomes of them is the upstream's policy.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from qwen_gateway.codec.json import DEPTH_LIMIT, BadJSON, loads, may_be_deep, too_deep
from qwen_gateway.openai.call import Call
from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.openai.notices import Notice
from qwen_gateway.openai.tools import normalise_tools

Role = Literal["developer", "system", "user", "assistant", "tool", "function"]
Effort = str  # openai-surface.md: clients send "max", "xhigh" and more; the nearest is taken, with a notice
Positive = Annotated[int, Meta(ge=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class Part(Struct):
    """A content part; its other fields are looked at where they are encoded."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: dict[str, Any] | str | None = None
    input_audio: dict[str, Any] | None = None
    file: dict[str, Any] | None = None


class FunctionCall(Struct):
    """A function call in the history."""

    name: str
    arguments: str | dict[str, Any] | None = None


class HistoryCall(Struct):
    """A tool call in the history."""

    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    custom: dict[str, Any] | None = None


class Message(Struct):
    """One message."""

    role: Role
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[HistoryCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None


class Function(Struct):
    """A function that the model may call."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Struct):
    """A tool; which types are possible is decided where they are encoded."""

    type: str
    function: Function | None = None
    custom: dict[str, Any] | None = None


class StreamOptions(Struct):
    """What a stream shall carry."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ResponseFormat(Struct):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class ChatRequest(Struct):
    """The known fields with their types and ranges; used to check, never to encode."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    reasoning: dict[str, Any] | None = None
    verbosity: str | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    web_search_options: dict[str, Any] | None = None
    prediction: dict[str, Any] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    enable_thinking: bool | None = None
    thinking_budget: Positive | None = None


CHOICES_LIMIT = 4
"""The most answers of one call (openai-surface.md section 4; upstream.md 4.3 has the same limit)."""


@dataclass(slots=True, kw_only=True)
class ChatCall(Call):
    """A parsed call; its body has no `functions` but `tools`, and custom tools as functions.

    Attributes:
        legacy_functions: the client speaks `functions`; it gets `function_call` back.
        custom_tools: names of freeform tools, which are unwrapped in the answer.
        when_answered: told the whole answer when it is there, before the client sees its end.
    """

    include_usage: bool = False
    legacy_functions: bool = False
    custom_tools: frozenset[str] = frozenset()
    when_answered: Callable[[dict[str, Any]], None] | None = None

    @property
    def trims(self) -> bool:
        """Whether the oldest turns may be left out where the model has no room for them."""
        return self.body.get("truncation") == "auto"

    def client_name(self, param: str) -> str:
        """The client's name of a parameter, where its surface has another one."""
        return param


def parse_chat(data: bytes) -> ChatCall:
    """A call from the bytes of a request.

    Raises:
        BadRequest: not JSON, a missing field, a wrong type, a value out of range; `param` names it.
    """
    return call_of(parse_object(data), ChatCall, [])


def call_of[Call: ChatCall](body: dict[str, Any], kind: type[Call], notices: list[Notice]) -> Call:
    """A call from a chat body; `notices` are those of whoever translated it.

    Raises:
        BadRequest: see above.
    """
    check(body, ChatRequest)
    body = {name: value for name, value in body.items() if value is not None}
    model = body.pop("model").strip()
    if not model:
        raise BadRequest("'model' is blank; GET /v1/models lists names.", param="model", code="invalid_value")
    choices = body.pop("n", 1)
    if choices > CHOICES_LIMIT:
        raise BadRequest(
            f"'n' is {choices}; the gateway makes {CHOICES_LIMIT} answers of one call at most, for each is a call of "
            "its own to the upstream.",
            param="n",
        )
    stream = bool(body.pop("stream", False))
    options = body.pop("stream_options", {})
    if further := {name: value for name, value in options.items() if name != "include_usage" and value}:
        body["stream_options"] = further
    legacy, custom = normalise_tools(body, notices)
    return kind(
        model=model,
        stream=stream,
        include_usage=stream and bool(options.get("include_usage")),
        choices=choices,
        body=body,
        legacy_functions=legacy,
        custom_tools=custom,
        stickiness=body.get("prompt_cache_key"),
        notices=notices,
    )


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in a request's body.

    Raises:
        BadRequest: anything else.
    """
    if not data or data.isspace():
        raise BadRequest("The request has no body; send a JSON object.", code="invalid_json")
    try:
        body = loads(data)
    except BadJSON as error:
        raise BadRequest(f"The body is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise BadRequest(f"The body must be a JSON object, not {type(body).__name__}.", code="invalid_json")
    if may_be_deep(data) and too_deep(body):
        raise BadRequest(f"The body nests deeper than {DEPTH_LIMIT} levels.", code="invalid_json")
    return body


_PATH = re.compile(r" - at `(?:key in )?\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")


def check(body: dict[str, Any], shape: type[Struct]) -> None:
    """Check names, types and ranges of the known fields.

    Raises:
        BadRequest: with the path of the field as `param`.
    """
    try:
        msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH.search(text)
        path = found["path"] if found else ""
        reason = _PATH.sub("", text)
        if missing := _MISSING.search(reason):
            path = f"{path}.{missing[1]}" if path else missing[1]
            raise BadRequest(
                f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter"
            ) from None
        code = "invalid_type" if reason.startswith("Expected `") and ", got `" in reason else "invalid_value"
        raise BadRequest(f"Invalid '{path or 'body'}': {reason}.", param=path or None, code=code) from None
