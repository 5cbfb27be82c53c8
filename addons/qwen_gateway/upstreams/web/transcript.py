"""Messages as the one text that a turn may have (upstream.md 3.5): a lone question as it is, a history as a transcript.

How tool calls and their results look in it is `speech`'s affair, so that the model reads its own earlier calls in the
form in which it is asked to write new ones.
"""

from collections.abc import Callable, Mapping
from typing import Any

from qwen_gateway.upstreams.messages import TEXT_PARTS

Message = Mapping[str, Any]
Speak = Callable[[Message], str]
"""An assistant's message with tool calls, or a tool's result, as text."""

ASK = "Below is a conversation. Continue it: give the next answer of the assistant, and nothing else."
NAMES = {"user": "User", "assistant": "Assistant", "tool": "Tool result", "function": "Tool result"}
ATTACHED = "The attached file {name} holds a conversation, or its question. Continue it: answer its last message."


def fold(messages: list[dict[str, Any]], instructions: str, speech: Speak) -> str:
    """A whole history as one text.

    Args:
        instructions: added to the system messages: tools, the form of the answer.
    """
    system = [text_of(message) for message in messages if message["role"] in ("system", "developer")]
    rest = [message for message in messages if message["role"] not in ("system", "developer")]
    lead = "\n\n".join(part for part in (*system, instructions) if part)
    if len(rest) == 1 and rest[0]["role"] == "user":
        return "\n\n".join(part for part in (lead, text_of(rest[0])) if part)
    turns = [f"### {NAMES[message['role']]}\n{said(message, speech)}" for message in rest]
    return "\n\n".join(part for part in (lead, ASK if turns else "", *turns) if part)


def said(message: Message, speech: Speak) -> str:
    """One message as text."""
    if message["role"] in ("tool", "function") or message.get("tool_calls") or message.get("function_call"):
        return speech(message)
    return text_of(message)


def text_of(message: Message) -> str:
    """The text of a message's content."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        refusal = message.get("refusal")
        return refusal if isinstance(refusal, str) else ""
    return "\n".join(
        str(part.get("text") or part.get("refusal") or "") for part in content if part.get("type") in TEXT_PARTS
    )
