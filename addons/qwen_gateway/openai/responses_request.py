"""A call of the Responses API: parsed, checked, and translated into the chat call that every upstream encodes from.

The upstream's own Responses API is not relied on: it ignores half of the parameters without a word (upstream.md 4.11).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from qwen_gateway.codec.ids import random_hex
from qwen_gateway.openai.chat_request import ChatCall, Effort, Positive, call_of, check, parse_object
from qwen_gateway.openai.errors import BadRequest, NotFound, Unsupported
from qwen_gateway.openai.notices import Notice
from qwen_gateway.openai.responses_items import Placed, Translation, further_tools, item_type, listed
from qwen_gateway.openai.responses_tools import Called, chat_tool_choice, chat_tools, is_search
from qwen_gateway.openai.sealing import Seal


class Text(Struct):
    """The form of the text."""

    format: dict[str, Any] | None = None
    verbosity: str | None = None


class Reasoning(Struct):
    """How much to think, and how to tell of it."""

    effort: Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None


class ResponsesRequest(Struct):
    """The known fields with their types and ranges; used to check, never to translate."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    background: bool | None = None
    store: bool | None = None
    include: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Positive | None = None
    max_output_tokens: Positive | None = None
    text: Text | None = None
    reasoning: Reasoning | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    context_management: list[dict[str, Any]] | None = None
    prompt: dict[str, Any] | None = None
    metadata: Annotated[dict[str, str], Meta(max_length=16)] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    service_tier: str | None = None
    moderation: dict[str, Any] | None = None


SAME = frozenset(
    {
        "temperature", "top_p", "parallel_tool_calls", "metadata", "user", "safety_identifier", "prompt_cache_key",
        "prompt_cache_retention", "prompt_cache_options", "service_tier", "moderation",
    }
)  # fmt: skip
"""Parameters that chat completions have by the same name and meaning."""

NAMES = {
    "max_completion_tokens": "max_output_tokens", "max_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort", "response_format.json_schema": "text.format",
    "response_format": "text.format", "verbosity": "text.verbosity", "logprobs": "include",
}  # fmt: skip
"""Chat's name of a parameter → the client's."""

LOGPROBS, SEALED = "message.output_text.logprobs", "reasoning.encrypted_content"
"""What `include` may ask for and the gateway has."""

_MESSAGE = re.compile(r"messages\[(\d+)\]")


@dataclass(slots=True)
class ResponsesCall(ChatCall):
    """A call of the Responses API as a chat call.

    Attributes:
        id: of the response.
        request: what the client sent, without nulls.
        items: this turn's input, references replaced by what they name.
        earlier: the items of the turns before it.
        called: chat's name of a tool → the client's view of it.
        places: where each message comes from, in the client's words.
        sealed: reasoning goes out sealed.
        truncation: what happens when the input is too long for the model.
    """

    id: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    items: list[Placed] = field(default_factory=list)
    earlier: Sequence[Placed] = ()
    called: dict[str, Called] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    sealed: bool = False
    truncation: str = "disabled"

    @property
    def trims(self) -> bool:
        """Whether the oldest turns may be left out; a compaction asked for in advance comes to the same."""
        return self.truncation == "auto" or bool(self.request.get("context_management"))

    @property
    def stored(self) -> bool:
        """Whether the response shall be kept: OpenAI's default."""
        return self.request.get("store", True) is True

    @property
    def background(self) -> bool:
        """Whether the response is made while nobody waits for it."""
        return self.request.get("background") is True

    def client_name(self, param: str) -> str:
        return client_name(param, self.places)


def client_name(param: str, places: Sequence[str]) -> str:
    """What the client calls a parameter of the chat call."""
    if found := _MESSAGE.match(param):
        number = int(found[1])
        return (places[number] if number < len(places) else "input") + param[found.end() :]
    for chat, client in NAMES.items():
        if param == chat or param.startswith(f"{chat}."):
            return client + param[len(chat) :]
    return param


@dataclass(frozen=True, slots=True)
class Context:
    """What a call refers to instead of saying it, found by whoever keeps responses.

    Attributes:
        items: the turns before this one.
        references: the items that are named by id.
    """

    items: Sequence[Placed] = ()
    references: dict[str, dict[str, Any]] = field(default_factory=dict)


