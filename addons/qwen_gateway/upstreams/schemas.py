"""Whether a value conforms to a JSON Schema that a client sent. Nothing is ever fetched for it."""

from functools import lru_cache
from typing import Any

from qwen_gateway.codec.json import BadJSON, canonical, dumps, loads
from qwen_gateway.upstreams.arguments import read

VALUE_LIMIT = 1_000_000
"""Characters of a value that are looked at: a client waits, and others with it."""


def complaint(text: str, schema: dict[str, Any]) -> str | None:
    """What the schema holds against the JSON in `text`; None when nothing, or when nobody can tell."""
    try:
        value = loads(text)
    except BadJSON as error:
        return f"it is not JSON ({error})"
    if len(text) > VALUE_LIMIT:
        return None
    try:
        found = next(iter(_validator(canonical(schema)).iter_errors(value)), None)
    except Exception:  # a schema that is none, a reference that leads nowhere, a pattern that is no pattern
        return None
    if found is None:
        return None
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found.absolute_path)
    return f"{where.lstrip('.') or 'the value'}: {found.message[:300]}"


def repaired(text: str, schema: dict[str, Any]) -> str | None:
    """The JSON that is meant by a text which is none: fences and slips taken away; None when it does not conform."""
    inner = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    if complaint(inner, schema) is None:
        return inner
    value = read(inner)
    if value is None or isinstance(value, str):
        return None
    found = dumps(value).decode()
    return found if complaint(found, schema) is None else None


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow to import, and seldom needed
    from referencing import Registry  # noqa: PLC0415

    return Draft202012Validator(loads(schema), registry=Registry())  # an empty registry opens no connection


def warm() -> None:
    """Import what takes long, before it is needed: in a thread."""
    _validator(b"{}")
