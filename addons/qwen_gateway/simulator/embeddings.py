"""`POST embeddings` (upstream.md 4.10): a few rows of strings, and vectors that depend on the text alone."""

import base64
import hashlib
import math
import struct
from typing import Any

from . import tokens
from .catalogue import EMBEDDINGS, Embedding
from .chat import enter
from .errors import invalid, refuse
from .state import Call
from .variants import no_model
from .wire import JsonObject, Reply, json_reply


def embeddings(call: Call) -> Reply:
    """Answer an embeddings call."""
    body = call.object
    model = _find(call)
    enter(call, model.id)
    rows = _rows(body.get("input"), model)
    wanted = body.get("dimensions")
    if wanted is not None and wanted not in model.dimensions:
        raise invalid(f"Value error, dimension should be one of {sorted(model.dimensions)}: parameters.dimension")
    form = body.get("encoding_format", "float")
    if form not in {"float", "base64"}:
        raise invalid(f"'{form}' is not one of ['float', 'base64'] - 'encoding_format'")
    used = sum(tokens.count(row) for row in rows)
    call.state.windows.spend(call.account, model.id, call.now, used)
    items: list[JsonObject] = []
    for index, row in enumerate(rows):
        vector = embed(row, wanted or model.default)
        value: Any = vector
        if form == "base64":
            value = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        items.append({"embedding": value, "index": index, "object": "embedding"})
    if "embeddings-shuffled" in call.faults.names:
        items = items[1::2] + items[::2]
    usage: JsonObject = {"prompt_tokens": used, "total_tokens": used}
    if "embeddings-total-only" in call.faults.names:
        del usage["prompt_tokens"]
    return json_reply(200, {"data": items, "model": model.id, "object": "list", "usage": usage, "id": call.request_id})


def embed(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on the text alone."""
    raw = hashlib.shake_256(text.encode()).digest(dimensions * 2)
    values = [number / 32_768 - 1 for number in struct.unpack(f"<{dimensions}H", raw)]
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


def _find(call: Call) -> Embedding:
    name = call.object.get("model")
    if not isinstance(name, str) or not name:
        raise refuse("invalid-parameter", "you must provide a model parameter")
    model = EMBEDDINGS.get(name)
    ours = model is not None and name.startswith("text-") == (call.face.kind == "dashscope")
    if model is not None and ours and call.face.plan not in {"coding", "token"}:
        return model
    if call.face.kind not in {"dashscope", "portal"}:
        raise no_model(call.face.kind, name)
    raise refuse("plan-model" if call.face.plan != "payg" else "model-not-found", model=name)


def _rows(given: Any, model: Embedding) -> list[str]:
    rows = [given] if isinstance(given, str) else given
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        raise invalid("Value error, contents is neither str nor list of str.: input.contents")
    if not rows or not all(rows):
        raise invalid("Value error, contents can not be empty: input.contents")
    if len(rows) > model.rows:
        raise invalid(f"Value error, batch size is invalid, it should not be larger than {model.rows}.: input.contents")
    for row in rows:
        if tokens.count(row) > model.tokens:
            raise invalid(f"Range of input length should be [1, {model.tokens}]")
    return rows
