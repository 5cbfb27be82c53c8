"""What vLLM, Ollama and OpenRouter check and understand of a chat call (upstream.md 4.13)."""

from typing import Any

from . import images, rules
from .catalogue import Model
from .echo import Wish
from .errors import Refused, Row
from .wire import JsonObject

NUM_CTX = 8_192
"""Ollama's `num_ctx`: longer prompts are cut without a word."""


def bad_request(message: str) -> Refused:
    """A 400 in the words of the variant."""
    return Refused(Row("bad-request", 400, "invalid_request_error", message))


def no_model(kind: str, model: str) -> Refused:
    """How a variant says that it has no such model."""
    if kind == "vllm":
        return Refused(Row("model", 404, "model_not_found", f"The model `{model}` does not exist."))
    if kind == "ollama":
        return Refused(Row("model", 404, "not_found", f'model "{model}" not found, try pulling it first'))
    return Refused(Row("model", 400, "invalid_model", f"{model} is not a valid model ID"))


def check(kind: str, body: JsonObject, model: Model) -> Wish:
    """What the call asks for; it is refused where it breaks a rule of the variant."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise bad_request("messages: a non-empty array of messages is required")
    for name in ("max_tokens", "max_completion_tokens", "n", "seed", "top_logprobs"):
        if body.get(name) is not None and not isinstance(body[name], int):
            raise bad_request(f"{name}: Input should be a valid integer")
    if kind == "vllm":
        _check_template(messages, model)
        _check_length(body, model)
    elif kind == "openrouter" and rules.prompt_tokens(body, model) > model.context:
        raise bad_request(
            f"This endpoint's maximum context length is {model.context} tokens. However, you requested about "
            f"{rules.prompt_tokens(body, model)} tokens."
        )
    return _wish(body, model, thinking=_thinks(kind, body, model))


def prompt_tokens(kind: str, body: JsonObject, model: Model) -> int:
    """The tokens of the prompt; Ollama cuts it silently."""
    counted = rules.prompt_tokens(body, model)
    return min(counted, NUM_CTX) if kind == "ollama" else counted


def hides_thoughts(kind: str, body: JsonObject) -> bool:
    """Whether the model thinks and keeps it to itself (OpenRouter's `reasoning.exclude`)."""
    reasoning = body.get("reasoning")
    return kind == "openrouter" and isinstance(reasoning, dict) and reasoning.get("exclude") is True


def _thinks(kind: str, body: JsonObject, model: Model) -> bool:
    if model.thinking == "never":
        return False
    if kind == "vllm":
        wanted = body.get("chat_template_kwargs")
        return not (isinstance(wanted, dict) and wanted.get("enable_thinking") is False)
    reasoning = body.get("reasoning")
    reasoning = reasoning if isinstance(reasoning, dict) else {}
    if reasoning.get("enabled") is False:
        return False
    return "none" not in (reasoning.get("effort"), body.get("reasoning_effort"))


def _check_template(messages: list[JsonObject], model: Model) -> None:
    for number, message in enumerate(messages):
        role = message.get("role")
        if role not in {"system", "user", "assistant", "tool"}:
            raise bad_request("Unexpected message role.")
        if role == "system" and number:
            raise bad_request("System message must be at the beginning.")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            seen = isinstance(part, dict) and (
                isinstance(part.get("text"), str) or (images.url_of(part) is not None and model.has("vision"))
            )
            if not seen:
                raise bad_request("Unexpected item type in content.")
    if not any(message.get("role") == "user" for message in messages):
        raise bad_request("No user query found in messages.")


def _check_length(body: JsonObject, model: Model) -> None:
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    prompt = rules.prompt_tokens(body, model)
    if prompt + asked > model.context:
        raise bad_request(
            f"This model's maximum context length is {model.context} tokens. However, you requested "
            f"{prompt + asked} tokens ({prompt} in the messages, {asked} in the completion). "
            "Please reduce the length of the messages or completion."
        )


def _wish(body: JsonObject, model: Model, *, thinking: bool) -> Wish:
    tools = tuple(tool for tool in body.get("tools") or () if _named(tool))
    stop = body.get("stop")
    return Wish(
        model=model.id,
        messages=body["messages"],
        thinking=thinking,
        tools=tools,
        forced=_forced(body.get("tool_choice"), tools),
        parallel=body.get("parallel_tool_calls") is not False,
        json_schema=rules.check_format(body, model, thinking=thinking),
        stop=tuple(stop) if isinstance(stop, list) else (stop,) if isinstance(stop, str) else (),
        whole_limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        seed=body.get("seed"),
    )


def _named(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _forced(choice: Any, tools: tuple[JsonObject, ...]) -> str | None:
    if choice == "required":
        return "required" if tools else None
    name = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    return name if name in {tool["function"].get("name") for tool in tools} else None
