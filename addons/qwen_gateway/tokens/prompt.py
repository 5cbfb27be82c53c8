"""What of a call becomes tokens, and how many they are by the bytes. Pure, and cheap enough for every call.

Four bytes a token is near the truth in any script: English has some four letters a token, Chinese one and a half
characters of three bytes. What surrounds the texts is upstream.md 5's: five tokens a message, three for the opening of
the answer, tools as JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qwen_gateway.codec.json import dumps

PER_MESSAGE, OPENING = 5, 3
"""Tokens around each message, and before the answer (upstream.md 5)."""

PER_PICTURE = 1_280
"""Tokens of a picture whose size nobody knows: a token for 32×32 pixels, 2,560 at most (older models 1,280)."""

PER_TOKEN = 4
"""Bytes."""


@dataclass(slots=True)
class Measure:
    """The size of one prompt in tokens, uncorrected.

    Attributes:
        rough: by the bytes.
        counted: with a vocabulary; None until a thread has counted, or when there is no vocabulary.
        pictures: how many pictures, sounds and files are in it: their tokens are a guess.
    """

    rough: int
    pictures: int = 0
    counted: int | None = None

    @property
    def tokens(self) -> int:
        """The better of the two."""
        return self.rough if self.counted is None else self.counted


def measure(body: dict[str, Any]) -> Measure:
    """The size of a call by its bytes."""
    size = 0
    for text in texts(body):
        size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    around, pictures = surroundings(body)
    return Measure(around + -(-size // PER_TOKEN), pictures)


def texts(body: dict[str, Any]) -> Iterator[str]:
    """Every text of a call that a model reads: messages, calls and results of tools, schemas."""
    for message in listed(body.get("messages")):
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        if isinstance(content, str):
            yield content
        elif content:
            for part in listed(content):
                if isinstance(part, dict) and isinstance(text := part.get("text") or part.get("refusal"), str):
                    yield text
        if BESIDE.isdisjoint(message):
            continue
        if isinstance(thought := message.get("reasoning_content"), str):
            yield thought
        for name in ("tool_calls", "function_call"):
            if called := message.get(name):
                yield as_json(called)
    for name in PROMPTS & body.keys():
        if isinstance(text := body[name], str):
            yield text
        else:
            yield from (item for item in listed(text) if isinstance(item, str))
    if tools := body.get("tools"):
        yield as_json(tools)


def surroundings(body: dict[str, Any]) -> tuple[int, int]:
    """Tokens that are in no text, and how many pictures are among them."""
    messages = listed(body.get("messages"))
    pictures = 0
    for message in messages:
        if isinstance(message, dict) and isinstance(content := message.get("content"), list):
            pictures += sum(isinstance(part, dict) and part.get("type") not in WRITTEN for part in content)
    around = OPENING + PER_MESSAGE * len(messages) if messages else 0
    for name in PROMPTS & body.keys():
        for given in listed(body[name]):
            around += 1 if isinstance(given, int) else len(listed(given))  # token ids
    return around + PER_PICTURE * pictures, pictures


PROMPTS = frozenset({"prompt", "input"})
"""Where surfaces without messages have their prompts."""

BESIDE = frozenset({"reasoning_content", "tool_calls", "function_call"})
"""What a message may have beside its content."""

WRITTEN = frozenset({"text", "refusal"})
"""Types of parts that are texts."""


def listed(value: Any) -> list[Any]:
    """The value if it is a list; what else it may be has no texts."""
    return value if isinstance(value, list) else []


def as_json(value: Any) -> str:
    """As a model's template renders it."""
    return dumps(value).decode("utf-8", "replace")
