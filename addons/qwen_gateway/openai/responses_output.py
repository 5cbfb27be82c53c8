"""An output item of a response: it is added, written piece by piece, and done (openai-surface.md section 5)."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from qwen_gateway.openai.responses_events import Events

Status = Literal["completed", "incomplete"]


class Item(ABC):
    """An item: `value` is what is known of it, and what the response shows of it in the end.

    Args:
        added: the item as it begins; its fields are filled when it is done.
    """

    def __init__(self, events: Events, index: int, added: dict[str, Any]) -> None:
        self._events = events
        self._index = index
        self._place = {"item_id": added["id"], "output_index": index}
        self.value = added
        self.done = False
        events.event("response.output_item.added", {"output_index": index, "item": added})

    def close(self, status: Status) -> None:
        """Nothing more comes; `incomplete` when the answer was cut off within it."""
        if not self.done:
            self.done = True
            self.value = self._finish(status)
            self._events.event("response.output_item.done", {"output_index": self._index, "item": self.value})

    @abstractmethod
    def _finish(self, status: Status) -> dict[str, Any]:
        """Tell what is left to tell; the finished item."""


class Reasoning(Item):
    """Thoughts: shown as a summary, which is what clients look for, and sealed where they were asked for so."""

    def __init__(self, events: Events, index: int, name: str, *, shown: bool) -> None:
        super().__init__(events, index, {"type": "reasoning", "id": name, "summary": []})
        self._shown = shown
        self._texts: list[str] = []
        self.sealed: str | None = None
        if shown:
            place = self._place | {"summary_index": 0}
            events.event("response.reasoning_summary_part.added", {**place, "part": _summary("")})
            self._head = events.head("response.reasoning_summary_text.delta", place)

    @property
    def text(self) -> str:
        """All thoughts so far."""
        return "".join(self._texts)

    def add(self, text: str) -> None:
        self._texts.append(text)
        if self._shown:
            self._events.delta(self._head, text)

    def _finish(self, status: Status) -> dict[str, Any]:
        value = dict(self.value)
        if self._shown:
            place = self._place | {"summary_index": 0}
            part = _summary(self.text)
            self._events.event("response.reasoning_summary_text.done", {**place, "text": self.text})
            self._events.event("response.reasoning_summary_part.done", {**place, "part": part})
            value["summary"] = [part]
        if self.sealed is not None:
            value["encrypted_content"] = self.sealed
        return value


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}
