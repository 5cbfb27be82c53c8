"""A call as Codex sends it (openai-surface.md section 2), and what its parser makes of the events."""

from collections.abc import Iterable
from typing import Any

type Node = dict[str, Any]

SHELL: Node = {
    "type": "function",
    "name": "shell",
    "description": "Runs a shell command and returns its output.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"command": {"type": "array", "items": {"type": "string"}}, "workdir": {"type": "string"}},
        "required": ["command"],
        "additionalProperties": False,
    },
}
PATCH: Node = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files. Do not wrap the patch in JSON.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" /.+/ "*** End Patch"'},
}
MAIL: Node = {
    "type": "namespace",
    "name": "mcp__mail__",
    "description": "Reads mail",
    "tools": [{"type": "function", "name": "list_mail", "parameters": {"type": "object", "properties": {}}}],
}
SEARCH: Node = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
WEB: Node = {"type": "web_search", "external_web_access": False}
TOOLS = [SHELL, PATCH, MAIL, SEARCH, WEB]


def user(text: str) -> Node:
    """What a person typed."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def turn(*items: Node, new_models: bool = False, **fields: Any) -> Node:
    """The body of one turn; for newer models the tools are an item."""
    environment = "<environment_context>\n  <cwd>/tmp</cwd>\n</environment_context>"
    opening = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandboxed."}]},
        user(environment),
    ]
    body: Node = {
        "model": "gpt-5.3-codex",
        "instructions": "You are Codex, a coding agent. " * 40,
        "input": [*opening, *items],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199f0a0-1111-7000-8000-000000000000",
        "text": {"verbosity": "medium"},
        "client_metadata": {"x-codex-installation-id": "0"},
        **fields,
    }
    if new_models:
        body["input"].insert(0, {"type": "additional_tools", "role": "developer", "tools": TOOLS})
    else:
        body["tools"] = TOOLS
    return body


class Parser:
    """The rules of Codex's parser: what it keeps of a stream."""

    def __init__(self, events: Iterable[Node]) -> None:
        self.items: list[Node] = []
        self.text = ""
        self.summary = ""
        self.completed: Node | None = None
        self.failed: Node | None = None
        added = False
        for event in events:
            match event["type"]:
                case "response.output_item.added":
                    added = True
                case "response.output_item.done":
                    self.items.append(event["item"])
                case "response.output_text.delta":
                    assert added, "a delta before its item is lost"
                    self.text += event["delta"]
                case "response.reasoning_summary_text.delta":
                    assert isinstance(event["summary_index"], int)
                    self.summary += event["delta"]
                case "response.completed":
                    self.completed = event["response"]
                case "response.failed":
                    self.failed = event["response"]["error"]
        assert self.completed or self.failed, "stream closed before response.completed"
