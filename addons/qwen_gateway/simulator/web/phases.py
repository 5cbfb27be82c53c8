"""An answer as events of the site's stream (upstream.md 3.6). No chat is changed here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.codec.json import dumps

from .. import tokens
from ..chunks import DONE, Event
from ..wire import JsonObject, Pause
from .answers import Answer
from .mood import Mood

KEEP_ALIVES = 2
"""For each image; one in about ten seconds in the wild."""


@dataclass(slots=True)
class Turn:
    """What the events name and count."""

    chat_id: str
    user_id: str
    response_id: str
    input_tokens: int
    summary: bool
    """Thoughts come as summaries."""
    phased: bool
    """`output_schema` was "phase"; without it no phase comes (3.5)."""
    timestamp: int
    reasoning: int = 0
    text: int = 0
    image: JsonObject | None = None
    mood: Mood = field(default_factory=Mood)

    def usage(self) -> JsonObject:
        """The numbers so far: usage is cumulative."""
        if self.image is not None:
            return self.image
        output = self.reasoning + self.text
        numbers: JsonObject = {
            "input_tokens": self.input_tokens,
            "output_tokens": output,
            "total_tokens": self.input_tokens + output,
        }
        if self.mood.old_usage:
            return {**numbers, "cached_tokens": 0}
        return {
            **numbers,
            "input_tokens_details": {"text_tokens": self.input_tokens},
            "output_tokens_details": {"reasoning_tokens": self.reasoning, "text_tokens": self.text},
            "prompt_tokens_details": {"cached_tokens": 0},
            "characters": 0,
        }

    def event(self, phase: str | None, content: str, status: str = "typing", **more: Any) -> JsonObject:
        """One event with a delta."""
        delta: JsonObject = {"role": "assistant", "content": content, **more, "phase": phase, "status": status}
        if not self.phased or phase is None:
            del delta["phase"]
        made: JsonObject = {"choices": [{"delta": delta}], "response_id": self.response_id}
        if status == "typing":
            made |= {"usage": self.usage(), "timestamp": self.timestamp}
        return made


def events(turn: Turn, answer: Answer) -> Iterator[Event]:
    """The answer, event by event."""
    names = {"chat_id": turn.chat_id, "parent_id": turn.user_id, "response_id": turn.response_id}
    # The first has a trailing space.
    yield b"data: %b \n\n" % dumps({"response.created": {**names, "response_index": "0"}})
    for event in _all(turn, answer):
        yield event
        if answer.wait:
            yield Pause(answer.wait)
    if answer.done:
        yield DONE


def _all(turn: Turn, answer: Answer) -> Iterator[Event]:
    if answer.thoughts:
        yield from (_summaries if turn.summary else _thoughts)(turn, answer)
    if answer.search:
        yield turn.event("web_search", "", name="web_search", extra={"web_search_info": answer.search})
        yield turn.event("web_search", "", "finished", name="web_search")
    for url in answer.images:
        yield from _image(turn, url)
    pieces = answer.pieces()
    for number, piece in enumerate(pieces):
        turn.text += tokens.count(piece)
        event = turn.event(answer.phase, piece)
        if answer.usage is not None and number == len(pieces) - 1:
            event["usage"] = answer.usage
        yield event
    if answer.finished:
        yield turn.event("image_gen" if answer.images else answer.phase, "", "finished")


def _thoughts(turn: Turn, answer: Answer) -> Iterator[Event]:
    for piece in answer.thought_pieces():
        turn.reasoning += tokens.count(piece)
        yield turn.event("think", piece)
    yield turn.event("think", "", "finished")


def _summaries(turn: Turn, answer: Answer) -> Iterator[Event]:
    """Cumulative arrays: each event repeats the earlier items."""
    written = answer.thoughts
    items = written if isinstance(written, list) else (written or "").split("\n\n")
    titles: list[str] = []
    done: list[str] = []
    for item in items:
        titles.append(item.partition(". ")[0].strip())
        growing = tokens.pieces(item) if turn.mood.summary_grows else [item]
        for end in range(1, len(growing) + 1):
            turn.reasoning += tokens.count(growing[end - 1])
            yield _summary(turn, titles, [*done, "".join(growing[:end])])
        done.append(item)
    yield _summary(turn, titles, done, "finished")


def _summary(turn: Turn, titles: list[str], items: list[str], status: str = "typing") -> JsonObject:
    extra = {"summary_title": {"content": list(titles)}, "summary_thought": {"content": list(items)}}
    return turn.event("thinking_summary", "", status, extra=extra)


def _image(turn: Turn, url: str) -> Iterator[Event]:
    for _ in range(KEEP_ALIVES):
        alive = {"action": "keep_alive", "chat_id": turn.chat_id, "response_id": turn.response_id}
        yield b"data: %b\n\n" % dumps({"response.info": {**alive, "timestamp": turn.timestamp}})
        if turn.mood.image_wait:
            yield Pause(turn.mood.image_wait)
    turn.image = {"width": 1024, "height": 1024, "image_count": 1}
    extra = {"output_image_hw": [[1024, 1024]]}
    yield turn.event("image_gen", url, extra=extra)
