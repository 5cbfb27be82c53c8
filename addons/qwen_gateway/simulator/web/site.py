"""What the site remembers, in one object that a test can hold: `Simulator.web`."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..wire import Clock
from .answers import Answer, Answers
from .chats import Chats
from .files import Files
from .mood import Mood
from .visitors import Visitors


@dataclass(slots=True)
class Site:
    """chat.qwen.ai."""

    clock: Clock
    seed: int = 0
    mood: Mood = field(default_factory=Mood)
    chats: Chats = field(default_factory=Chats)
    files: Files = field(default_factory=Files)
    answers: Answers = field(default_factory=Answers)
    tasks: dict[str, int] = field(default_factory=dict)
    """Videos in the making: polls left."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What a user has set on the settings page."""
    burst: deque[float] = field(default_factory=deque)
    visitors: Visitors = field(init=False)

    def __post_init__(self) -> None:
        self.visitors = Visitors(self.clock, self.seed)

    def say(self, text: str | list[str] = "", **fields: Any) -> Answer:
        """Lay out the next answer; `fields` are those of `Answer`."""
        answer = Answer(text, **fields)
        self.answers.add([answer])
        return answer

    def lay_out(self, written: Iterable[Any]) -> None:
        """Lay out several answers, as texts or objects."""
        self.answers.add(written)

    def reset(self) -> None:
        """Forget chats, files, answers and counts; visitors and the mood stay."""
        self.chats.clear()
        self.files.clear()
        self.answers.waiting.clear()
        self.tasks.clear()
        self.settings.clear()
        self.burst.clear()
        for visitor in self.visitors:
            visitor.turns.clear()
