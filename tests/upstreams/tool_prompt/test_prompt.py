"""What the model is told of tools, and of its earlier calls."""

from typing import Any

import pytest

from qwen_gateway.codec.json import dumps
from qwen_gateway.upstreams.tool_prompt import instructions, render_history
from qwen_gateway.upstreams.tool_prompt.history import NO_OUTPUT
from qwen_gateway.upstreams.tool_prompt.signatures import Signatures
from qwen_gateway.upstreams.tool_prompt.toolbox import toolbox_of
from tests.upstreams.tool_prompt.boxes import PLAN, ROO, box
from tests.upstreams.tool_prompt.forty import FORTY


def test_the_json_convention() -> None:
    said = instructions(box(ROO), "json")
    assert '<tool_call>\n{"name": "NAME", "arguments": {…}}\n</tool_call>' in said
    assert (
        "## read_file\nRead the contents of a file.\n{\n  path: string  // The file's path\n  start_line?: integer\n}"
        in said
    )
    assert "You may make several calls" in said
    assert "answer in plain text" in said


def test_seed_b_s_convention() -> None:
    said = instructions(box(ROO), "xml")
    assert said.startswith("# TOOL USE")
    assert (
        "## read_file\nDescription: Read the contents of a file.\nParameters:\n- path: (required) string - The file's path\n"
        "- start_line: (optional) integer\nUsage:\n<read_file>\n<path>value</path>\n<start_line>value</start_line>\n</read_file>"
        in said
    )
    assert "one call at most" in said


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"const": True}, "true"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, '("a" | "b")[]'),
        ({"type": "array"}, "any[]"),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}, "[string, number]"),
        ({"type": "object"}, "object"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "{[key: string]: number}"),
        ({"properties": {"a-b": {"type": "string"}}, "required": ["a-b"]}, '{"a-b": string}'),
        ({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}, "{a?: integer /* min 1 */}"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "string | string[]"),
        ({"allOf": [{"properties": {"a": {}}}], "properties": {"b": {}}}, "{a?: any} & {b?: any}"),
        ({}, "any"),
        (True, "any"),
        ({"$ref": "elsewhere.json"}, "json"),
    ],
)
def test_types(schema: Any, written: str) -> None:
    if schema == {"$ref": "elsewhere.json"}:
        written = "elsewhere.json"
    assert Signatures({}).write(schema) == written


def test_a_type_may_refer_to_itself() -> None:
    types = Signatures(PLAN["function"]["parameters"])
    assert types.write(PLAN["function"]["parameters"]["properties"]["todos"]) == "todo[]"
    assert types.named == ["type todo = {title: string, done?: boolean, tags?: string[], children?: todo[]}"]


def test_forty_nested_tools_are_told_in_less_than_their_json() -> None:
    sent = len(dumps(FORTY))
    assert len(instructions(box(FORTY), "json").encode()) < 0.6 * sent
    assert len(instructions(box(FORTY), "xml").encode()) < 0.8 * sent
    assert all(f"## {tool['function']['name']}\n" in instructions(box(FORTY), "json") for tool in FORTY)


def test_choices() -> None:
    named = {"type": "function", "function": {"name": "list_files"}}
    assert instructions(box(tool_choice="none"), "json") == ""
    assert "You must call a tool now" in instructions(box(tool_choice="required"), "json")
    one = instructions(box(tool_choice=named), "json")
    assert "You must call the tool list_files now" in one
    assert "read_file" not in one
    assert "one call at most" in instructions(box(parallel_tool_calls=False), "json")


@pytest.mark.parametrize("body", [{}, {"tools": []}, {"tools": [{"type": "web_search"}]}])
def test_without_functions_there_is_no_toolbox(body: dict[str, Any]) -> None:
    assert toolbox_of(body) is None


def call(number: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


HISTORY: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Read it"},
    {
        "role": "assistant",
        "content": "I read.",
        "tool_calls": [call("c1", "read_file", '{"path":"a","start_line":3}'), call("c2", "get_time", "")],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "one\ntwo</tool_response>"},
    {"role": "tool", "tool_call_id": "c2", "content": ""},
    {"role": "user", "content": "Go on"},
]


def test_history_in_the_json_convention() -> None:
    rendered = render_history(HISTORY, "json")
    assert rendered[2:] == [
        {
            "role": "assistant",
            "content": "I read.\n<tool_call>\n"
            '{"name":"read_file","arguments":{"path":"a","start_line":3}}\n</tool_call>\n'
            '<tool_call>\n{"name":"get_time","arguments":{}}\n</tool_call>',
        },
        {
            "role": "user",
            "content": '<tool_response tool_call_id="c1" name="read_file">\none\ntwo<\\/tool_response>\n</tool_response>\n\n'
            f'<tool_response tool_call_id="c2" name="get_time">\n{NO_OUTPUT}\n</tool_response>\n\nGo on',
        },
    ]
    assert HISTORY[2]["tool_calls"]


def test_history_in_seed_b_s_convention() -> None:
    rendered = render_history(HISTORY, "xml")
    assert rendered[2]["content"] == (
        "I read.\n<read_file>\n<path>a</path>\n<start_line>3</start_line>\n</read_file>\n<get_time>\n</get_time>"
    )
    assert rendered[3]["content"] == (
        f"Tool Result from read_file:\none\ntwo</tool_response>\n\nTool Result from get_time:\n{NO_OUTPUT}\n\nGo on"
    )


def test_pictures_of_a_result_stay_parts() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    rendered = render_history(
        [{"role": "tool", "tool_call_id": "c", "content": "see"}, {"role": "user", "content": [picture]}], "json"
    )
    assert [message["role"] for message in rendered] == ["user"]
    assert rendered[0]["content"][1] == picture


def test_a_history_without_tools_stays_as_it_is() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "b"},
    ]
    assert render_history(messages, "json") == messages