NOTHING = Context()


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A call that refers to what is kept: its context must be found before it can be translated.

    Attributes:
        previous: the response that it goes on from.
        conversation: the conversation that it is part of.
        references: ids of items.
    """

    body: dict[str, Any]
    seal: Seal
    previous: str | None
    conversation: str | None
    references: frozenset[str]
    make: "Make"

    def resolved(self, context: Context) -> ResponsesCall:
        """The call; errors as in `responses_call`."""
        return self.make(self.body, self.seal, context)


Make = Callable[[dict[str, Any], Seal, Context], ResponsesCall]
"""Makes the call of a body whose context has been found."""


def parse_responses(data: bytes, seal: Seal) -> ResponsesCall | Unresolved:
    """A call from the bytes of a request.

    Raises:
        BadRequest: not JSON, a missing field, a wrong type, a value out of range; `param` names it.
        Unsupported: it asks for what Qwen has not.
    """
    return parse_with(parse_object(data), seal, responses_call)


def parse_with(body: dict[str, Any], seal: Seal, make: Make) -> ResponsesCall | Unresolved:
    """A call from the JSON object, made by `make`; errors as above."""
    _check(body)
    previous, conversation = body.get("previous_response_id"), conversation_of(body)
    given = body.get("input")
    references = frozenset(
        str(item.get("id"))
        for item in (given if isinstance(given, list) else ())
        if item_type(item) == "item_reference"
    )
    if previous is not None and conversation is not None:
        raise BadRequest(
            "'previous_response_id' and 'conversation' exclude each other; send one of them.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    if previous is not None or conversation is not None or references:
        return Unresolved(body, seal, previous, conversation, references, make)
    return make(body, seal, NOTHING)


def conversation_of(body: dict[str, Any]) -> str | None:
    """The id of the conversation that a call is part of.

    Raises:
        BadRequest: an object without an id.
    """
    given = body.get("conversation")
    if isinstance(given, dict):
        given = given.get("id")
        if not isinstance(given, str):
            raise BadRequest(
                "Missing required parameter: 'conversation.id'.",
                param="conversation.id",
                code="missing_required_parameter",
            )
    return given


def _check(body: dict[str, Any]) -> None:
    if "input" not in body and "messages" in body:
        raise BadRequest(
            "This body has `messages` but no `input`: it is a call of chat completions. Send it to "
            "/v1/chat/completions, or send `input` here.",
            param="input",
            code="missing_required_parameter",
        )
    check(body, ResponsesRequest)
    if "prompt" in body and body["prompt"] is not None:
        raise Unsupported("OpenAI alone keeps prompt templates; send their text as 'instructions'.", param="prompt")


def responses_call(body: dict[str, Any], seal: Seal, context: Context = NOTHING) -> ResponsesCall:
    """A call from the JSON object.

    Raises:
        BadRequest, Unsupported: as above.
        NotFound: it refers to what is not kept here.
    """
    _check(body)
    request = {name: value for name, value in body.items() if value is not None}
    _refuse(request, context)
    notices: list[Notice] = []
    own = _resolved(listed(request.get("input", [])), context)
    items = [*context.items, *own]
    if not items:
        raise BadRequest("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    tools = chat_tools(request.get("tools", ()), further_tools(items), notices)
    translation = Translation(tools, seal.open, notices)
    translation.translate(items)
    if instructions := request.get("instructions"):
        translation.messages.insert(0, {"role": "system", "content": instructions})
        translation.places.insert(0, "instructions")
    if not translation.messages:
        raise BadRequest("'input' holds nothing that a model could answer.", param="input")
    chat = _parameters(request, notices)
    chat["messages"] = translation.messages
    if tools.chat:
        chat["tools"] = tools.chat
        choice = chat_tool_choice(request.get("tool_choice"), tools, notices)
        if choice is not None:
            chat["tool_choice"] = choice
    try:
        call = call_of(chat, ResponsesCall, notices)
    except BadRequest as error:
        error.param = error.param and client_name(error.param, translation.places)
        raise
    call.id = f"resp_{random_hex(24)}"
    call.request, call.items, call.called, call.places = request, own, tools.called, translation.places
    call.earlier = context.items
    call.sealed = SEALED in request.get("include", ())
    call.truncation = request.get("truncation", "disabled")
    return call


def responses_in_chat(body: dict[str, Any], seal: Seal) -> ResponsesCall:
    """A body of the Responses API that came to chat completions, and is answered in chat's form (Cursor does that)."""
    call = responses_call(body, seal)
    options = call.request.get("stream_options", {})
    call.include_usage = call.stream and bool(options.get("include_usage"))
    return call


