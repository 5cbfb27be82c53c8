"""The simulator's tokenizer: words, punctuation marks and single Han, kana or hangul letters.

It is no Qwen vocabulary and need not be: every count the simulator reports comes from here, so a
test can compute it, and a streamed answer has exactly one chunk per token. Chat overhead is that of
upstream.md 5: five tokens per message and three for the opening of the answer. Texts over 64 KiB
count one token for four characters, because nobody should wait for a regular expression.
"""

import re
from collections.abc import Iterable
from typing import Any

from qwen_gateway.codec.json import dumps

_PIECE = re.compile(
    r"\s*(?:[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
    r"|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,16}"
    r"|[^\w\s])|\s+"
)
_LONG = 65_536
PER_MESSAGE = 5
OPENING = 3


def pieces(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens a text has."""
    return len(text) // 4 if len(text) > _LONG else len(pieces(text))


def count_messages(messages: Iterable[Any], tools: Any = None, image: int = 0) -> int:
    """The tokens of a prompt; an image counts as `image`."""
    total = OPENING
    for message in messages:
        total += PER_MESSAGE
        if isinstance(message, dict):
            total += count_content(message.get("content"), image)
            total += count(str(message.get("reasoning_content") or ""))
            if message.get("tool_calls"):
                total += count(dumps(message["tool_calls"]).decode())
    if tools:
        total += count(dumps(tools).decode())
    return total


def count_content(content: Any, image: int = 0) -> int:
    """The tokens of one message's content."""
    if isinstance(content, str):
        return count(content)
    if not isinstance(content, list):
        return 0
    total = 0
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            total += count(part["text"])
        elif isinstance(part, dict):
            total += image
    return total
