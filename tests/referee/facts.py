"""OpenAI's description, as a table of facts, and the walk that holds a value against it."""

import json
from pathlib import Path
from typing import Any

type Node = dict[str, Any]

TABLE: Node = json.loads(Path(__file__).with_name("facts.json").read_text())
SCHEMAS: dict[str, Node] = TABLE["schemas"]

TEXT_OR_NULL: Node = {"type": "string", "null": True}

# Keys that OpenAI does not know and we emit on purpose: schema -> key -> form. Everything else is a mistake.
EXTENSIONS: dict[str, dict[str, Node]] = {
    # What DeepSeek began, Qwen sends and Open WebUI, Roo and Cline read (openai-surface.md sections 2 and 4).
    "ChatCompletionResponseMessage": {"reasoning_content": TEXT_OR_NULL},
    # OpenAI's own streams carry the last two; its description has them for whole messages only.
    "ChatCompletionStreamResponseDelta": {
        "reasoning_content": TEXT_OR_NULL,
        "annotations": {"type": "array"},
        "audio": {"type": "object"},
    },
    # What upstreams tell of their models, by the names that OpenRouter and vLLM use (docs/reference/endpoints.md).
    "Model": {
        "context_length": {"type": "integer"},
        "max_model_len": {"type": "integer"},
        "max_completion_tokens": {"type": "integer"},
        "capabilities": {"type": "object"},
        "modalities": {"type": "array"},
    },
}

# Values that OpenAI sends although its description does not list them. Codex decides by these codes
# (openai-surface.md section 2: the rules of its parser), so a failed response may carry them.
UNLISTED: dict[str, list[str]] = {
    "ResponseErrorCode": ["context_length_exceeded", "insufficient_quota", "usage_not_included"],
}


def text_chunk() -> Node:
    """A chunk of a legacy completion: described by no schema, it is the object with `finish_reason: null`."""
    schema = json.loads(json.dumps(SCHEMAS["CreateCompletionResponse"]))
    schema["keys"]["choices"]["items"]["keys"]["finish_reason"]["null"] = True
    schema["keys"]["usage"]["null"] = True
    return schema


def stored_messages() -> Node:
    """The messages of a stored completion: described as those of answers, but OpenAI's own example has a user's."""
    schema = json.loads(json.dumps(SCHEMAS["ChatCompletionMessageList"]))
    schema["keys"]["data"]["items"]["keys"]["role"]["enum"] += ["user", "system", "developer", "tool"]
    return schema


# Objects that the description leaves out: the answer to DELETE /responses/{id} has no schema there, only an
# example, and the official libraries drop it.
WRITTEN_BY_HAND: dict[str, Node] = {
    "response.deleted": {
        "type": "object",
        "keys": {
            "id": {"type": "string"},
            "object": {"type": "string", "enum": ["response"]},
            "deleted": {"type": "boolean"},
        },
        "required": ["deleted", "id", "object"],
    },
    "text_completion.chunk": text_chunk(),
    "chat.completion.messages": stored_messages(),
}

KINDS: dict[str, Node] = {kind: {"ref": name} for kind, name in TABLE["kinds"].items()} | WRITTEN_BY_HAND


def complaints(value: Any, kind: str) -> list[str]:
    """What OpenAI's description holds against this value; nothing when it is what it says it is."""
    return walk(value, KINDS[kind], kind, "")


def walk(value: Any, node: Node, path: str, schema: str) -> list[str]:
    """Complaints about one value; `schema` is the name of the schema that `node` is the body of."""
    if value is None:
        return [] if allows_null(node) else [f"{path}: null is not allowed"]
    if "ref" in node:
        return walk(value, SCHEMAS[node["ref"]], path, node["ref"])
    if "any" in node:
        return walk_choice(value, node["any"], path)
    if not has_type(value, node.get("type")):
        return [f"{path}: {short(value)} is not of type {node['type']}"]
    if "enum" in node and value not in node["enum"] + UNLISTED.get(schema, []):
        return [f"{path}: {short(value)} is not one of {node['enum']}"]
    if isinstance(value, list) and "items" in node:
        return [c for i, item in enumerate(value) for c in walk(item, node["items"], f"{path}[{i}]", "")]
    if isinstance(value, dict):
        return walk_object(value, node, path, schema)
    return []


def walk_object(value: Node, node: Node, path: str, schema: str) -> list[str]:
    """Missing keys, unknown keys, and what is wrong within the known ones."""
    known = node.get("keys", {}) | EXTENSIONS.get(schema, {})
    found = [f"{path}: required key {key!r} is missing" for key in node.get("required", ()) if key not in value]
    for key, item in value.items():
        if key in known:
            found += walk(item, known[key], f"{path}.{key}", "")
        elif "open" in node:
            found += walk(item, node["open"], f"{path}.{key}", "") if node["open"] else []
        elif node.get("keys") is not None:
            found.append(f"{path}: key {key!r} is neither OpenAI's nor a documented extension")
    return found


def walk_choice(value: Any, choices: list[Node], path: str) -> list[str]:
    """A value fits a choice when one of its forms has nothing to complain about.

    When none fits, the complaints are those of the form it claims to be (its `type`, `object` or `role`).
    """
    verdicts = [walk(value, choice, path, "") for choice in choices]
    if [] in verdicts:
        return []
    claims = [v for v, choice in zip(verdicts, choices, strict=True) if claims_to_be(value, choice)]
    if claims:
        return min(claims, key=len)
    kind = value.get("type") if isinstance(value, dict) else value
    return [f"{path}: {short(kind)} fits none of {len(choices)} forms; closest: {min(verdicts, key=len)[0]}"]


def claims_to_be(value: Any, choice: Node) -> bool:
    """Whether every constant of this form is what the value carries."""
    while "ref" in choice:
        choice = SCHEMAS[choice["ref"]]
    if "any" in choice:
        return any(claims_to_be(value, inner) for inner in choice["any"])
    if not isinstance(value, dict) or choice.get("type") != "object":
        return False
    constants = {key: form["enum"] for key, form in choice.get("keys", {}).items() if len(form.get("enum", ())) == 1}
    return bool(constants) and all(value.get(key) in only for key, only in constants.items() if key in value)


def allows_null(node: Node) -> bool:
    """Whether null is among the values of this form."""
    if not node or node.get("null"):
        return True
    if "ref" in node:
        return allows_null(SCHEMAS[node["ref"]])
    return any(map(allows_null, node.get("any", ())))


def has_type(value: Any, name: str | None) -> bool:
    """JSON Schema's types, with two hardenings: true is no integer, and neither is 1.0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        None: True,
        "null": value is None,
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": number and isinstance(value, int),
        "number": number,
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[name]


def short(value: Any) -> str:
    """A value, small enough for a message."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."
