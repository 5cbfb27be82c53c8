"""Tool calls on their way to the client: every piece exact, whatever the upstream sent.

OpenAI's rule (openai-surface.md section 5): `index` on each piece, `id` and `name` only on the first, arguments that
concatenate to JSON. Upstreams repeat ids, leave them out, or use one twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from qwen_gateway.codec.deltas import ToolCall
from qwen_gateway.codec.ids import random_hex
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.openai.tools import FREEFORM_FIELD


def mint_id() -> str:
    """A tool-call id of our own."""
    return f"call_{random_hex(12)}"


@dataclass(slots=True)
class _Call:
    """A tool call as the client knows it: `number` once its first piece was shown, -1 when it is left out."""

    number: int | None = None
    id: str | None = None
    held: str = ""  # arguments that came before the name
    empty: bool = True


class ToolCallShaper:
    """Shapes the tool calls of one choice.

    Args:
        renamed: the upstream's name of a tool → the client's.
        only_first: `parallel_tool_calls: false`: later calls are left out.
    """

    def __init__(self, renamed: Mapping[str, str], *, only_first: bool = False) -> None:
        self.renamed = renamed
        self._only_first = only_first
        self._calls: dict[int, _Call] = {}  # by the upstream's index; ours has no gaps
        self._ids: set[str] = set()
        self._count = 0
        self.left_out = 0

    def shape(self, piece: ToolCall) -> ToolCall | None:
        """The piece as the client gets it; None when it says nothing yet or is left out."""
        call = self._calls.get(piece.index)
        if call is None:
            call = self._calls[piece.index] = _Call()
        if call.number is None:
            return self._first(call, piece)
        if call.number < 0 or not piece.arguments:
            return None
        call.empty = call.empty and not piece.arguments.strip()
        return ToolCall(call.number, piece.arguments, None, None, piece.choice)

    def missing(self, choice: int) -> list[ToolCall]:
        """At the end: arguments for the calls that came without any. OpenAI's are always JSON."""
        if not self._calls:
            return []
        self.left_out += sum(call.number is None for call in self._calls.values())  # nobody said what to call
        bare = [call for call in self._calls.values() if call.empty and call.number is not None and call.number >= 0]
        for call in bare:
            call.empty = False
        return [ToolCall(call.number or 0, "{}", choice=choice) for call in bare]

    def _first(self, call: _Call, piece: ToolCall) -> ToolCall | None:
        """A call is shown when its name is known."""
        call.id = call.id or piece.id
        call.held += piece.arguments
        if not piece.name:
            return None
        if self._only_first and self._count:
            call.number = -1
            self.left_out += 1
            return None
        call.number = self._count
        self._count += 1
        call_id = call.id if call.id and call.id not in self._ids else mint_id()
        self._ids.add(call_id)
        call.empty = not call.held.strip()
        return ToolCall(call.number, call.held, call_id, self.renamed.get(piece.name, piece.name), piece.choice)


def freeform_input(arguments: str) -> str:
    """The text of a freeform call out of the JSON of the function that stands for it; the JSON itself if odd."""
    try:
        value = loads(arguments)
    except BadJSON:
        return arguments
    if isinstance(value, dict) and isinstance(value.get(FREEFORM_FIELD), str):
        return str(value[FREEFORM_FIELD])
    if value == {}:
        return ""
    return value if isinstance(value, str) else arguments
