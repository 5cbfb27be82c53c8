"""Whether a call fits the windows of the models that could answer it: refused, trimmed, or left to the upstream.

An estimate is an estimate: only what is far over is refused before it is sent; the upstream decides the rest.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.openai.notices import Notice
from qwen_gateway.tokens import prompt
from qwen_gateway.tokens.estimator import Estimator
from qwen_gateway.upstreams.trimming import Message, trim

COUNTED, BY_BYTES = 1.1, 1.35
"""How far over an estimate must be before a call is refused: with a vocabulary, and without one."""

LARGE = 512 * 1024
"""Letters of a call above which a thread looks at it."""

TOOLS = 16_384
"""Tokens of tools and of what surrounds messages, at most in nearly every call."""

ANSWER = 4_096
"""Tokens that are left free for the answer, when the call does not say how long it may be."""


@dataclass(frozen=True, slots=True)
class Window:
    """One account's model, and how many tokens it takes."""

    model: str
    context: int


def letters(messages: Iterable[Message]) -> int:
    """The letters of all messages, which is more than they have tokens: cheap enough for every call."""
    size = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            size += len(content)
        elif content:
            size += sum(len(part.get("text") or "") for part in content if isinstance(part, dict))
    return size


async def fit(
    call: ChatCall, windows: Mapping[str, Window], estimator: Estimator, *, trims: bool
) -> tuple[ChatCall, frozenset[str]]:
    """The call, trimmed if that is wanted, and the accounts whose models it is far too long for.

    Args:
        windows: by account; accounts of models that nothing is known of are left to find out.

    Raises:
        BadRequest: it is far too long for each of them, or cannot be trimmed.
    """
    if not windows:
        return call, frozenset()
    size = letters(call.body.get("messages") or ())
    if size + TOOLS <= min(window.context for window in windows.values()):
        return call, frozenset()
    widest = max(windows.values(), key=lambda window: window.context)
    measure = await asyncio.to_thread(prompt.measure, call.body) if size > LARGE else prompt.measure(call.body)
    tokens, slack = estimator.corrected(measure, widest.model), BY_BYTES
    if estimator.counting and tokens > widest.context / 2:
        tokens, slack = await estimator.count(call, widest.model), COUNTED
    if trims:
        room = widest.context - min(_answer(call), widest.context // 4)
        if tokens > room:
            call, tokens = await _trimmed(call, room, tokens, widest, estimator)
    too_long = frozenset(name for name, window in windows.items() if tokens > window.context * slack)
    if len(too_long) == len(windows):
        raise too_long_for(widest, tokens)
    return call, too_long


async def _trimmed(
    call: ChatCall, room: int, tokens: int, window: Window, estimator: Estimator
) -> tuple[ChatCall, int]:
    """The call without its oldest turns, and about how long it is."""
    before: list[Message] = call.body["messages"]
    rough = max(1, prompt.measure({"messages": before}).tokens)
    around = prompt.measure({"tools": call.body.get("tools")}).tokens
    factor = max(tokens / (rough + around), 0.1)  # what is known of the whole holds for its parts

    def weigh(messages: list[Message]) -> int:
        return round(prompt.measure({"messages": messages}).tokens * factor)

    after = await asyncio.to_thread(trim, before, room - round(around * factor), weigh)
    if after is None:
        raise too_long_for(window, tokens)
    left = weigh(after) + round(around * factor)
    said = f"{len(before) - len(after)} of {len(before)} messages left out; about {tokens} tokens became {left}"
    notices = [*call.notices, Notice("emulated", "truncation", said)]
    return replace(call, body={**call.body, "messages": after}, notices=notices), left


def _answer(call: ChatCall) -> int:
    """Tokens that the answer may need."""
    limit = call.body.get("max_completion_tokens") or call.body.get("max_tokens")
    return limit if isinstance(limit, int) else ANSWER


def too_long_for(window: Window, tokens: int) -> BadRequest:
    """OpenAI's words, with the numbers that clients read out of them."""
    return BadRequest(
        f"This model's maximum context length is {window.context} tokens. However, your messages resulted in about "
        f"{tokens} tokens ('{window.model}'). Please reduce the length of the messages.",
        param="messages",
        code="context_length_exceeded",
    )
