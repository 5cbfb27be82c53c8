"""The model lists: OpenAI's, DashScope's native one, those of the variants (upstream.md 4.8, 4.13)."""

from .catalogue import CATALOGUES, OTHER_KINDS, Model
from .errors import refuse
from .state import Call
from .wire import JsonObject, Reply, json_reply

_CREATED = 1_754_686_206


def list_models(call: Call) -> Reply:
    """`GET models`."""
    return json_reply(200, {"object": "list", "data": _items(call)})


def one_model(call: Call) -> Reply:
    """`GET models/{id}`, which Ollama documents."""
    wanted = call.rest.removeprefix("models/")
    for item in _items(call):
        if item["id"] == wanted:
            return json_reply(200, item)
    raise refuse("model-not-found", model=wanted)


def native(call: Call) -> Reply:
    """`GET /api/v1/models`: the official list, in pages of 20."""
    query = call.received.query
    number, size = _positive(query.get("page_no"), 1), min(_positive(query.get("page_size"), 20), 100)
    models = list(CATALOGUES["dashscope"].values())
    page = models[(number - 1) * size : number * size]
    output = {"total": len(models), "page_no": number, "page_size": size, "models": [_native(one) for one in page]}
    body = {"code": "", "message": "", "success": True, "request_id": call.request_id, "output": output}
    return json_reply(200, body)


def limits(call: Call) -> Reply:
    """`GET /api/v1/models/limits`: RPM and TPM of the key."""
    given = call.key.limits
    output = {"workspace_id": "ws-simulated", "limits": [{"model": "*", "rpm": given.rpm, "tpm": given.tpm}]}
    return json_reply(200, {"code": "", "success": True, "request_id": call.request_id, "output": output})


def permissions(call: Call) -> Reply:
    """`GET /api/v1/models/permissions`: what the key may call."""
    models = sorted(CATALOGUES["dashscope"] if call.key.models is None else call.key.models)
    output = {"models": models}
    return json_reply(200, {"code": "", "success": True, "request_id": call.request_id, "output": output})


def _items(call: Call) -> list[JsonObject]:
    models = CATALOGUES[call.face.catalogue].values()
    if call.face.kind == "vllm":
        return [_vllm(model) for model in models]
    if call.face.kind == "openrouter":
        return [_openrouter(model) for model in models]
    owner = "library" if call.face.kind == "ollama" else ""
    items = [_item(model.id, owner or model.owned_by) for model in models]
    if call.face.catalogue == "dashscope":
        items += [_item(name, "system") for name in OTHER_KINDS]
    return items


def _item(name: str, owner: str) -> JsonObject:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": owner}


def _vllm(model: Model) -> JsonObject:
    permission = {"id": "modelperm-simulated", "object": "model_permission", "allow_sampling": True}
    return {
        **_item(model.id, "vllm"),
        "root": model.id,
        "parent": None,
        "max_model_len": model.context,
        "permission": [permission],
    }


def _openrouter(model: Model) -> JsonObject:
    modalities = ["text", "image"] if model.has("vision") else ["text"]
    return {
        "id": model.id,
        "name": model.id,
        "created": _CREATED,
        "context_length": model.context,
        "architecture": {"input_modalities": modalities, "output_modalities": ["text"], "tokenizer": "Qwen3"},
        "pricing": {"prompt": "0.0000001", "completion": "0.0000004"},
        "top_provider": {"context_length": model.context, "max_completion_tokens": model.output},
        "supported_parameters": ["max_tokens", "temperature", "tools", "tool_choice", "reasoning"],
    }


def _native(model: Model) -> JsonObject:
    return {
        "model": model.id,
        "provider": "qwen" if model.id.startswith("qw") else "third-party",
        "context_window": model.context,
        "max_output_tokens": model.output,
        "tags": ["thinking"] if model.thinking != "never" else [],
    }


def _positive(text: str | None, usual: int) -> int:
    return int(text) if text and text.isdigit() and int(text) > 0 else usual
