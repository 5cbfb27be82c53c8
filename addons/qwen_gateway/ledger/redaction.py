"""Takes what must not be kept out of texts, in pieces: a pattern holds the interpreter while it searches."""

import re
from collections.abc import Iterable

MASK = "[redacted]"

PIECE = 64 * 1024
"""Characters that are searched at a time; about a millisecond."""

OVERLAP = 4 * 1024
"""Characters of a match that may lie behind the piece that it begins in, before it is looked for again."""

KEYS = "|".join(
    (
        r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, DashScope, OpenRouter, Anthropic
        r"\b[Bb]earer +[A-Za-z0-9._~+/-]{16,}=*",
        r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",  # JSON web tokens
        r"\b(?:AKIA|ASIA|LTAI)[A-Za-z0-9]{12,}",  # AWS, Alibaba Cloud
        r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bglpat-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"\bqg-[A-Za-z0-9_-]{16,}",  # this gateway's own
    )
)
"""What looks like a key, whoever wrote it into a prompt."""


class Redactor:
    """
    Args:
        patterns: regular expressions; `keys` stands for `KEYS`.

    Raises:
        re.error: one of them is none.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        each = [KEYS if pattern == "keys" else pattern for pattern in patterns]
        for pattern in each:
            re.compile(pattern)
        self._pattern = re.compile("|".join(f"(?:{pattern})" for pattern in each)) if each else None

    def __call__(self, text: str) -> str:
        """The text without what matches."""
        pattern = self._pattern
        if pattern is None or not text:
            return text
        kept: list[str] = []
        place, length = 0, len(text)
        while place < length:
            end = min(place + PIECE, length)
            limit = min(end + OVERLAP, length)
            found = pattern.search(text, place, limit)
            if found is not None and found.end() == limit < length:
                found = pattern.match(text, found.start())
            if found is None or found.start() >= end or found.end() == found.start():
                kept.append(text[place:end])
                place = end
                continue
            kept += (text[place : found.start()], MASK)
            place = found.end()
        return "".join(kept) if len(kept) > 1 else text
