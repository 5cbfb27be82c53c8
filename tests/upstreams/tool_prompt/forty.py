"""Forty tools with nested schemas, as an agent with several MCP servers offers them."""

from typing import Any

VERBS = ("create", "update", "search", "delete", "list", "merge", "review", "close")
THINGS = ("issue", "pull_request", "event", "invoice", "customer")


def _schema(verb: str, thing: str) -> dict[str, Any]:
    person = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Full name"},
            "email": {"type": "string", "format": "email"},
            "roles": {"type": "array", "items": {"type": "string", "enum": ["owner", "editor", "viewer"]}},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    label = {
        "anyOf": [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}]
    }
    filters = {
        "type": "object",
        "description": f"Which {thing} is meant",
        "properties": {
            "state": {"type": "string", "enum": ["open", "closed", "all"], "default": "open"},
            "since": {"type": ["string", "null"], "format": "date-time"},
            "range": {
                "type": "object",
                "properties": {"from": {"type": "number"}, "to": {"type": "number"}, "exact": {"type": "boolean"}},
            },
            "nested": {"$ref": "#/$defs/filters"},
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "target": {"type": "string", "description": f"The {thing}'s path, as owner/name/number", "minLength": 1},
            "people": {"type": "array", "items": {"$ref": "#/$defs/person"}, "description": "Everybody concerned"},
            "labels": {"type": "array", "items": label, "maxItems": 20},
            "filters": {"$ref": "#/$defs/filters"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            "dry_run": {"type": "boolean", "description": f"Only say what {verb} would do"},
            "body": {"type": "string", "description": "Markdown text"},
            "fields": {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        },
        "required": ["target", "people"],
        "additionalProperties": False,
        "$defs": {"person": person, "filters": filters},
    }


FORTY: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": f"{verb}_{thing}",
            "description": f"{verb.capitalize()} a {thing.replace('_', ' ')} of the workspace, with everybody concerned.",
            "parameters": _schema(verb, thing),
            "strict": False,
        },
    }
    for thing in THINGS
    for verb in VERBS
]

ARGUMENTS: dict[str, Any] = {
    "target": "acme/site/7",
    "people": [{"name": 'Ann <a> & "B"', "email": "ann@example.org", "roles": ["owner", "viewer"]}, {"name": "Bo"}],
    "labels": ["bug", {"id": 3}],
    "filters": {"state": "all", "since": None, "range": {"from": 1.5, "exact": True}, "nested": {"state": "open"}},
    "limit": 5,
    "dry_run": False,
    "body": '# Title\n\n```py\nif a < b:\n    print("</tool_call>")\n```\n',
    "fields": {"a": 1, "b": "two"},
}
"""Arguments for any of them, with everything that is hard to write."""
