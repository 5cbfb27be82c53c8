"""JSON Schemas as short TypeScript-like types, which models read as well (upstream.md 3.12)."""

from collections.abc import Mapping
from typing import Any

from qwen_gateway.codec.json import dumps

DEEPEST = 12
"""Levels of nesting that are written out; below them a value is `any`."""
CHOICES = 50
"""Values of an enumeration that are written out."""

_BOUNDS = {
    "minimum": "min", "maximum": "max", "exclusiveMinimum": "above", "exclusiveMaximum": "below",
    "minLength": "min length", "maxLength": "max length", "minItems": "min items", "maxItems": "max items",
    "multipleOf": "multiple of", "pattern": "pattern", "format": "format",
}  # fmt: skip
"""Keywords that are told in words, behind the type."""


class Signatures:
    """Writes the types of one schema; what is referred to becomes a type of its own, so that it may refer to itself."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._named: dict[str, str] = {}

    @property
    def named(self) -> list[str]:
        """Definitions of the types that were referred to, in the order of their first use."""
        return [f"type {name} = {written}" for name, written in self._named.items()]

    def write(self, schema: Any, depth: int = 0) -> str:
        """The type of a schema."""
        if not isinstance(schema, Mapping) or depth > DEEPEST:
            return "any"
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._refer(reference, depth)
        if "const" in schema:
            return _literal(schema["const"])
        values = schema.get("enum")
        if isinstance(values, list) and values:
            shown = [_literal(value) for value in values[:CHOICES]]
            return " | ".join([*shown, *(["…"] if len(values) > CHOICES else [])])
        for keyword, sign in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
            branches = schema.get(keyword)
            if isinstance(branches, list) and branches:
                written = list(dict.fromkeys(self.write(branch, depth + 1) for branch in branches))
                if keyword == "allOf" and isinstance(schema.get("properties"), Mapping):
                    written.append(self._object(schema, depth))
                return sign.join(f"({one})" if " " in one and "{" not in one else one for one in written)
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self._plain(one, schema, depth) for one in kind) or "any"
        return self._plain(kind, schema, depth)

    def _plain(self, kind: Any, schema: Mapping[str, Any], depth: int) -> str:
        if kind == "object" or (kind is None and isinstance(schema.get("properties"), Mapping)):
            return self._object(schema, depth)
        if kind == "array" or (kind is None and "items" in schema):
            return self._array(schema, depth)
        return kind if isinstance(kind, str) else "any"

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        fields = [
            f"{_key(name, name in required)}: {self.described(inner, depth + 1)}" for name, inner in properties.items()
        ]
        others = schema.get("additionalProperties")
        if isinstance(others, Mapping):
            fields.append(f"[key: string]: {self.write(others, depth + 1)}")
        return f"{{{', '.join(fields)}}}" if fields else "object"

    def _array(self, schema: Mapping[str, Any], depth: int) -> str:
        first = schema.get("prefixItems")
        if isinstance(first, list) and first:
            return f"[{', '.join(self.write(one, depth + 1) for one in first)}]"
        item = self.write(schema.get("items"), depth + 1)
        return f"({item})[]" if " | " in item or " & " in item else f"{item}[]"

    def described(self, schema: Any, depth: int = 0) -> str:
        """A type and, in a comment, what else its schema says."""
        written = self.write(schema, depth)
        words = notes(schema)
        return f"{written} /* {words.replace('*/', '* /')} */" if words else written

    def _refer(self, reference: str, depth: int) -> str:
        name = reference.rstrip("/").rpartition("/")[2].lstrip("#") or "Root"
        if name not in self._named:
            self._named[name] = "any"  # it may refer to itself
            self._named[name] = self.write(resolve(reference, self._root), 1)
        return name


def notes(schema: Any) -> str:
    """Description, default and bounds of a value, on one line."""
    if not isinstance(schema, Mapping):
        return ""
    said = [" ".join(str(schema.get("description") or "").split())]
    if "default" in schema:
        said.append(f"default {_literal(schema['default'])}")
    said += [f"{word} {_bare(schema[keyword])}" for keyword, word in _BOUNDS.items() if keyword in schema]
    return "; ".join(one for one in said if one)


def resolve(reference: Any, root: Mapping[str, Any]) -> Any:
    """What a reference within the schema points to; an empty schema when it points nowhere."""
    found: Any = root
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    for part in reference.removeprefix("#").strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if key:
            found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _key(name: str, required: bool) -> str:
    plain = name if name.replace("_", "a").replace("$", "a").isalnum() else _literal(name)
    return plain if required else f"{plain}?"


def _literal(value: Any) -> str:
    return dumps(value).decode()


def _bare(value: Any) -> str:
    return value if isinstance(value, str) else _literal(value)
