"""XML within a parameter as a value: children of an object are its properties, children of a list its items."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from qwen_gateway.upstreams.tool_prompt.coercion import Coercion, kinds_of

_OPENING = re.compile(r"\s*<([A-Za-z_][\w.:-]*)>")
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#[xX][0-9a-fA-F]{1,5});")
DEEPEST = 30


def bare(text: str) -> str:
    """A value without the line ends beside its tags, without CDATA, and unescaped where all of it was escaped."""
    text = text.removeprefix("\r").removeprefix("\n")
    text = text[:-1].removesuffix("\r") if text.endswith("\n") else text
    said = text.strip()
    if said.startswith("<![CDATA[") and said.endswith("]]>"):
        return said[9:-3]
    if "&" in text and "<" not in text and ">" not in text and len(_ENTITY.findall(text)) == text.count("&"):
        return unescape(text)
    return text


def value_of(text: str, schema: Any, coercion: Coercion, depth: int = 0) -> Any:
    """The text between two tags: by the schema an object or a list of its children, else the text itself."""
    flat = coercion.flat(schema)
    kinds = kinds_of(flat)
    children = children_of(text) if depth < DEEPEST else None
    for keyword in ("anyOf", "oneOf"):
        for branch in flat.get(keyword) or ():
            kinds = [*kinds, *kinds_of(coercion.flat(branch))]
            if children and {"object", "array"} & set(kinds_of(coercion.flat(branch))):
                return value_of(text, branch, coercion, depth + 1)
    if not children or ("string" in kinds and not {"object", "array"} & set(kinds)):
        return bare(text)
    if "array" in kinds:
        return _items(children, flat, coercion, depth)
    if "object" in kinds:
        return _object(children, flat, coercion, depth)
    return bare(text)


def children_of(text: str) -> list[tuple[str, str]] | None:
    """Names and contents of the tags that the text consists of; None when it is anything else."""
    found: list[tuple[str, str]] = []
    place = 0
    while opening := _OPENING.match(text, place):
        name = opening[1]
        end = _closing(text, name, opening.end())
        if end < 0:
            return None
        found.append((name, text[opening.end() : end]))
        place = end + len(name) + 3
    return found if found and not text[place:].strip() else None


def _closing(text: str, name: str, start: int) -> int:
    """Where the tag that is open at `start` is closed; tags of one name may nest."""
    depth, place = 1, start
    closing, opening = f"</{name}>", f"<{name}>"
    while depth:
        end = text.find(closing, place)
        if end < 0:
            return -1
        depth += text.count(opening, place, end) - 1
        place = end + len(closing)
    return place - len(closing)


def _items(children: list[tuple[str, str]], schema: Mapping[str, Any], coercion: Coercion, depth: int) -> Any:
    item = schema.get("items")
    inner = coercion.flat(item)
    properties = inner.get("properties")
    if isinstance(properties, Mapping) and all(name in properties for name, _ in children):
        return [_object(children, inner, coercion, depth)]  # the one item, without a tag of its own
    return [value_of(content, item, coercion, depth + 1) for _, content in children]


def _object(
    children: list[tuple[str, str]], schema: Mapping[str, Any], coercion: Coercion, depth: int
) -> dict[str, Any]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    made: dict[str, Any] = {}
    for name, content in children:
        inner = properties.get(name)
        flat = coercion.flat(inner)
        value = value_of(content, inner, coercion, depth + 1)
        if name in made and "array" in kinds_of(flat):
            before = made[name] if isinstance(made[name], list) else [made[name]]
            made[name] = [*before, *(value if isinstance(value, list) else [value])]
        elif "array" in kinds_of(flat) and not isinstance(value, list) and sum(one == name for one, _ in children) > 1:
            made[name] = [value]
        else:
            made[name] = value
    return made
