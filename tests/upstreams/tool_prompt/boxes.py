"""Tools as clients offer them: Roo's six, and others with everything that a schema may have."""

from collections.abc import Iterable
from typing import Any

from qwen_gateway.upstreams.tool_prompt.arguments import Settled
from qwen_gateway.upstreams.tool_prompt.reader import Called, Named, Piece, Reader, Said, Torn
from qwen_gateway.upstreams.tool_prompt.toolbox import Toolbox, toolbox_of


def function(name: str, description: str = "", required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """A tool; a property may be the name of a type."""
    written = {key: {"type": one} if isinstance(one, str) else one for key, one in properties.items()}
    parameters = {"type": "object", "properties": written, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def text(description: str) -> dict[str, str]:
    return {"type": "string", "description": description}


ROO = [
    function(
        "read_file", "Read the contents of a file.", ("path",), path=text("The file's path"), start_line="integer"
    ),
    function(
        "write_to_file", "Write a file.", ("path", "content"), path="string", content="string", line_count="integer"
    ),
    function("execute_command", "Run a command.", ("command",), command="string", requires_approval="boolean"),
    function(
        "search_files", "Search by regex.", ("path", "regex"), path="string", regex="string", file_pattern="string"
    ),
    function("list_files", "List a folder.", ("path",), path="string", recursive="boolean"),
    function("attempt_completion", "Tell the result.", ("result",), result="string"),
]
"""The six of upstream.md 3.12."""

TODO = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "done": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "children": {"type": "array", "items": {"$ref": "#/$defs/todo"}},
    },
    "required": ["title"],
    "additionalProperties": False,
}
PLAN = {
    "type": "function",
    "function": {
        "name": "update_plan",
        "description": "Replace the plan.",
        "parameters": {
            "type": "object",
            "properties": {
                "todos": {"type": "array", "items": {"$ref": "#/$defs/todo"}, "minItems": 1},
                "mode": {"type": "string", "enum": ["fast", "careful"]},
                "budget": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                "options": {"type": "object", "additionalProperties": {"type": "number"}},
            },
            "required": ["todos"],
            "$defs": {"todo": TODO},
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time", "description": "The time."}}
EDIT = function("edit_file", "Replace text.", ("path", "old", "new"), path="string", old="string", new="string")
PATCH = function("apply_patch", "A freeform tool, as the parser makes it.", ("input",), input="string")
TOOLS = [*ROO, PLAN, CLOCK, EDIT, PATCH]


def box(tools: Iterable[dict[str, Any]] = TOOLS, **fields: Any) -> Toolbox:
    """The toolbox of a call with these tools."""
    made = toolbox_of({"tools": list(tools), **fields})
    assert made is not None
    return made


class Heard:
    """What came of a text: the shown text, and the calls with their arguments, problems and whether one was torn."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.said = "".join(piece.text for piece in pieces if isinstance(piece, Said))
        self.named = [piece.name for piece in pieces if isinstance(piece, Named)]
        self.calls = [(piece.call.name, piece.call.settled) for piece in pieces if isinstance(piece, Called)]
        self.torn = [piece for piece in pieces if isinstance(piece, Torn)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Heard) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"said {self.said!r}, named {self.named}, called {self.calls}, torn {self.torn}"

    @property
    def settled(self) -> Settled:
        """The arguments of the only call."""
        ((_, settled),) = self.calls
        return settled


def hear(pieces: Iterable[str], toolbox: Toolbox | None = None, *, tags: bool = True) -> Heard:
    """Read a text that comes in pieces."""
    reader = Reader(toolbox or box(), tags=tags)
    found: list[Piece] = []
    for piece in pieces:
        found += reader.feed(piece)
    return Heard(found + reader.close())