def _refuse(request: dict[str, Any], context: Context) -> None:
    """What is referred to and was not looked for: a call never goes on without its context."""
    if context is not NOTHING:
        return
    if previous := request.get("previous_response_id"):
        raise BadRequest(
            f"Previous response with id '{previous[:80]}' not found: this gateway keeps no responses. Send the whole "
            "conversation as 'input'.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    if "conversation" in request:
        raise NotFound(
            "This gateway keeps no conversations; send the whole conversation as 'input'.", param="conversation"
        )


def _resolved(items: Iterable[Placed], context: Context) -> list[Placed]:
    """The items with references replaced by what they name.

    Raises:
        NotFound: an item that is not kept here; a call never goes on without it.
    """
    found: list[Placed] = []
    known = {item.get("id") for _, item in context.items}
    for place, item in items:
        if item_type(item) != "item_reference":
            found.append((place, item))
            continue
        name = str(item.get("id"))
        if name in known:
            continue  # it stands in the context already
        if name not in context.references:
            raise NotFound(
                f"Item with id '{name[:80]}' not found: the gateway keeps items of stored responses only. Send the "
                "item itself.",
                param=f"{place}.id",
                code="item_not_found",
            )
        found.append((place, context.references[name]))
    return found


def _parameters(request: dict[str, Any], notices: list[Notice]) -> dict[str, Any]:
    """Chat's parameters but for messages and tools. What nobody knows goes on: the upstream's policy decides."""
    chat: dict[str, Any] = {"model": request["model"], "stream": request.get("stream", False)}
    for name, value in request.items():
        if name in SAME or name not in ResponsesRequest.__struct_fields__:
            chat[name] = value
    if chat.pop("n", 1) != 1:
        notices.append(Notice("dropped", "n", "the Responses API has no such parameter"))
    if "client_metadata" in chat:
        del chat["client_metadata"]
        notices.append(Notice("withheld", "client_metadata", "not sent to the upstream"))
    if "max_output_tokens" in request:
        chat["max_completion_tokens"] = request["max_output_tokens"]
    reasoning = request.get("reasoning", {})
    if reasoning.get("effort") is not None:
        chat["reasoning_effort"] = reasoning["effort"]
    text = request.get("text", {})
    if text.get("verbosity") is not None:
        chat["verbosity"] = text["verbosity"]
    if text.get("format") is not None:
        chat["response_format"] = _response_format(text["format"])
    _include(request, chat, notices)
    if (request.get("stream_options") or {}).get("include_obfuscation"):
        notices.append(Notice("dropped", "stream_options.include_obfuscation", "streams are not padded"))
    if "max_tool_calls" in request and any(is_search(tool) for tool in request.get("tools") or ()):
        raise Unsupported(
            f"'max_tool_calls' ({request['max_tool_calls']}) cannot be kept with web search: the upstream searches "
            "without counting. Leave one of the two out.",
            param="max_tool_calls",
        )
    if request.get("context_management"):
        said = "the oldest turns are left out where no model's window holds them all"
        notices.append(Notice("emulated", "context_management", said))
    return chat


def _include(request: dict[str, Any], chat: dict[str, Any], notices: list[Notice]) -> None:
    wanted = request.get("include", [])
    if LOGPROBS in wanted or request.get("top_logprobs"):
        chat["logprobs"] = True
        if request.get("top_logprobs"):
            chat["top_logprobs"] = request["top_logprobs"]
    for number, name in enumerate(wanted):
        if name not in (LOGPROBS, SEALED, "message.input_image.image_url"):
            notices.append(Notice("dropped", f"include[{number}]", f"there is no {name[:60]} here"))


def _response_format(form: dict[str, Any]) -> dict[str, Any]:
    """`text.format` is flat where chat's `response_format` nests the schema."""
    if form.get("type") != "json_schema" or "json_schema" in form:
        return form
    return {"type": "json_schema", "json_schema": {name: value for name, value in form.items() if name != "type"}}
