"""A message of a response: parts of text and refusal, each added, written and done."""

from collections.abc import Mapping
from typing import Any

from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.logprobs import logprobs_object
from qwen_gateway.openai.responses_events import Events
from qwen_gateway.openai.responses_output import Item, Status


class Message(Item):
    """Text and refusals, part after part."""

    def __init__(self, events: Events, index: int, name: str) -> None:
        added = {"type": "message", "id": name, "status": "in_progress", "role": "assistant", "content": []}
        super().__init__(events, index, added)
        self._parts: list[dict[str, Any]] = []
        self._part: _Part | None = None

    def text(self, text: str, logprobs: Mapping[str, Any] | None) -> None:
        part = self._open(_Text)
        part.add(text, logprobs)

    def refuse(self, text: str) -> None:
        self._open(_Refusal).add(text)

    def annotate(self, annotation: dict[str, Any]) -> None:
        self._open(_Text).annotate(annotation)

    def _open[Kind: _Part](self, kind: type[Kind]) -> Kind:
        if not isinstance(self._part, kind):
            self._close_part()
            self._part = kind(self._events, self._place | {"content_index": len(self._parts)})
        return self._part

    def _close_part(self) -> None:
        if self._part is not None:
            self._parts.append(self._part.close())
            self._part = None

    def _finish(self, status: Status) -> dict[str, Any]:
        self._close_part()
        return self.value | {"status": status, "content": self._parts}


class _Part:
    """One part of a message."""

    family = ""
    field = ""

    def __init__(self, events: Events, place: dict[str, Any]) -> None:
        self._events = events
        self._place = place
        self._texts: list[str] = []
        events.event("response.content_part.added", {**place, "part": self._value("")})
        self._head = events.head(f"response.{self.family}.delta", place)

    def _value(self, text: str) -> dict[str, Any]:
        return {"type": self.family, self.field: text}

    def _done(self, text: str) -> dict[str, Any]:
        return {**self._place, self.field: text}

    def close(self) -> dict[str, Any]:
        text = "".join(self._texts)
        value = self._value(text)
        self._events.event(f"response.{self.family}.done", self._done(text))
        self._events.event("response.content_part.done", {**self._place, "part": value})
        return value


class _Text(_Part):
    family, field = "output_text", "text"

    def __init__(self, events: Events, place: dict[str, Any]) -> None:
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []
        super().__init__(events, place)

    def add(self, text: str, logprobs: Mapping[str, Any] | None) -> None:
        self._texts.append(text)
        if logprobs is None:
            self._events.delta(self._head, text, b',"logprobs":[]')
            return
        rows = _logprobs(logprobs)
        self._logprobs.extend(rows)
        self._events.delta(self._head, text, b',"logprobs":' + dumps([_without_bytes(row) for row in rows]))

    def annotate(self, annotation: dict[str, Any]) -> None:
        number = len(self._annotations)
        self._annotations.append(annotation)
        event = {**self._place, "annotation_index": number, "annotation": annotation}
        self._events.event("response.output_text.annotation.added", event)

    def _value(self, text: str) -> dict[str, Any]:
        rows = {"annotations": list(self._annotations), "logprobs": list(self._logprobs)}
        return {"type": self.family, "text": text, **rows}

    def _done(self, text: str) -> dict[str, Any]:
        return {**self._place, "text": text, "logprobs": [_without_bytes(row) for row in self._logprobs]}


class _Refusal(_Part):
    family, field = "refusal", "refusal"

    def add(self, text: str) -> None:
        self._texts.append(text)
        self._events.delta(self._head, text)


def _logprobs(logprobs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Log probabilities in the Responses form, in which `bytes` are always there."""
    rows = logprobs_object(logprobs)["content"] or []
    return [_with_bytes(row) | {"top_logprobs": [_with_bytes(top) for top in row["top_logprobs"]]} for row in rows]


def _with_bytes(row: dict[str, Any]) -> dict[str, Any]:
    return row if row["bytes"] is not None else row | {"bytes": list(row["token"].encode("utf-8", "replace"))}


def _without_bytes(row: dict[str, Any]) -> dict[str, Any]:
    """As the events of a stream carry it."""
    tops = [{"token": top["token"], "logprob": top["logprob"]} for top in row["top_logprobs"]]
    return {"token": row["token"], "logprob": row["logprob"], "top_logprobs": tops}
