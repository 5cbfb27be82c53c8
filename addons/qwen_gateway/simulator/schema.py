"""Make a JSON value that conforms to a JSON schema, the same one every time.

A prompt can choose values: where it says `city=Paris` or `days: 3`, a property of that name takes it.
"""

import re
from typing import Any

from .wire import JsonObject

_FORMATS = {
    "date": "2026-11-05",
    "date-time": "2026-11-05T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "url": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.org",
}
_DEEP = 12


def conform(schema: Any, prompt: str = "") -> Any:
    """A value for the schema."""
    root = schema if isinstance(schema, dict) else {}
    return _value(root, root, "", prompt, 0)


def _value(schema: Any, root: JsonObject, name: str, prompt: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEP:
        return None
    schema = _resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return _from_enum(schema["enum"], name, prompt)
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            branch = next((one for one in schema[key] if one.get("type") != "null"), schema[key][0])
            rest = {other: value for other, value in schema.items() if other != key}
            return _value({**rest, **branch}, root, name, prompt, depth + 1)
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, root, prompt, depth)
    if kind == "array":
        return _array(schema, root, name, prompt, depth)
    said = _said(name, prompt)
    if kind == "string":
        return _string(schema, name, said)
    if kind in {"integer", "number"}:
        return _number(schema, said, whole=kind == "integer")
    if kind == "boolean":
        return said is None or said.lower() not in {"false", "no", "0"}
    return None if kind == "null" else _said(name, prompt) or "anything"


def _resolve(schema: JsonObject, root: JsonObject) -> JsonObject:
    for _ in range(_DEEP):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            break
        target: Any = root
        for part in reference.removeprefix("#").strip("/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if key:
                target = target.get(key, {}) if isinstance(target, dict) else {}
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    for part in schema.get("allOf") or []:
        inner = _resolve(part, root)
        merged = {**schema.get("properties", {}), **inner.get("properties", {})}
        required = [*schema.get("required", []), *inner.get("required", [])]
        schema = {**inner, **schema}
        if merged:
            schema |= {"properties": merged, "required": required}
    return schema


def _kind(schema: JsonObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string" if "pattern" in schema else ""


def _object(schema: JsonObject, root: JsonObject, prompt: str, depth: int) -> JsonObject:
    properties = schema.get("properties") or {}
    required = schema.get("required") or []
    made: JsonObject = {}
    for name, inner in properties.items():
        if name in required or _said(name, prompt) is not None or (not required and depth == 0):
            made[name] = _value(inner, root, name, prompt, depth + 1)
    for name in required:
        made.setdefault(name, "anything")
    return made


def _array(schema: JsonObject, root: JsonObject, name: str, prompt: str, depth: int) -> list[Any]:
    prefix = schema.get("prefixItems") or []
    made = [_value(inner, root, name, prompt, depth + 1) for inner in prefix]
    least = max(int(schema.get("minItems", 0)), 0 if "maxItems" in schema and not schema["maxItems"] else 1)
    items = schema.get("items", {"type": "string"})
    while len(made) < least:
        value = _value(items, root, name.removesuffix("s"), prompt, depth + 1)
        if schema.get("uniqueItems") and value in made:
            value = f"{value} {len(made)}" if isinstance(value, str) else len(made)
        made.append(value)
    return made


def _from_enum(values: list[Any], name: str, prompt: str) -> Any:
    said = _said(name, prompt)
    for value in values:
        if said is not None and str(value).lower() == said.lower():
            return value
    for value in values:
        if isinstance(value, str) and value and re.search(rf"\b{re.escape(value)}\b", prompt, re.IGNORECASE):
            return value
    return values[0]


def _string(schema: JsonObject, name: str, said: str | None) -> str:
    text = said
    if text is None:
        text = schema.get("default") if isinstance(schema.get("default"), str) else None
    if text is None:
        text = _FORMATS.get(str(schema.get("format", "")))
    pattern = schema.get("pattern")
    if text is None and isinstance(pattern, str):
        text = next((one for one in _PATTERN_GUESSES if re.search(pattern, one)), None)
    if text is None:
        text = f"simulated {name}".strip()
    text += "x" * (int(schema.get("minLength", 0)) - len(text))
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text


_PATTERN_GUESSES = ("a", "A", "1", "abc", "ABC", "123", "1234", "12345", "abc-123", "ABC-123", "2026-11-05", "1.0.0")


def _number(schema: JsonObject, said: str | None, *, whole: bool) -> int | float:
    try:
        value = float(said if said is not None else schema.get("default", 1))
    except (TypeError, ValueError):
        value = 1.0
    step = float(schema.get("multipleOf", 1 if whole else 0))
    if "minimum" in schema:
        value = max(value, float(schema["minimum"]))
    if "exclusiveMinimum" in schema:
        value = max(value, float(schema["exclusiveMinimum"]) + (step or 0.5))
    if "maximum" in schema:
        value = min(value, float(schema["maximum"]))
    if "exclusiveMaximum" in schema:
        value = min(value, float(schema["exclusiveMaximum"]) - (step or 0.5))
    if step and value % step:
        value = (value // step + 1) * step
    return int(value) if whole else value


def _said(name: str, prompt: str) -> str | None:
    if not name:
        return None
    found = re.search(rf"\b{re.escape(name)}\s*[=:]\s*(?:\"([^\"]*)\"|([^\s,;)]+))", prompt)
    if found is None:
        return None
    return found[1] if found[1] is not None else found[2]
