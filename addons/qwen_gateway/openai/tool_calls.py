"""Tool calls on their way to the client: every piece exact, whatever the upstream sent.

OpenAI's rule (openai-surface.md section 5): `index` on each piece, `id` and `name` only on the first, arguments that
concatenate to JSON. Upstreams repeat ids, leave them out, or use one twice.
"""

import uuid
from collections.abc import Mapping

from qwen_gateway.codec.deltas import ToolCall
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.openai.tools import FREEFORM_FIELD


def mint_id() -> str:
    """A tool-call id of our own."""
    return f"call_{uuid.uuid4().hex[:24]}"


class ToolCallShaper:
    """Shapes the tool calls of one choice.

    Args:
        renamed: the upstream's name of a tool → the client's.
        only_first: `parallel_tool_calls: false`: later calls are left out.
    """

    def __init__(self, renamed: Mapping[str, str], *, only_first: bool = False) -> None:
        self._renamed = renamed
        self._only_first = only_first
        self._numbers: dict[int, int] = {}  # the upstream's index -> ours, without gaps
        self._ids: set[str] = set()
        self.left_out = 0

    def shape(self, piece: ToolCall) -> ToolCall | None:
        """The piece as the client gets it; None when it says nothing or is left out."""
        number = self._numbers.get(piece.index)
        if number is None:
            if self._only_first and self._numbers:
                self._numbers[piece.index] = -1
                self.left_out += 1
                return None
            number = len(self._numbers)
            self._numbers[piece.index] = number
            call_id = piece.id if piece.id and piece.id not in self._ids else mint_id()
            self._ids.add(call_id)
            name = piece.name or ""
            return ToolCall(number, piece.arguments, call_id, self._renamed.get(name, name), piece.choice)
        if number < 0 or not piece.arguments:
            return None
        return ToolCall(number, piece.arguments, None, None, piece.choice)


def freeform_input(arguments: str) -> str:
    """The text of a freeform call out of the JSON of the function that stands for it; the JSON itself if odd."""
    try:
        value = loads(arguments)
    except BadJSON:
        return arguments
    if isinstance(value, dict) and isinstance(value.get(FREEFORM_FIELD), str):
        return str(value[FREEFORM_FIELD])
    return value if isinstance(value, str) else arguments


def valid_arguments(arguments: str) -> str:
    """Arguments that are a JSON object; no arguments at all are an empty one.

    Raises:
        BadJSON: anything else.
    """
    if not arguments.strip():
        return "{}"
    if not isinstance(loads(arguments), dict):
        raise BadJSON("the arguments are not an object")
    return arguments
