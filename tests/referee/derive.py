"""Derive `facts.json` from OpenAI's own OpenAPI description.

    python tests/referee/derive.py path/to/openapi.yaml

Only facts are kept, and only of what a gateway emits: which keys an object has, which of them are required,
their types, enumerations and nullability. Descriptions, defaults and limits are left out. The committed tests
read the table; nobody needs the description itself to run them.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FACTS = Path(__file__).with_name("facts.json")

# kind of object -> the schema that describes it. Where a schema is only written inline, its path is given.
ROOTS = {
    "chat.completion": "CreateChatCompletionResponse",
    "chat.completion.chunk": "CreateChatCompletionStreamResponse",
    "chat.completion.list": "ChatCompletionList",
    "chat.completion.messages": "ChatCompletionMessageList",
    "chat.completion.deleted": "ChatCompletionDeleted",
    "text_completion": "CreateCompletionResponse",
    "model": "Model",
    "models": "ListModelsResponse",
    "embeddings": "CreateEmbeddingResponse",
    "error": "ErrorResponse",
    "response": "Response",
    "response.event": "ResponseStreamEvent",
    "response.item": "OutputItem",
    "response.items": "ResponseItemList",
    "response.compaction": "CompactResource",
    "response.input_tokens": "TokenCountsResource",
    "conversation": "ConversationResource",
    "conversation.deleted": "DeletedConversationResource",
    "conversation.item": "ConversationItem",
    "conversation.items": "ConversationItemList",
}

type Node = dict[str, Any]


def reduce(schema: Node, schemas: dict[str, Node]) -> Node:
    """One schema, without what is not a checkable fact."""
    nullable = bool(schema.get("nullable"))
    if "$ref" in schema:
        node: Node = {"ref": schema["$ref"].rpartition("/")[2]}
    elif "allOf" in schema:
        node = merge([reduce(part, schemas) for part in [*schema["allOf"], own_part(schema)]], schemas)
    elif choices := schema.get("anyOf") or schema.get("oneOf"):
        nullable = nullable or {"type": "null"} in choices
        reduced = [reduce(choice, schemas) for choice in choices if choice != {"type": "null"}]
        node = reduced[0] if len(reduced) == 1 else {"any": reduced}
    else:
        node = reduce_plain(schema, schemas)
    if isinstance(schema.get("type"), list):
        nullable = nullable or "null" in schema["type"]
    return {**node, "null": True} if nullable else node


def own_part(schema: Node) -> Node:
    """What a schema says beside its `allOf`."""
    return {key: schema[key] for key in ("type", "properties", "required") if key in schema}


def reduce_plain(schema: Node, schemas: dict[str, Node]) -> Node:
    """A schema that is neither a reference nor a combination."""
    types = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(types, list):
        types = [name for name in types if name != "null"]
        types = types[0] if len(types) == 1 else types
    if isinstance(types, list):
        return {"any": [{"type": name} for name in types]}
    node: Node = {"type": types} if types else {}
    if "enum" in schema:
        node["enum"] = [value for value in schema["enum"] if value is not None]
    elif "const" in schema:
        node["enum"] = [schema["const"]]
    if types == "array" and "items" in schema:
        node["items"] = reduce(schema["items"], schemas)
    if types == "object":
        node.update(reduce_object(schema, schemas))
    return node


def reduce_object(schema: Node, schemas: dict[str, Node]) -> Node:
    """Keys of an object. `open` marks a free map, with the form of its values when that is known."""
    more = schema.get("additionalProperties", "properties" not in schema)
    node: Node = {}
    if "properties" in schema:
        node["keys"] = {name: reduce(value, schemas) for name, value in schema["properties"].items()}
        node["required"] = sorted(schema.get("required", []))
    if more:
        node["open"] = reduce(more, schemas) if isinstance(more, dict) else {}
    return node


def merge(parts: list[Node], schemas: dict[str, Node]) -> Node:
    """The object that fulfils every part of an `allOf`."""
    if len(named := [part for part in parts if part]) == 1:
        return named[0]
    whole: Node = {"type": "object", "keys": {}, "required": []}
    for part in named:
        while "ref" in part:
            part = reduce(schemas[part["ref"]], schemas)  # noqa: PLW2901 - a chain of references
        if "any" in part:
            msg = f"cannot merge a choice into an object: {part}"
            raise ValueError(msg)
        whole["keys"].update(part.get("keys", {}))
        whole["required"] = sorted({*whole["required"], *part.get("required", [])})
    return whole


def references(node: Any) -> set[str]:
    """Names of the schemas that a node mentions."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["ref"]} if isinstance(node.get("ref"), str) else set()
    return own.union(*map(references, node.values()))


def derive(description: Node, roots: dict[str, str] = ROOTS) -> Node:
    """The whole table: kinds, and every schema that they reach."""
    schemas = description["components"]["schemas"]
    table: dict[str, Node] = {}
    wanted = set(roots.values())
    while wanted:
        for name in wanted:
            table[name] = reduce(schemas[name], schemas)
        wanted = references(list(table.values())) - table.keys()
    version = description["info"]["version"]
    return {"version": version, "kinds": roots, "schemas": dict(sorted(table.items()))}


def write(table: Node, path: Path = FACTS) -> None:
    """One schema per line: small, and a change of the description reads well as a diff."""
    lines = [f" {json.dumps(name)}: {json.dumps(node)}" for name, node in table["schemas"].items()]
    head = f'{{"version": {json.dumps(table["version"])},\n"kinds": {json.dumps(table["kinds"])},\n'
    path.write_text(head + '"schemas": {\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    write(derive(YAML(typ="safe").load(Path(sys.argv[1]))))
