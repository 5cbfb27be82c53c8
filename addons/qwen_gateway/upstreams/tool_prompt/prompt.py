"""What is put behind the system message: the tools, how to call them, and what this call demands (upstream.md 3.12)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from qwen_gateway.codec.json import dumps, loads
from qwen_gateway.upstreams.tool_prompt.signatures import Signatures, notes
from qwen_gateway.upstreams.tool_prompt.toolbox import Convention, Tool, Toolbox

_JSON = """\
# Tools

You have the tools listed below; the types of their arguments are written as in TypeScript. To call one, write:

<tool_call>
{{"name": "NAME", "arguments": {{…}}}}
</tool_call>

<tools>
{tools}
</tools>

Rules for calling tools:
- Between the tags stands one valid JSON object with "name" and "arguments"; the arguments are of the given types, and \
newlines in strings are written as \\n.
- Write nothing after a call. Do not put calls into code fences, and write the tags only to call.
- {number}
- Results come back in <tool_response> tags; never write those yourself.
{rules}"""

_XML = """\
# TOOL USE

You have the tools listed below. To call one, write its name and its parameters as XML tags, as its usage shows, \
outside of code fences. Values stand as they are between their tags, unescaped; objects and arrays are written as JSON.

<tools>
{tools}
</tools>

Rules for calling tools:
- {number}
- Write nothing after the call, and write the tags only to call.
- The result comes back in the next message, as "Tool Result from NAME:"; never write that yourself.
{rules}"""


def instructions(toolbox: Toolbox, convention: Convention) -> str:
    """The text that offers the tools; empty when none may be called."""
    if toolbox.demand == "none":
        return ""
    frame = _JSON if convention == "json" else _XML
    tools = "\n\n".join(
        _described(tool.name, tool.description, dumps(tool.schema), convention) for tool in toolbox.tools.values()
    )
    several = convention == "json" and not toolbox.only_one
    number = (
        "You may make several calls in one answer, each in tags of its own."
        if several
        else "Make one call at most in one answer."
    )
    return frame.format(tools=tools, number=number, rules=f"- {demand(toolbox)}").rstrip("\n")


@lru_cache(maxsize=1024)
def _described(name: str, description: str, schema: bytes, convention: Convention) -> str:
    """One tool; agents send the same ones with every call, and forty take 7 ms."""
    tool = Tool(name, description, loads(schema))
    return _as_type(tool) if convention == "json" else _as_tags(tool)


def demand(toolbox: Toolbox) -> str:
    """Whether a tool must be called, in a sentence."""
    if toolbox.demand == "auto":
        return "When no tool is needed, answer in plain text."
    if len(toolbox.tools) == 1:
        return f"You must call the tool {next(iter(toolbox.tools))} now; an answer without that call is wrong."
    return "You must call a tool now; an answer without a call is wrong."


def _as_type(tool: Tool) -> str:
    """`## name: description`, then a line for each argument."""
    types = Signatures(tool.schema)
    lines = [f"## {tool.name}"]
    if tool.description:
        lines.append(tool.description.strip())
    if tool.properties:
        lines.append("{")
        for name, schema in tool.properties.items():
            optional = "" if name in tool.required else "?"
            said = notes(schema)
            lines.append(f"  {name}{optional}: {types.write(schema, 1)}{f'  // {said}' if said else ''}")
        lines.append("}")
    elif tool.schema:
        lines.append(types.write(tool.schema))
    return "\n".join([*lines, *types.named])


def _as_tags(tool: Tool) -> str:
    """Seed B's form: `## name`, `Description:`, `Parameters:`, `Usage:`."""
    types = Signatures(tool.schema)
    lines = [f"## {tool.name}"]
    if tool.description:
        lines.append(f"Description: {tool.description.strip()}")
    if tool.properties:
        lines.append("Parameters:")
        lines += [
            _parameter(name, schema, types, required=name in tool.required) for name, schema in tool.properties.items()
        ]
        lines += types.named
    tags = [f"<{name}>{_example(schema)}</{name}>" for name, schema in tool.properties.items()]
    return "\n".join([*lines, "Usage:", f"<{tool.name}>", *tags, f"</{tool.name}>"])


def _parameter(name: str, schema: Any, types: Signatures, *, required: bool) -> str:
    kind = types.write(schema, 1)
    said = notes(schema)
    must = "(required)" if required else "(optional)"
    return f"- {name}: {must} {kind}{f' - {said}' if said else ''}"


def _example(schema: Any) -> str:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return {"object": "{…}", "array": "[…]"}.get(kind, "value") if isinstance(kind, str) else "value"
