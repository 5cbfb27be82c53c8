"""Tools of every age in one form."""

from typing import Any

import pytest

from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.openai.tools import chosen_name, freeform_function, tool_name
from tests.openai.asking import HELLO, call, tool


def test_functions_become_tools_and_the_call_a_choice() -> None:
    function = tool()["function"]

    parsed = call(functions=[function], function_call={"name": "look"})

    assert parsed.legacy_functions
    assert parsed.body["tools"] == [{"type": "function", "function": function}]
    assert parsed.body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert "functions" not in parsed.body
    assert "function_call" not in parsed.body


@pytest.mark.parametrize("word", ["none", "auto"])
def test_a_function_call_in_a_word_is_the_same_choice(word: str) -> None:
    assert call(functions=[tool()["function"]], function_call=word).body["tool_choice"] == word


def test_function_calls_in_the_history_become_tool_calls() -> None:
    asked = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    answered = {"role": "function", "name": "look", "content": "blue"}

    parsed = call(messages=[*HELLO, asked, answered])

    _, assistant, result = parsed.body["messages"]
    assert parsed.legacy_functions
    assert assistant["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert result == {"role": "tool", "tool_call_id": assistant["tool_calls"][0]["id"], "content": "blue"}
    assert "function_call" not in assistant


def test_a_legacy_history_does_not_make_a_client_of_tools_legacy() -> None:
    asked = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}

    assert not call(messages=[*HELLO, asked], tools=[tool()]).legacy_functions


def test_functions_and_tools_exclude_each_other() -> None:
    with pytest.raises(BadRequest) as refused:
        call(functions=[tool()["function"]], tools=[tool()])

    assert refused.value.param == "functions"


GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": 'start: "a"+'}}


def test_freeform_tools_become_functions_of_one_string() -> None:
    custom = {"type": "custom", "custom": {"name": "patch", "description": "Apply a patch.", "format": GRAMMAR}}

    parsed = call(tools=[custom], tool_choice={"type": "custom", "custom": {"name": "patch"}})

    (sent,) = parsed.body["tools"]
    assert parsed.custom_tools == {"patch"}
    assert sent["function"]["parameters"]["required"] == ["input"]
    assert 'start: "a"+' in sent["function"]["description"]
    assert parsed.body["tool_choice"] == {"type": "function", "function": {"name": "patch"}}
    assert [(notice.action, notice.param) for notice in parsed.notices] == [("emulated", "tools[0]")]


def test_freeform_calls_in_the_history_become_function_calls() -> None:
    made = {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": 'a "quoted" text'}}

    parsed = call(messages=[*HELLO, {"role": "assistant", "content": None, "tool_calls": [made]}])

    (sent,) = parsed.body["messages"][1]["tool_calls"]
    assert sent == {
        "id": "call_1",
        "type": "function",
        "function": {"name": "patch", "arguments": r'{"input":"a \"quoted\" text"}'},
    }


@pytest.mark.parametrize("custom", [None, {}, {"name": ""}])
def test_a_freeform_tool_needs_a_name(custom: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        call(tools=[{"type": "custom", "custom": custom}])

    assert refused.value.param == "tools[0].custom.name"


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_filter_the_list(mode: str) -> None:
    named = [{"type": "function", "function": {"name": "wait"}}]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}

    parsed = call(tools=[tool("look"), tool("wait")], tool_choice=choice)

    assert [tool_name(sent) for sent in parsed.body["tools"]] == ["wait"]
    assert parsed.body["tool_choice"] == mode
    assert [(notice.action, notice.param) for notice in parsed.notices] == [("emulated", "tool_choice")]


@pytest.mark.parametrize("tools", [None, 5, "look", {"name": "look"}])
def test_allowed_tools_that_are_no_list_are_refused(tools: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        call(tools=[tool()], tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}})

    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "missing"}},
        {"type": "function"},
        {"type": "function", "function": {"name": None}},
        "sometimes",
    ],
)
def test_a_choice_must_name_a_tool_that_is_there(choice: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        call(tools=[tool()], tool_choice=choice)

    assert refused.value.param == "tool_choice"


def test_required_needs_tools() -> None:
    with pytest.raises(BadRequest) as refused:
        call(tool_choice="required")

    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_other_choices_without_tools_mean_nothing(choice: str) -> None:
    assert "tool_choice" not in call(tool_choice=choice).body


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        call(tools=[tool(), tool()])

    assert refused.value.param == "tools[1]"


def test_names_are_found_in_every_form() -> None:
    assert chosen_name({"type": "function", "name": "a"}) == "a"
    assert chosen_name({"type": "custom", "custom": {"name": "b"}}) == "b"
    assert chosen_name({"type": "auto"}) == ""
    assert tool_name({"type": "web_search"}) == "web_search"


def test_a_flat_grammar_is_put_into_words_too() -> None:
    made = freeform_function("patch", {"format": {"type": "grammar", "syntax": "regex", "definition": "a+"}})

    assert "regex grammar:\na+" in made["function"]["description"]
