"""The tools of one call, as an upstream without tools needs them: offered in words, found again in its text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qwen_gateway.openai.tools import chosen_name

Convention = Literal["json", "xml"]
"""How calls are written (upstream.md 3.12): `<tool_call>` with JSON, or a tag for each tool and parameter."""

Demand = Literal["auto", "required", "none"]


@dataclass(frozen=True, slots=True)
class Tool:
    """One function.

    Attributes:
        schema: the JSON Schema of its arguments, an object's.
    """

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The arguments by name; those behind `$ref` or `allOf` are not looked up."""
        properties = self.schema.get("properties")
        return properties if isinstance(properties, Mapping) else {}

    @property
    def required(self) -> frozenset[str]:
        """The arguments that must be given."""
        required = self.schema.get("required")
        return (
            frozenset(name for name in required if isinstance(name, str)) if isinstance(required, list) else frozenset()
        )


@dataclass(frozen=True, slots=True)
class Toolbox:
    """All functions of a call.

    Attributes:
        demand: whether one must be called; `none`: they are known from earlier turns and may not be called.
        only_one: `parallel_tool_calls` is false.
    """

    tools: Mapping[str, Tool]
    demand: Demand = "auto"
    only_one: bool = False

    def find(self, name: str) -> Tool | None:
        """The tool of that name, or the only one whose name differs in case, separators or a prefix such as
        `functions.`."""
        name = name.strip()
        if name in self.tools:
            return self.tools[name]
        plain = squeeze(re.sub(r"^(?:functions?|tools?)[.:/]", "", name))
        alike = [tool for tool in self.tools.values() if squeeze(tool.name) == plain]
        return alike[0] if len(alike) == 1 else None


def toolbox_of(body: Mapping[str, Any]) -> Toolbox | None:
    """The functions of a chat body, tools of other types left out; None when there are none.

    A choice that names one tool leaves only that one, and demands it.
    """
    if not body.get("tools"):
        return None
    tools: dict[str, Tool] = {}
    for tool in body["tools"]:
        function = tool.get("function") if tool.get("type") == "function" else None
        if isinstance(function, Mapping):
            schema = function.get("parameters")
            name = str(function.get("name"))
            schema = schema if isinstance(schema, Mapping) else {}
            tools[name] = Tool(name, str(function.get("description") or ""), schema)
    choice = body.get("tool_choice")
    demand: Demand = "required" if choice == "required" else "none" if choice == "none" else "auto"
    if isinstance(choice, Mapping) and (name := chosen_name(choice)) in tools:
        tools, demand = {name: tools[name]}, "required"
    return Toolbox(tools, demand, body.get("parallel_tool_calls") is False) if tools else None


def squeeze(name: str) -> str:
    """A name without what models get wrong about it."""
    return re.sub(r"[\W_]+", "", name).lower()
