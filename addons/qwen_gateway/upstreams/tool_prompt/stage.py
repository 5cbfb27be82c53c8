"""Calls in the text of an answer, of an upstream that knows no tools, or lets them through as text."""

from collections.abc import Callable
from dataclasses import dataclass, field

from qwen_gateway.codec.deltas import Delta, Fault, Finish, Text, ToolCall
from qwen_gateway.openai.tool_calls import mint_id
from qwen_gateway.upstreams.tool_prompt.forms import Call
from qwen_gateway.upstreams.tool_prompt.reader import Called, Named, Piece, Reader, Said
from qwen_gateway.upstreams.tool_prompt.toolbox import Toolbox

MALFORMED = "malformed_tool_call"
"""Code of the fault that a call makes which the model began and did not end."""


@dataclass(slots=True)
class _Choice:
    """What is known of one choice."""

    reader: Reader
    numbers: dict[tuple[str, int], int] = field(default_factory=dict)
    made: int = 0
    torn: bool = False


class CallsInText:
    """A stage that finds calls in the text (`upstreams.stages`).

    Every call comes as two pieces: its name as soon as it is known, and its arguments when they are whole: valid JSON
    of an object, conforming to the schema where that could be done. A call that is broken off is a fault, unless the
    answer was cut at its limit: then it is left out, or as much of it as there is, for the finish reason tells.
    """

    def __init__(self, toolbox: Toolbox, *, tags: bool = True, mint: Callable[[], str] = mint_id) -> None:
        self.done = False
        self._toolbox = toolbox
        self._tags = tags
        self._mint = mint
        self._choices: dict[int, _Choice] = {}

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        """What becomes of these."""
        read: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, Text):
                choice = self._choice(delta.choice)
                found = self._pieces(choice, choice.reader.feed(delta.text), delta.choice, "")
                if delta.logprobs:
                    _attach(found, delta)
                read += found
            elif isinstance(delta, ToolCall):
                choice = self._choice(delta.choice)
                delta.index = self._number(choice, "native", delta.index)
                read.append(delta)
            elif isinstance(delta, Finish):
                choice = self._choice(delta.choice)
                read += self._pieces(choice, choice.reader.close(), delta.choice, delta.reason)
                read += [] if self.done else [delta]
            else:
                read.append(delta)
            if self.done:
                break
        return read

    def _choice(self, number: int) -> _Choice:
        if number not in self._choices:
            self._choices[number] = _Choice(Reader(self._toolbox, tags=self._tags))
        return self._choices[number]

    def _number(self, choice: _Choice, source: str, number: int) -> int:
        """One row of numbers for the calls of both sources."""
        return choice.numbers.setdefault((source, number), len(choice.numbers))

    def _problem(self, call: Call) -> str:
        """What is wrong with a call, in words for the model."""
        if call.name not in self._toolbox.tools:
            return f"there is no such tool; there are {', '.join(self._toolbox.tools)}"
        found = call.settled.problem
        return f"its arguments do not conform to its schema: {found}" if found else ""

    def _pieces(self, choice: _Choice, pieces: list[Piece], number: int, reason: str) -> list[Delta]:
        found: list[Delta] = []
        for piece in pieces:
            index = self._number(choice, "text", choice.made) if not isinstance(piece, Said) else 0
            if isinstance(piece, Said):
                found.append(Text(piece.text, number))
            elif isinstance(piece, Named):
                found.append(ToolCall(index, "", self._mint(), piece.name, number))
            elif isinstance(piece, Called):
                arguments, problem = piece.call.settled.arguments, self._problem(piece.call)
                found.append(ToolCall(index, arguments, choice=number, problem=problem))
                choice.made += 1
            elif reason == "length":
                if piece.named:
                    arguments = piece.call.settled.arguments if piece.call else "{}"
                    found.append(ToolCall(index, arguments, choice=number))
                    choice.made += 1
            else:
                said = "the model began a tool call and did not end it"
                found.append(Fault(0, MALFORMED, said, origin="body"))
                self.done = True  # nothing that follows may look like an end
                break
        return found


def _attach(found: list[Delta], said: Text) -> None:
    """Log probabilities go with the text that came of theirs; those of a call have no place in OpenAI's answer."""
    for delta in found:
        if isinstance(delta, Text):
            delta.logprobs = said.logprobs
            return
