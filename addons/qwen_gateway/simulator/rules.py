"""The rules for the parameters of a chat call on DashScope, with their texts (upstream.md 4.3)."""

from typing import Any

from qwen_gateway.codec.json import dumps

from . import images, tokens
from .catalogue import Model
from .echo import Wish
from .errors import invalid
from .messages import check_messages
from .wire import JsonObject

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def check(body: JsonObject, model: Model) -> Wish:
    """What the call asks for; it is refused where it breaks a rule. Unknown fields are ignored."""
    check_messages(body, model)
    if "store" in body and body["store"] is not None:
        raise invalid("Unsupported parameter: 'store'")
    thinking = is_thinking(body, model)
    check_thinking(body, model, thinking=thinking)
    check_ranges(body, model)
    tools = check_tools(body)
    forced = check_choice(body, model, tools, thinking=thinking)
    schema = check_format(body, model, thinking=thinking)
    if body.get("enable_search") and model.has("no-search"):
        raise invalid("This model does not support enable_search.")
    check_length(body, model)
    answer_limit, whole_limit = limits(body, model)
    stop = body.get("stop")
    return Wish(
        model=model.id,
        messages=seen(body["messages"], model, tools),
        thinking=thinking,
        tools=tools,
        forced=forced,
        # Several calls come even without parallel_tool_calls (4.3).
        parallel=body.get("parallel_tool_calls") is not False,
        json_schema=schema,
        stop=tuple(stop) if isinstance(stop, list) else (stop,) if isinstance(stop, str) else (),
        limit=answer_limit,
        whole_limit=whole_limit,
        budget=body.get("thinking_budget"),
        seed=body.get("seed"),
    )


def is_thinking(body: JsonObject, model: Model) -> bool:
    """Whether the model thinks: by default on for the newer ones, switched by two parameters."""
    if model.thinking in {"never", "always"}:
        return model.thinking == "always"
    if isinstance(body.get("enable_thinking"), bool):
        return bool(body["enable_thinking"])
    if body.get("reasoning_effort") == "none":
        return False
    if body.get("reasoning_effort") is not None and model.efforts:
        return True
    return model.thinking == "on"


def check_thinking(body: JsonObject, model: Model, *, thinking: bool) -> None:
    """The rules about thinking."""
    stream = body.get("stream") is True
    if model.has("stream-only") and not stream:
        raise invalid("This model only support stream mode, please enable the stream parameter to access the model.")
    wanted, effort = body.get("enable_thinking"), body.get("reasoning_effort")
    if wanted is not None and not isinstance(wanted, bool):
        raise invalid("The enable_thinking parameter must be a boolean")
    if model.thinking == "always" and (wanted is False or effort == "none"):
        raise invalid("The value of the enable_thinking parameter is restricted to True.")
    if thinking and not stream and model.has("stream-to-think"):
        raise invalid("parameter.enable_thinking must be set to false for non-streaming calls")
    if effort is not None:
        if model.has("no-effort"):
            raise invalid("The reasoning_effort parameter is not supported by this model.")
        if effort not in EFFORTS:
            raise invalid(f"'{effort}' is not one of {list(EFFORTS)} - 'reasoning_effort'")
    budget = body.get("thinking_budget")
    if budget is None:
        return
    if model.has("no-budget"):
        raise invalid("The thinking_budget parameter is not supported by this model.")
    if effort is not None and model.has("effort-or-budget"):
        raise invalid("reasoning_effort and thinking_budget cannot be set at the same time.")
    if not _whole(budget) or budget < 1 or (model.budget and budget > model.budget):
        raise invalid(f"The thinking_budget parameter must be a positive integer and not greater than {model.budget}")


def check_ranges(body: JsonObject, model: Model) -> None:
    """The ranges of numbers."""
    _range(body, "temperature", "Temperature should be in [0.0, 2.0)", lambda value: 0 <= value < 2)
    _range(body, "top_p", "Range of top_p should be (0.0, 1.0]", lambda value: 0 < value <= 1)
    _range(body, "top_k", "Top_k be greater than or equal to 0", lambda value: value >= 0)
    text = "Presence_penalty should be in [-2.0, 2.0]"
    _range(body, "presence_penalty", text, lambda value: -2 <= value <= 2)
    text = "Repetition_penalty should be greater than 0.0"
    _range(body, "repetition_penalty", text, lambda value: value > 0)
    text = "Range of seed should be [0, 9223372036854775807]"
    _range(body, "seed", text, lambda value: _whole(value) and 0 <= value < 1 << 63)
    most = 4 if model.has("several") and not body.get("tools") else 1
    _range(body, "n", f"Range of n should be [1, {most}]", lambda value: _whole(value) and 1 <= value <= most)
    text = "Range of top_logprobs should be [0, 5]"
    _range(body, "top_logprobs", text, lambda value: _whole(value) and 0 <= value <= 5)
    text = f"Range of max_tokens should be [1, {model.output}]"
    _range(body, "max_tokens", text, lambda value: _whole(value) and 1 <= value <= model.output)
    most_whole = model.output + (0 if model.has("limit-includes-thoughts") else model.budget)
    text = f"Range of max_completion_tokens should be [1, {most_whole}]"
    _range(body, "max_completion_tokens", text, lambda value: _whole(value) and 1 <= value <= most_whole)


