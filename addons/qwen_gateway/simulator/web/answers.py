"""What the site's model says: an echo, or what a test has laid out."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .. import tokens
from ..wire import JsonObject

KEPT = 400
"""Characters of the message that the echo repeats: the end of it, where a folded transcript has the question."""


@dataclass(slots=True)
class Answer:
    """One answer. Texts are cut into tokens, or into pieces of `cut` characters, or as a list gives them."""

    text: str | list[str] = ""
    thoughts: str | list[str] | None = None
    """None: the model's own, when the turn asks for thoughts."""
    cut: int = 0
    search: list[JsonObject] | None = None
    images: list[str] = field(default_factory=list)
    usage: JsonObject | None = None
    """In place of the numbers of the last event."""
    phase: str | None = "answer"
    """The phase of the text; None: no phase, as old models have it."""
    finished: bool = True
    """The answer says that it is finished; otherwise the connection just closes."""
    done: bool = False
    """`[DONE]` at the end, which normally does not come (3.6)."""
    wait: float = 0.0
    """Seconds after each piece."""
    user: str | None = None
    """Only for this visitor."""
    contains: str | None = None
    """Only for a message that contains this."""
    times: int = 1

    @classmethod
    def parse(cls, written: Any) -> "Answer":
        """From a text or an object with the names of the fields."""
        if isinstance(written, cls):
            return written
        if isinstance(written, str):
            return cls(written)
        known = [one.name for one in fields(cls)]
        if not isinstance(written, dict) or written.keys() - set(known):
            raise ValueError(f"an answer is a text or an object with {', '.join(known)}; not {written!r}")
        return cls(**written)

    def pieces(self) -> list[str]:
        """The text as it is streamed."""
        return cut(self.text, self.cut)

    def thought_pieces(self) -> list[str]:
        """The thoughts as they are streamed."""
        return cut(self.thoughts or "", self.cut)


def cut(text: str | list[str], size: int) -> list[str]:
    """The pieces of a text."""
    if isinstance(text, list):
        return text
    if size > 0:
        return [text[place : place + size] for place in range(0, len(text), size)]
    return tokens.pieces(text)


class Answers:
    """Answers laid out for the next turns, each taken by the first turn that fits."""

    def __init__(self) -> None:
        self.waiting: list[Answer] = []

    def add(self, written: Iterable[Any]) -> None:
        """Append; all or none."""
        self.waiting += [Answer.parse(one) for one in written]

    def take(self, user: str, message: str) -> Answer | None:
        """The answer for a turn."""
        for answer in self.waiting:
            if answer.user in {None, user} and (answer.contains or "") in message:
                answer.times -= 1
                if answer.times <= 0:
                    self.waiting.remove(answer)
                return replace(answer)
        return None


def echo(message: str, model: str, turn: int) -> Answer:
    """What is said when nothing was laid out."""
    said = message if len(message) <= KEPT else "…" + message[-KEPT:]
    text = f"The simulator answers for {model}, turn {turn} of this chat. You said: “{said}”"
    return Answer(text)


def thoughts(message: str, turn: int) -> str:
    """What is thought about it."""
    size = tokens.count(message)
    return f"Reading the message. It is turn {turn} and has {size} tokens.\n\nPlanning the answer. I shall repeat it."


def finds(message: str) -> list[JsonObject]:
    """What a web search finds."""
    words = " ".join(message.split()[:4])
    return [
        {
            "url": f"https://example.org/{number}",
            "title": f"{words}: find {number}",
            "snippet": f"The simulator's find number {number}.",
            "date": "2026-11-05",
            "hostname": "example.org",
        }
        for number in (1, 2)
    ]
