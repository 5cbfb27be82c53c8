"""JSON that a model broke, made whole again; json-repair is imported when the first of it comes."""

from typing import Any

from qwen_gateway.codec.json import dumps

LARGEST = 64_000
"""Characters that are tried: json-repair takes 0.4 s for them, and every other call waits with it."""


def repaired(text: str) -> Any:
    """The value that the text was meant to be; None when there is none, or when it is too long to be tried."""
    if len(text) > LARGEST:
        return None
    from json_repair import repair_json  # noqa: PLC0415 - slow to import, and seldom needed

    try:
        made = repair_json(text, return_objects=True, skip_json_loads=True)
        dumps(made)
    except Exception:  # a parser of broken text may break on any of it
        return None
    return None if made == "" else made
