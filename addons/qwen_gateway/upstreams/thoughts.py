"""Thoughts that a host leaves in the text, in `<think>` tags (upstream.md 4.13: vLLM without a parser)."""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from qwen_gateway.codec.deltas import Delta, Finish, Text, Thought

OPENING, CLOSING = "<think>", "</think>"
_ALONE = re.compile(r"\n\s*</think>\s*?(?:\n|\Z)")


@dataclass(slots=True)
class _Choice:
    """Where one choice is: `start` until it has said anything, `gap` between thoughts and text."""

    place: Literal["start", "thinking", "gap", "text"] = "start"
    held: str = ""


class ThoughtsInText:
    """A stage that takes the thoughts out of the text (see `stages`).

    Only at the answer's beginning: later on tags are talked about. Qwen3.5 and later leave out the opening tag; then
    the thoughts are known by the closing one, if it comes in the same piece. In a stream it comes too late.
    """

    done = False

    def __init__(self) -> None:
        self._choices: defaultdict[int, _Choice] = defaultdict(_Choice)

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        """What becomes of these."""
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, Text):
                choice = self._choices[delta.choice]
                if choice.place == "text":
                    out.append(delta)
                else:
                    self._take(choice, delta, out)
                continue
            if isinstance(delta, Thought):  # the host has a parser after all
                self._choices[delta.choice].place = "text"
            elif isinstance(delta, Finish) and (choice := self._choices[delta.choice]).held:
                thinking = choice.place == "thinking"
                out.append((Thought if thinking else Text)(choice.held, delta.choice))
                choice.held = ""
            out.append(delta)
        return out

    def _take(self, choice: _Choice, delta: Text, out: list[Delta]) -> None:
        text = choice.held + delta.text
        choice.held = ""
        if choice.place == "start":
            begun = text.lstrip()
            if OPENING.startswith(begun):
                choice.held = text
                return
            if begun.startswith(OPENING):
                choice.place, text = "thinking", begun[len(OPENING) :].lstrip("\r\n")
            elif CLOSING in text and (end := _ALONE.search(text)) and OPENING not in text[: end.start()]:
                choice.place = "thinking"
            else:
                choice.place = "text"
                out.append(Text(text, delta.choice, delta.logprobs))
                return
        if choice.place == "thinking":
            thought, closed, text = text.partition(CLOSING)
            if not closed:
                kept = len(thought.rstrip()) if thought.rstrip() != thought else _before_half_a_tag(thought)
                thought, choice.held = thought[:kept], thought[kept:]
            thought = thought.rstrip() if closed else thought
            if thought:
                out.append(Thought(thought, delta.choice))
            if not closed:
                return
            choice.place = "gap"
        if text := text.lstrip():
            choice.place = "text"
            out.append(Text(text, delta.choice, delta.logprobs))


def _before_half_a_tag(text: str) -> int:
    """Where blanks or the beginning of a closing tag may begin at the end of a text."""
    for size in range(min(len(CLOSING) - 1, len(text)), 0, -1):
        if CLOSING.startswith(text[-size:]):
            return len(text[:-size].rstrip())
    return len(text)
