"""Arguments as the client gets them: JSON that conforms to the tool's schema, mended where a model broke it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwen_gateway.codec.json import BadJSON, dumps, loads
from qwen_gateway.upstreams.repair import repaired
from qwen_gateway.upstreams.schemas import complaint
from qwen_gateway.upstreams.tool_prompt.coercion import Coercion
from qwen_gateway.upstreams.tool_prompt.tags import value_of
from qwen_gateway.upstreams.tool_prompt.toolbox import Tool


@dataclass(frozen=True, slots=True)
class Settled:
    """Arguments, settled.

    Attributes:
        arguments: JSON text of an object; never anything else.
        problem: why the tool will refuse them; None when they conform. One more question to the model may help.
        mended: the model's own text was no JSON.
    """

    arguments: str
    problem: str | None = None
    mended: bool = False


def settle_json(tool: Tool | None, given: Any, *, mended: bool = False) -> Settled:
    """Arguments that came as a JSON value, or as the text of one."""
    if isinstance(given, str):
        try:
            given = loads(given) if given.strip() else {}
        except BadJSON:
            mended = True
            if tool is not None and "{" not in given[:1] and (name := _lone_name(tool)):
                given, well = {name: given}, True  # the one text that the tool takes
            else:
                given, well = mend(given)
            if not well:
                return Settled("{}", "the arguments are no JSON", mended=True)
    if tool is None:
        return Settled(dumps(given if isinstance(given, dict) else {}).decode(), "there is no such tool", mended)
    made = Coercion(tool.schema).apply({} if given is None else given, {"type": "object", **tool.schema})
    if not isinstance(made, dict):
        made = _lone(tool, made)
    return _checked(tool, made, mended)


def settle_tags(tool: Tool | None, pairs: list[tuple[str, str]]) -> Settled:
    """Arguments that came as text between tags."""
    if tool is None:
        return Settled(dumps(dict(pairs)).decode(), "there is no such tool")
    coercion = Coercion(tool.schema, worded=True)
    flat = coercion.flat(tool.schema)
    properties = flat.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    made: dict[str, Any] = {}
    for name, text in pairs:
        value = value_of(text, properties.get(name), coercion)
        if name in made and isinstance(made[name], list):
            made[name] = [*made[name], *(value if isinstance(value, list) else [value])]
        elif sum(one == name for one, _ in pairs) > 1 and coercion.flat(properties.get(name)).get("type") == "array":
            made[name] = value if isinstance(value, list) else [value]
        else:
            made[name] = value
    return _checked(tool, coercion.apply(made, {"type": "object", **flat}), mended=False)


def mend(text: str) -> tuple[Any, bool]:
    """The value that broken JSON was meant to be, and whether there is one."""
    for changed in (text.strip().strip("`").strip(), _python(text)):
        try:
            return loads(changed), True
        except BadJSON:
            continue
    made = repaired(text)
    return made, made is not None


_LITERALS = re.compile(r'"(?:[^"\\]|\\[\s\S])*"|\b(?:True|False|None)\b|[\n\r\t]|,(?=\s*[}\]])')

_ESCAPE = re.compile(r"\\(?:(u[0-9a-fA-F]{4}|[\"\\/bfnrt])|)")


def _python(text: str) -> str:
    """Python's literals and stray commas as JSON has them, and strings with their line ends and backslashes escaped."""
    words = {"True": "true", "False": "false", "None": "null", ",": ""}

    def change(found: re.Match[str]) -> str:
        said = found[0]
        if said[0] == '"':
            said = _ESCAPE.sub(lambda one: one[0] if one[1] else "\\" + one[0], said)
            return said.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        return words.get(said, said)

    return _LITERALS.sub(change, text)


def _lone(tool: Tool, value: Any) -> Any:
    """A bare value as the one argument that the tool needs or has."""
    name = _lone_name(tool)
    if not name or value is None:
        return {}
    return Coercion(tool.schema).apply({name: value}, {"type": "object", **tool.schema})


def _lone_name(tool: Tool) -> str:
    names = list(tool.required) or list(tool.properties)
    return names[0] if len(names) == 1 else ""


def _checked(tool: Tool, value: Any, mended: bool) -> Settled:
    try:
        text = dumps(value if isinstance(value, dict) else {}).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return Settled("{}", "the arguments are no JSON", mended)
    return Settled(text, complaint(text, dict(tool.schema)) if tool.schema else None, mended)
