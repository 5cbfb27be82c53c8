"""Takes what must not be kept out of texts, in pieces: a pattern holds the interpreter while it searches."""

import re
import sys
from collections.abc import Iterable

MASK = "[redacted]"

PIECE = 64 * 1024
"""Characters that are searched at a time; about a millisecond."""

OVERLAP = 4 * 1024
"""Characters of a match that may lie behind the piece that it begins in, before it is looked for again."""

KEYS = "|".join(
    # At the beginning of a word, or behind what JSON makes of the end of a line.
    rf"{begin}(?:(?<=\b{begin})|(?<=\\[bfnrt]{begin})){rest}"
    for begin, rest in (
        ("sk-", r"[A-Za-z0-9_-]{16,}"),  # OpenAI, DashScope, OpenRouter, Anthropic
        ("[Bb]earer ", r" *[A-Za-z0-9._~+/-]{16,}=*"),
        ("eyJ", r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),  # JSON web tokens
        ("(?:AKIA|ASIA|LTAI)", r"[A-Za-z0-9]{12,}"),  # AWS, Alibaba Cloud
        ("gh[pousr]_", r"[A-Za-z0-9]{20,}"),
        ("github_pat_", r"[A-Za-z0-9_]{20,}"),
        ("glpat-", r"[A-Za-z0-9_-]{16,}"),
        ("xox[abeoprs]-", r"[A-Za-z0-9-]{10,}"),
        ("AIza", r"[A-Za-z0-9_-]{30,}"),
        ("qg-", r"[A-Za-z0-9_-]{16,}"),  # this gateway's own
    )
)
"""What looks like a key, whoever wrote it into a prompt."""

SIGNS = {
    "-": re.compile(r"-(?:(?<=sk-)|(?<=qg-)|(?<=glpat-)|(?<=xox[abeoprs]-))"),
    "_": re.compile(r"_(?:(?<=gh[pousr]_)|(?<=github_pat_))"),
    "A": re.compile(r"A(?:(?<=AKIA)|(?<=ASIA)|(?<=LTA)I|Iza)"),
    "B": re.compile("B(?=earer )"),
    "J": re.compile(r"J(?<=eyJ)"),
    "b": re.compile("b(?=earer )"),
}
"""With one of these begins all that `KEYS` finds; looking for a rare character first is ten times as fast."""


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
        self._signs = SIGNS if each == [KEYS] else None

    def may_find(self, text: str, place: int = 0, limit: int = sys.maxsize) -> bool:
        """False: nothing is in this part of the text, nor in any piece of it, nor in what it was cut off from."""
        if self._pattern is None or self._signs is None:
            return self._pattern is not None
        return any(
            text.find(character, place, limit) >= 0 and sign.search(text, place, limit)
            for character, sign in self._signs.items()
        )

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
            found = pattern.search(text, place, limit) if self.may_find(text, place, limit) else None
            if found is not None and found.end() == limit < length:
                found = pattern.match(text, found.start())
            if found is None or found.start() >= end or found.end() == found.start():
                kept.append(text[place:end])
                place = end
                continue
            kept += (text[place : found.start()], MASK)
            place = found.end()
        return "".join(kept) if len(kept) > 1 else text
