"""Values as a schema wants them: models write numbers as words, lists as text, and one thing where many belong.

Only what has one plain reading is changed; whether the result conforms is for the validator to say.
"""

import re
from collections.abc import Mapping
from typing import Any

from qwen_gateway.codec.json import BadJSON, dumps, loads
from qwen_gateway.upstreams.tool_prompt.signatures import resolve
from qwen_gateway.upstreams.tool_prompt.toolbox import squeeze

DEEPEST = 60
_WORDS = {"true": True, "false": False, "null": None, "none": None, "yes": True, "no": False}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")


class Coercion:
    """Brings values into the form of one schema.

    Args:
        root: the schema that `$ref`s lead into.
        worded: the values were written as text between tags, so a string may stand for any type.
    """

    def __init__(self, root: Mapping[str, Any], *, worded: bool = False) -> None:
        self._root = root
        self._worded = worded

    def apply(self, value: Any, schema: Any, depth: int = 0) -> Any:
        """The value in the schema's form where that is plain, else as it is."""
        schema = self.flat(schema)
        if depth > DEEPEST or not schema:
            return self._guess(value) if not schema else value
        for keyword in ("anyOf", "oneOf"):
            branches = schema.get(keyword)
            if isinstance(branches, list) and branches:
                return self._branch(value, branches, depth)
        if isinstance(values := schema.get("enum"), list):
            return _nearest(value, values)
        if "const" in schema:
            return _nearest(value, [schema["const"]])
        kinds = kinds_of(schema)
        if not kinds:
            return self._guess(value)
        if len(kinds) > 1:
            return self._branch(value, [{**schema, "type": kind} for kind in kinds], depth)
        return self._to(kinds[0], value, schema, depth)

    def flat(self, schema: Any, depth: int = 0) -> Mapping[str, Any]:
        """The schema with `$ref` followed and `allOf` joined; empty when it says nothing."""
        for _ in range(8):
            if not isinstance(schema, Mapping) or "$ref" not in schema:
                break
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            schema = {**resolve(schema["$ref"], self._root), **rest}
        if not isinstance(schema, Mapping):
            return {}
        parts = schema.get("allOf")
        if not isinstance(parts, list) or not parts or depth > 8:
            return schema
        joined = {name: value for name, value in schema.items() if name != "allOf"}
        for part in parts[:20]:
            inner = self.flat(part, depth + 1)
            joined = {
                **inner,
                **joined,
                "properties": {**_mapping(inner, "properties"), **_mapping(joined, "properties")},
            }
        return joined

    def _to(self, kind: str, value: Any, schema: Mapping[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                return self._object(value, schema, depth)
            case "array":
                return self._array(value, schema, depth)
            case "string":
                return value if isinstance(value, str) else _as_text(value)
            case "integer" | "number":
                return _as_number(value, whole=kind == "integer")
            case "boolean":
                return _as_word(value, (True, False))
            case "null":
                return None if value in ("", "null", "None", "none", [], {}) else value
        return value

    def _branch(self, value: Any, branches: list[Any], depth: int) -> Any:
        """The first branch whose type the value has, else the first it can be brought to."""
        flat = [self.flat(branch) for branch in branches]
        if self._worded and isinstance(value, str):
            # Text between tags stands for a string only where nothing closer fits.
            flat.sort(key=lambda branch: "string" in kinds_of(branch))
        else:
            for branch in flat:
                if fits(value, branch) and (not isinstance(value, dict) or _has_keys(value, branch)):
                    return self.apply(value, branch, depth + 1)
        for branch in flat:
            made = self.apply(value, branch, depth + 1)
            if fits(made, branch) and (not isinstance(made, dict) or _has_keys(made, branch)):
                return made
        return value

    def _object(self, value: Any, schema: Mapping[str, Any], depth: int) -> Any:
        if isinstance(value, str) and value.lstrip()[:1] == "{":
            value = _read(value)
        if not isinstance(value, dict):
            return {} if self._worded and value == "" else value
        properties = _mapping(schema, "properties")
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        value = _rename(value, properties)
        others = schema.get("additionalProperties")
        made: dict[str, Any] = {}
        for name, one in value.items():
            inner = properties.get(name, others if isinstance(others, Mapping) else None)
            if name not in properties and others is False and properties:
                continue  # the tool would refuse the whole call
            if one is None and name not in required and inner is not None and not self._nullable(inner):
                continue
            made[name] = self.apply(one, inner, depth + 1) if inner is not None else self._guess(one)
        return made

    def _nullable(self, schema: Any) -> bool:
        flat = self.flat(schema)
        branches = [branch for keyword in ("anyOf", "oneOf") for branch in flat.get(keyword) or ()]
        if branches:
            return any(self._nullable(branch) for branch in branches)
        kinds = kinds_of(flat)
        values = flat.get("enum")
        return "null" in kinds or (not kinds and values is None) or (isinstance(values, list) and None in values)

    def _array(self, value: Any, schema: Mapping[str, Any], depth: int) -> Any:
        if isinstance(value, str) and value.strip()[:1] == "[":
            value = _read(value)
        if isinstance(value, str) and self._worded:
            lines = value.strip().splitlines()
            value = [line.strip().removeprefix("- ").strip() for line in lines if line.strip()]
            if len(value) == 1 and kinds_of(self.flat(schema.get("items"))) != ["object"]:
                value = [one.strip() for one in value[0].split(",")]
        elif value is None:
            return value
        elif not isinstance(value, list):
            value = [value]
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        items = schema.get("items")
        schemas = [*first, *[items] * len(value)]
        return [
            self.apply(one, inner, depth + 1) if inner is not None else one
            for one, inner in zip(value, schemas, strict=False)
        ]

    def _guess(self, value: Any) -> Any:
        """Text between tags that has no schema: numbers, booleans and JSON by their looks (seed B's rule)."""
        if not self._worded or not isinstance(value, str):
            return value
        said = value.strip()
        if said in ("true", "false", "null"):
            return _WORDS[said]
        if said[:1] in ("{", "["):
            return _read(value)
        return _as_number(said, whole=False) if _NUMBER.fullmatch(said) and not _LEADING_ZERO.match(said) else value


_LEADING_ZERO = re.compile(r"[+-]?0\d|\+")


def kinds_of(schema: Mapping[str, Any]) -> list[str]:
    """The types a schema allows, said or implied; empty when it allows all."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return [kind]
    if isinstance(kind, list):
        return [one for one in kind if isinstance(one, str)]
    if "properties" in schema or "additionalProperties" in schema:
        return ["object"]
    return ["array"] if "items" in schema or "prefixItems" in schema else []


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value has the type, or is one of the values, that a schema asks for; nothing deeper."""
    if isinstance(values := schema.get("enum"), list):
        return value in values
    if "const" in schema:
        return bool(value == schema["const"])
    kinds = kinds_of(schema)
    return not kinds or any(kind == "any" or _is(value, kind) for kind in kinds)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    types: dict[str, tuple[type, ...]] = {
        "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
        "null": (type(None),),
    }  # fmt: skip
    return isinstance(value, types.get(kind, ()))


def _has_keys(value: dict[str, Any], schema: Mapping[str, Any]) -> bool:
    required = schema.get("required")
    if isinstance(required, list) and not all(name in value for name in required):
        return False
    return all(
        fits(value[name], inner)
        for name, inner in _mapping(schema, "properties").items()
        if name in value and isinstance(inner, Mapping) and ("const" in inner or "enum" in inner)
    )


def _rename(value: dict[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Keys whose case or separators are wrong, where one property alone is meant and not given."""
    if not properties or all(name in properties for name in value):
        return value
    free = {squeeze(name): name for name in properties if name not in value}
    return {name if name in properties else free.get(squeeze(name), name): one for name, one in value.items()}


def _nearest(value: Any, allowed: list[Any]) -> Any:
    if any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
        return value
    said = (
        _as_text(value).strip().strip("\"'").lower()
        if not isinstance(value, str)
        else value.strip().strip("\"'").lower()
    )
    alike = [one for one in allowed if (one if isinstance(one, str) else _as_text(one)).lower() == said]
    if not alike:
        alike = [one for one in allowed if isinstance(one, str) and squeeze(one) == squeeze(said) != ""]
    return alike[0] if len(alike) == 1 else value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value).decode()


def _as_number(value: Any, *, whole: bool) -> Any:
    if isinstance(value, str):
        said = value.strip().replace("_", "")
        if not _NUMBER.fullmatch(said):
            return value
        plain = said.lstrip("+-").isdigit()
        value = int(said) if plain and len(said) < 400 else float(said) if not plain else value
    if isinstance(value, float) and value.is_integer() and (whole or abs(value) < 2**53) and whole:
        return int(value)
    return value


def _as_word(value: Any, allowed: tuple[Any, ...]) -> Any:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS and any(_WORDS[word] is one for one in allowed):
            return _WORDS[word]
        return {"1": True, "0": False}.get(word, value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value in (0, 1):
        return bool(value)
    return value


def _read(text: str) -> Any:
    """JSON in a string; mended if need be."""
    from qwen_gateway.upstreams.tool_prompt.arguments import mend  # noqa: PLC0415 - it coerces with this file

    try:
        return loads(text)
    except BadJSON:
        made, well = mend(text)
        return made if well else text


def _mapping(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = schema.get(name)
    return found if isinstance(found, Mapping) else {}
