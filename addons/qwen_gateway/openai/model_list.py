"""The objects of `/v1/models`."""

from collections.abc import Iterable
from typing import Any

from qwen_gateway.openai.errors import NotFound


def model_object(name: str, created: int, owner: str, extras: dict[str, Any] | None = None) -> dict[str, Any]:
    """A `Model`, with what else is known of it."""
    return {**(extras or {}), "id": name, "object": "model", "created": created, "owned_by": owner}


def model_list(models: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The list object; the first of equal names stays."""
    seen: dict[str, dict[str, Any]] = {}
    for model in models:
        seen.setdefault(model["id"], model)
    return {"object": "list", "data": list(seen.values())}


def find_model(models: dict[str, Any], name: str) -> dict[str, Any]:
    """The model of that name.

    Raises:
        NotFound: there is none.
    """
    for model in models["data"]:
        if model["id"] == name:
            found: dict[str, Any] = model
            return found
    raise NotFound(
        f"The model '{name[:80]}' does not exist here. GET /v1/models lists what does.",
        param="model",
        code="model_not_found",
    )
