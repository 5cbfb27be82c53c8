"""Calls of tools in a response: of a function, of a freeform tool, of the tool search that a client runs."""

from typing import Any

from qwen_gateway.codec.deltas import ToolCall
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.openai.responses_events import Events
from qwen_gateway.openai.responses_output import Item, Status
from qwen_gateway.openai.responses_tools import Called
from qwen_gateway.openai.tool_calls import freeform_input


class Call(Item):
    """A call of a tool.

    Attributes:
        broken: its arguments are no JSON although it is done.
    """

    def __init__(self, events: Events, index: int, added: dict[str, Any], piece: ToolCall) -> None:
        super().__init__(events, index, added)
        self._arguments: list[str] = []
        self.broken = False
        self._begin()
        self.add(piece.arguments)

    def add(self, arguments: str) -> None:
        """More of the arguments."""
        if arguments:
            self._arguments.append(arguments)
            self._show(arguments)

    @property
    def arguments(self) -> str:
        """All of them so far."""
        return "".join(self._arguments)

    @property
    def whole(self) -> bool:
        """Whether the arguments could be all."""
        try:
            loads(self.arguments)
        except BadJSON:
            return False
        return True

    def _begin(self) -> None:
        """Before the first piece."""

    def _show(self, arguments: str) -> None:
        """A piece, where the client sees pieces."""


class FunctionCall(Call):
    """A call of a function: the arguments are shown as they come."""

    def _begin(self) -> None:
        self._head = self._events.head("response.function_call_arguments.delta", self._place)

    def _show(self, arguments: str) -> None:
        self._events.delta(self._head, arguments)

    def _finish(self, status: Status) -> dict[str, Any]:
        arguments = self.arguments
        if status == "completed" and not self.whole:
            self.broken, status = True, "incomplete"
        done = {**self._place, "name": self.value["name"], "arguments": arguments}
        self._events.event("response.function_call_arguments.done", done)
        return self.value | {"arguments": arguments, "status": status}


class CustomCall(Call):
    """A call of a freeform tool: its text can be taken out of the arguments only when they are whole."""

    def _finish(self, status: Status) -> dict[str, Any]:
        self.broken = status == "completed" and not self.whole
        text = freeform_input(self.arguments)
        head = self._events.head("response.custom_tool_call_input.delta", self._place)
        if text:
            self._events.delta(head, text)
        self._events.event("response.custom_tool_call_input.done", {**self._place, "input": text})
        return self.value | {"input": text}


class SearchCall(Call):
    """A call of the tool search that the client runs."""

    def _finish(self, status: Status) -> dict[str, Any]:
        self.broken = status == "completed" and not self.whole
        return self.value | {"arguments": loads(self.arguments) if self.whole else {}, "status": status}


def call_item(events: Events, index: int, suffix: str, piece: ToolCall, called: Called) -> Call:
    """The item of a call, in the form of its tool."""
    added: dict[str, Any] = {"call_id": piece.id, "name": called.name}
    if called.namespace:
        added["namespace"] = called.namespace
    if called.kind == "custom":
        added |= {"type": "custom_tool_call", "id": f"ctc_{suffix}", "input": ""}
        return CustomCall(events, index, added, piece)
    if called.kind == "tool_search":
        added = {"type": "tool_search_call", "id": f"tsc_{suffix}", "call_id": piece.id, "execution": "client"}
        return SearchCall(events, index, added | {"arguments": {}, "status": "in_progress"}, piece)
    added |= {"type": "function_call", "id": f"fc_{suffix}", "arguments": "", "status": "in_progress"}
    return FunctionCall(events, index, added, piece)