def check_tools(body: JsonObject) -> tuple[JsonObject, ...]:
    """The tools, each with a name."""
    tools = body.get("tools")
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise invalid("'tools' must be an array")
    if not tools:
        raise invalid("[] is too short - 'tools'")
    for number, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict):
            raise invalid(f"'function' is a required property - 'tools.{number}'")
        if not isinstance(function.get("name"), str) or not function["name"]:
            raise invalid(f"'name' is a required property - 'tools.{number}.function'")
        if function["name"] == "search":
            raise invalid("Tool names are not allowed to be [search]")
    return tuple(tools)


def check_choice(body: JsonObject, model: Model, tools: tuple[JsonObject, ...], *, thinking: bool) -> str | None:
    """The tool that is forced, "required" for any of them."""
    choice = body.get("tool_choice")
    if choice is None or choice in ("none", "auto"):
        return None
    if choice != "required" and not isinstance(choice, dict):
        raise invalid('tool_choice is one of the strings that should be ["none", "auto"]')
    if thinking:
        raise invalid("The tool_choice parameter does not support being set to required or object in thinking mode")
    if choice == "required":
        if not model.has("required"):
            raise invalid('tool_choice is one of the strings that should be ["none", "auto"]')
        return "required" if tools else None
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if name not in {tool["function"]["name"] for tool in tools}:
        raise invalid(f"tool_choice names '{name}', which is not one of the tools")
    return str(name)


def check_format(body: JsonObject, model: Model, *, thinking: bool) -> Any:
    """The schema of the answer; `{}` in plain JSON mode, None for text."""
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind in {None, "text"}:
        return None
    if kind not in {"json_object", "json_schema"}:
        raise invalid(f"'{kind}' is not one of ['text', 'json_object', 'json_schema'] - 'response_format.type'")
    if thinking and model.has("no-json-while-thinking"):
        raise invalid("Json mode response is not supported when enable_thinking is true")
    assert isinstance(wanted, dict)
    if kind == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        if not isinstance(schema, dict):
            raise invalid("'json_schema' is a required property - 'response_format'")
        return schema
    if not model.has("any-json") and "json" not in dumps(body["messages"]).decode().lower():
        raise invalid(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
    return {}


def check_length(body: JsonObject, model: Model) -> None:
    """The ceiling of the input."""
    if prompt_tokens(body, model) > model.context:
        raise invalid(f"Range of input length should be [1, {model.context}]")


def prompt_tokens(body: JsonObject, model: Model) -> int:
    """The tokens of the prompt, with tools and images."""
    messages = body.get("messages") or []
    total = tokens.count_messages(messages, body.get("tools"))
    if model.has("vision"):
        high = body.get("vl_high_resolution_images") is True
        for message in messages:
            content = message.get("content") if isinstance(message, dict) else None
            for part in content if isinstance(content, list) else ():
                url = images.url_of(part)
                if url is not None:
                    total += images.tokens(url, high=high)
    return total


def limits(body: JsonObject, model: Model) -> tuple[int | None, int | None]:
    """The ceiling of the answer, and the one of thoughts and answer together."""
    answer, whole = body.get("max_tokens"), body.get("max_completion_tokens")
    if answer is not None and model.has("limit-includes-thoughts"):
        return None, min(answer, whole) if whole is not None else answer
    return answer, whole


def seen(messages: list[Any], model: Model, tools: tuple[JsonObject, ...]) -> list[Any]:
    """The messages as the model sees them: some drop array content, some are blind (4.3)."""
    if model.has("drops-arrays") and not tools:
        return [
            {**message, "content": ""} if isinstance(message.get("content"), list) else message for message in messages
        ]
    if not model.has("blind"):
        return messages
    made = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            content = [part for part in content if images.url_of(part) is None]
        made.append({**message, "content": content})
    return made


def _range(body: JsonObject, name: str, text: str, allowed: Any) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not allowed(value):
        raise invalid(text)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
