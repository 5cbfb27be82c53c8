"""Values that conform to a schema."""

from typing import Any

import pytest

from qwen_gateway.simulator.schema import conform

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]}
NODE = {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "anything"),
        (True, "anything"),
        ({"type": "object"}, {}),
        (OBJECT, {"a": "simulated a"}),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "simulated a"}),
        ({"type": "string", "minLength": 20}, "simulatedxxxxxxxxxxx"),
        ({"type": "string", "maxLength": 3}, "sim"),
        ({"type": "string", "format": "date"}, "2026-11-05"),
        ({"type": "string", "pattern": "^[0-9]{4}$"}, "1234"),
        ({"type": "string", "default": "x"}, "x"),
        ({"enum": ["x", "y"]}, "x"),
        ({"const": 7}, 7),
        ({"type": "integer", "minimum": 5, "multipleOf": 3}, 6),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "number", "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "uniqueItems": True}, [1, 1 + 0]),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": False}, [1, 2]),
        ({"anyOf": [{"type": "null"}, {"const": 2}]}, 2),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"const": 3}}}, 3),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"required": ["b"]}], "type": "object"},
            {"a": 1, "b": "anything"},
        ),
    ],
)
def test_a_value_conforms(schema: Any, value: Any) -> None:
    assert conform(schema) == value


def test_a_recursive_schema_ends() -> None:
    assert conform({"$ref": "#/$defs/node", "$defs": {"node": NODE}})


@pytest.mark.parametrize(
    ("prompt", "value"),
    [
        ("a=x b=2", {"a": "x", "b": 2}),
        ('a: "two words", b: 3', {"a": "two words", "b": 3}),
        ("b = many", {"a": "simulated a", "b": 1}),
    ],
)
def test_the_prompt_chooses(prompt: str, value: Any) -> None:
    assert conform(OBJECT, prompt) == value


def test_an_enum_is_found_in_the_prompt() -> None:
    assert conform({"type": "object", "properties": {"unit": {"enum": ["celsius", "kelvin"]}}}, "in Kelvin") == {
        "unit": "kelvin"
    }
