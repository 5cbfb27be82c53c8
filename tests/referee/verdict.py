"""One object, one verdict: OpenAI's facts and the official library agree, and every verdict is counted."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.referee import facts, models


class Counts:
    """How many objects were judged, by kind, and how many of them were wrong."""

    def __init__(self) -> None:
        self.validated: Counter[str] = Counter()
        self.invalid: Counter[str] = Counter()
        self.running = True

    def note(self, kind: str, *, wrong: bool) -> None:
        """Count one verdict."""
        if self.running:
            self.validated[kind] += 1
            self.invalid[kind] += wrong

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Judge without counting: for the referee's own tests, which show it wrong objects on purpose."""
        self.running = False
        try:
            yield
        finally:
            self.running = True

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Plain data, to travel from a worker of pytest-xdist to the one that prints."""
        return {"validated": dict(self.validated), "invalid": dict(self.invalid)}

    def add(self, other: Mapping[str, Mapping[str, int]]) -> None:
        """Join what a worker counted."""
        self.validated.update(other["validated"])
        self.invalid.update(other["invalid"])

    def summary(self) -> str:
        """One line for the end of a test run."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.validated.items()))
        return f"{self.validated.total()} objects validated, {self.invalid.total()} invalid ({kinds or 'none'})"


counts = Counts()


def check(obj: Any, kind: str) -> list[str]:
    """Complaints about one emitted object; an empty list says it is valid.

    `kind` is a key of `tests.referee.KINDS`, such as "chat.completion", "chat.completion.chunk", "models",
    "error", "response", "response.event" or "conversation".
    """
    found = facts.complaints(obj, kind) + models.complaints(obj, kind)
    counts.note(kind, wrong=bool(found))
    return found


def assert_valid(obj: Any, kind: str) -> None:
    """Fail with every complaint when the object is not what OpenAI says it is."""
    found = check(obj, kind)
    assert not found, f"not a valid {kind}:\n" + "\n".join(found)
