"""Arguments: coerced, checked, mended; and schemas of every kind survive."""

import json
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_gateway.upstreams.tool_prompt.arguments import mend, settle_json, settle_tags
from qwen_gateway.upstreams.tool_prompt.history import render_call
from qwen_gateway.upstreams.tool_prompt.toolbox import Tool
from tests.upstreams.tool_prompt.boxes import PLAN, box, hear
from tests.upstreams.tool_prompt.forty import ARGUMENTS, FORTY


def tool(required: tuple[str, ...] = (), **properties: Any) -> Tool:
    return Tool("t", schema={"type": "object", "properties": properties, "required": list(required)})


def settled(schema: Any, value: Any) -> Any:
    made = settle_json(tool(x=schema), {"x": value})
    assert made.problem is None, made
    return json.loads(made.arguments).get("x")


@pytest.mark.parametrize(
    ("schema", "value", "made"),
    [
        ({"type": "integer"}, "42", 42),
        ({"type": "integer"}, " -7 ", -7),
        ({"type": "integer"}, 3.0, 3),
        ({"type": "number"}, "1.5e3", 1500.0),
        ({"type": "number"}, "2", 2),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, 0, False),
        ({"type": "string"}, 12, "12"),
        ({"type": "string"}, {"a": 1}, '{"a":1}'),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
        ({"type": "array", "items": {"type": "integer"}}, ["1", "2"], [1, 2]),
        ({"type": "array", "items": {"type": "string"}}, "a", ["a"]),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, '{"n": "1"}', {"n": 1}),
        ({"enum": ["Alpha", "beta"]}, "ALPHA", "Alpha"),
        ({"enum": [1, 2]}, "2", 2),
        ({"const": "x"}, "X", "x"),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": ["string", "integer"]}, "7", "7"),
        ({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}, "7", 7),
        ({"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]}, {"type": "string"}]}, "s", "s"),
        ({"allOf": [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": {"type": "boolean"}}}]},
         {"a": "1", "b": "false"}, {"a": 1, "b": False}),
        ({"$ref": "#/properties/x/definitions/n", "definitions": {"n": {"type": "integer"}}}, "5", 5),
        ({}, "anything", "anything"),
        (True, [1], [1]),
    ],
)  # fmt: skip
def test_coercion(schema: Any, value: Any, made: Any) -> None:
    assert settled(schema, value) == made


@pytest.mark.parametrize(
    ("schema", "text", "made"),
    [
        ({"type": "integer"}, "\n42\n", 42),
        ({"type": "string"}, "true", "true"),
        ({"type": "string"}, "007", "007"),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": ["string", "integer"]}, "12", 12),
        ({"type": "array", "items": {"type": "string"}}, "a, b", ["a", "b"]),
        ({"type": "array", "items": {"type": "string"}}, "- a\n- b, c", ["a", "b, c"]),
        ({"type": "array", "items": {"type": "string"}}, "<item>a</item><item>b</item>", ["a", "b"]),
        (
            {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string"}}}},
            "<p>a</p>",
            [{"p": "a"}],
        ),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, "<n>1</n>", {"n": 1}),
        ({"type": "object"}, "<n>1</n>", {"n": 1}),
        ({"type": "string"}, "<n>1</n>", "<n>1</n>"),
        ({}, "1.50", 1.5),
        ({}, "007", "007"),
        ({}, "[1]", [1]),
        ({}, "plain", "plain"),
    ],
)
def test_values_between_tags(schema: Any, text: str, made: Any) -> None:
    found = settle_tags(tool(x=schema), [("x", text)])
    assert found.problem is None, found
    assert json.loads(found.arguments)["x"] == made


def test_a_parameter_given_twice_is_a_list() -> None:
    many = tool(paths={"type": "array", "items": {"type": "string"}})
    assert json.loads(settle_tags(many, [("paths", "a"), ("paths", "b")]).arguments) == {"paths": ["a", "b"]}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "the value: 'x' is a required property"),
        ({"x": "much"}, "x: 'much' is not of type 'integer'"),
        ({"x": 0}, "x: 0 is less than the minimum of 1"),
    ],
)
def test_what_cannot_be_mended_is_told(value: Any, problem: str) -> None:
    made = settle_json(tool(("x",), x={"type": "integer", "minimum": 1}, y={"type": "string"}), value)
    assert made.problem == problem
    assert isinstance(json.loads(made.arguments), dict)


def test_a_bare_value_is_the_one_argument() -> None:
    assert json.loads(settle_json(tool(("x",), x={"type": "string"}), "ls").arguments) == {"x": "ls"}
    assert json.loads(settle_json(tool(("x",), x={"type": "string"}), '"ls"').arguments) == {"x": "ls"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": []},
        {"properties": {"x": {"$ref": "#"}}},
        {"properties": {"x": {"$ref": "#/properties/x"}}},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"required": "x", "properties": {"x": {"enum": []}}},
        {"properties": {"x": {"type": "string", "pattern": "("}}},
        {"$schema": "https://example.org/none", "properties": {"x": {"type": 7}}},
        {"properties": {"x": {"items": [1, 2], "type": "array", "prefixItems": 3}}},
    ],
)
@pytest.mark.parametrize("value", [{"x": "1"}, {"x": {"x": {"x": [1]}}}, [], "x", None])
def test_no_schema_breaks_it(schema: dict[str, Any], value: Any) -> None:
    assert isinstance(json.loads(settle_json(Tool("t", schema=schema), value).arguments), dict)
    assert isinstance(json.loads(settle_tags(Tool("t", schema=schema), [("x", "<a>1</a>")]).arguments), dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_value_gives_an_object(value: Any) -> None:
    for name in ("update_plan", "read_file"):
        assert isinstance(json.loads(settle_json(box().tools[name], value).arguments), dict)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_mending_never_breaks(text: str) -> None:
    made, well = mend("{" + text)
    assert well or made in (None, "")


@pytest.mark.parametrize("convention", ["json", "xml"])
@pytest.mark.parametrize("name", [FORTY[0]["function"]["name"], FORTY[-1]["function"]["name"]])
def test_what_is_rendered_is_read_back(convention: Any, name: str) -> None:
    """The round trip: a call of the history, written by the model again, is the same call."""
    text = render_call(name, json.dumps(ARGUMENTS), convention)
    for pieces in ([text], list(text)):
        heard = hear(pieces, box(FORTY))
        assert json.loads(heard.settled.arguments) == ARGUMENTS
        assert heard.settled.problem is None
        assert heard.said == ""


STRINGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=40).filter(
    lambda text: text == text.strip() and "<" not in text and "&" not in text
)


@given(
    st.lists(st.fixed_dictionaries({"title": STRINGS, "done": st.booleans(), "tags": st.lists(STRINGS)}), min_size=1)
)
@settings(max_examples=100, deadline=None)
def test_any_plan_survives_the_round_trip(todos: list[dict[str, Any]]) -> None:
    arguments = {"todos": todos}
    for convention in ("json", "xml"):
        heard = hear([render_call("update_plan", arguments, convention)], box([PLAN]))  # type: ignore[arg-type]
        assert json.loads(heard.settled.arguments) == arguments


def test_nothing_is_fetched_for_a_schema() -> None:
    asked: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for schema in ({"$ref": url}, {"properties": {"x": {"$ref": url}}}, {"$schema": url, "type": "object"}):
            assert settle_json(Tool("t", schema=schema), {"x": 1}).arguments == '{"x":1}'
        try:
            asked.append(server.accept())
        except TimeoutError:
            pass
    assert asked == []
