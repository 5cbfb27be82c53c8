"""The rules for `messages` on DashScope (upstream.md 4.3)."""

from itertools import pairwise
from typing import Any

from qwen_gateway.codec.json import BadJSON, canonical, dumps, loads

from . import images
from .catalogue import Model
from .errors import invalid
from .wire import JsonObject

ROLES = ("system", "assistant", "user", "tool", "function")
REPETITIONS = 6
"""So many equal tool calls in a row count as repetitive; the contract gives no number."""


def check_messages(body: JsonObject, model: Model) -> None:
    """Refuse messages that break a rule."""
    messages = body.get("messages")
    if messages is None:
        raise invalid("'messages' is a required property")
    if not isinstance(messages, list):
        raise invalid("'messages' must be an array")
    if not messages:
        raise invalid("[] is too short - 'messages'")
    for number, message in enumerate(messages):
        _check_message(number, message, model)
    if not any(message.get("role") in {"user", "tool"} for message in messages):
        raise invalid("The input messages do not contain elements with the role of user.")
    _check_tool_order(messages)
    _check_repetition(messages)


def _check_message(number: int, message: Any, model: Model) -> None:
    if not isinstance(message, dict):
        raise invalid(f"{dumps(message).decode()} is not of type 'object' - 'messages.{number}'")
    role = message.get("role")
    if role not in ROLES:
        raise invalid(f"'{role}' is not one of {list(ROLES)} - 'messages.{number}.role'")
    content = message.get("content")
    if content is None and (role != "assistant" or not message.get("tool_calls")):
        raise invalid(f"'content' is a required property - 'messages.{number}'")
    if isinstance(content, list):
        for part in content:
            _check_part(part, model)
        if model.has("string-only"):
            raise invalid("input content must be a string.")
    elif content is not None and not isinstance(content, str):
        raise invalid("input content must be a string.")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise invalid(f"'tool_calls' must be an array - 'messages.{number}'")
    for call in calls:
        _check_arguments(call)


def _check_part(part: Any, model: Model) -> None:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise invalid("Unexpected item type in content.")
    if part["type"] in {"text", "input_text"}:
        if not isinstance(part.get("text"), str):
            raise invalid("Unexpected item type in content.")
        return
    url = images.url_of(part)
    if not (model.has("vision") or (model.has("blind") and url is not None)):
        raise invalid("Unexpected item type in content.")
    if url is None or not model.has("vision"):
        return
    if url.startswith("data:") and len(url) > images.LARGEST_URI:
        raise invalid(f"Exceeded limit on max bytes per data-uri item : {images.LARGEST_URI}")
    known = images.size(url)
    if known is not None and min(known) <= 10:
        raise invalid(
            "The image length and width do not meet the model restrictions. "
            f"[height:{known[1]} or width:{known[0]} must be larger than 10]"
        )


def _check_arguments(call: Any) -> None:
    function = call.get("function") if isinstance(call, dict) else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    try:
        loads(arguments or "")
    except (BadJSON, TypeError):
        raise invalid('The "function.arguments" parameter of the code model must be in JSON format.') from None


def _check_tool_order(messages: list[Any]) -> None:
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                raise invalid('Messages with role "tool" must be a response to a preceding message with "tool_calls".')
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            raise invalid(
                'An assistant message with "tool_calls" must be followed by tool messages responding to each '
                f'"tool_call_id". The following tool_call_ids did not have response messages: '
                f"{', '.join(sorted(waiting))}"
            )
        waiting = {str(call.get("id")) for call in message.get("tool_calls") or []}


def _check_repetition(messages: list[Any]) -> None:
    calls = [canonical(call.get("function")) for message in messages for call in message.get("tool_calls") or []]
    alike = 1
    for one, next_one in pairwise(calls):
        alike = alike + 1 if one == next_one else 1
        if alike >= REPETITIONS:
            raise invalid(
                "Repetitive tool calls detected in the conversation history. "
                "Please check the messages and remove the repeated tool calls."
            )
