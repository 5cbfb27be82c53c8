"""Calls as they are parsed: names, types and ranges of OpenAI's description, and errors that name the place."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.openai.chat_request import parse_chat
from qwen_gateway.openai.errors import BadRequest
from tests import referee
from tests.openai.asking import HELLO, call, tool


def test_a_call_is_taken_apart() -> None:
    parsed = call(
        stream=True,
        stream_options={"include_usage": True},
        n=2,
        prompt_cache_key="thread-7",
        temperature=0.5,
        seed=None,
    )

    assert (parsed.model, parsed.stream, parsed.include_usage, parsed.choices) == ("gpt-4o", True, True, 2)
    assert parsed.stickiness == "thread-7"
    assert parsed.body == {"messages": HELLO, "prompt_cache_key": "thread-7", "temperature": 0.5}


def test_usage_is_asked_for_in_streams_only() -> None:
    assert call(stream=False, stream_options={"include_usage": True}).include_usage is False


def test_other_stream_options_stay_for_the_policy_to_see() -> None:
    parsed = call(stream=True, stream_options={"include_usage": False, "include_obfuscation": True})

    assert parsed.body["stream_options"] == {"include_obfuscation": True}


def test_unknown_fields_stay_for_the_policy_to_see() -> None:
    assert call(top_k=20, telepathy=True).body.items() >= {"top_k": 20, "telepathy": True}.items()


def test_blanks_around_a_model_do_not_matter() -> None:
    assert call(model=" qwen3.7-plus ").model == "qwen3.7-plus"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"  ", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'"text"', "invalid_json"),
        (b"null", "invalid_json"),
        (b'{"model":"\xff"}', "invalid_json"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_chat(data)

    assert (refused.value.status, refused.value.code) == (400, code)
    referee.assert_valid(refused.value.body(), "error")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "invalid_type"),
        ({"model": ""}, "model", "invalid_value"),
        ({"model": "   "}, "model", "invalid_value"),
        ({"model": "x" * 257}, "model", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": ["Hi"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "king", "content": "Hi"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [*HELLO, {"role": "user", "content": 7}]}, "messages[1].content", "invalid_type"),
        (
            {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
            "messages[0].content[0].type",
            "missing_required_parameter",
        ),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_p": -0.1}, "top_p", "invalid_value"),
        ({"presence_penalty": 2.5}, "presence_penalty", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"n": 5}, "n", "invalid_value"),
        ({"n": 129}, "n", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens", "invalid_type"),
        ({"top_logprobs": 21}, "top_logprobs", "invalid_value"),
        ({"stop": [1]}, "stop[0]", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage", "invalid_type"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"response_format": {}}, "response_format.type", "missing_required_parameter"),
        ({"tools": [{"function": {"name": "x"}}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "missing_required_parameter"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        ({"logit_bias": {"1": "x"}}, "logit_bias[...]", "invalid_type"),
        ({"thinking_budget": 0}, "thinking_budget", "invalid_value"),
        ({"input": "Hi", "messages": None}, "messages", "invalid_type"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        call(**fields)

    assert (refused.value.param, refused.value.code) == (param, code)
    assert refused.value.status == 400
    referee.assert_valid(refused.value.body(), "error")


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_named(missing: str) -> None:
    body = {"model": "gpt-4o", "messages": HELLO}
    del body[missing]

    with pytest.raises(BadRequest) as refused:
        parse_chat(json.dumps(body).encode())

    assert (refused.value.param, refused.value.code) == (missing, "missing_required_parameter")


def test_four_answers_are_the_most() -> None:
    assert call(n=4).choices == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "function", "custom", "tools", "allowed_tools", "content", "role", "text"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = ("messages", "tools", "tool_choice", "functions", "function_call", "n", "stop", "stream_options", "model")


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_hostile_fields_end_in_a_bad_request_or_a_call(fields: dict[str, Any]) -> None:
    with suppress(BadRequest):
        call(**fields)


TOOLS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function", "custom", "allowed_tools", "web_search"])},
        optional={
            "function": st.fixed_dictionaries(
                {"name": st.sampled_from(["look", "wait"])}, optional={"strict": st.none()}
            ),
            "custom": JSON.filter(lambda value: isinstance(value, dict)),
            "name": JSON,
        },
    ),
    max_size=4,
)
CHOICE = st.sampled_from(["none", "auto", "required", "?"]) | st.fixed_dictionaries(
    {"type": st.sampled_from(["function", "custom", "allowed_tools"])},
    optional={"function": JSON, "custom": JSON, "allowed_tools": JSON, "name": JSON, "tools": JSON, "mode": JSON},
)


@given(tools=TOOLS, choice=CHOICE)
def test_hostile_tools_end_in_a_bad_request_or_a_call(tools: list[Any], choice: Any) -> None:
    with suppress(BadRequest):
        call(tools=tools, tool_choice=choice)


@given(st.binary(max_size=200))
def test_hostile_bytes_end_in_a_bad_request(data: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_chat(data)


def test_tools_of_no_use_are_left_out() -> None:
    parsed = call(tools=[], parallel_tool_calls=False)

    assert not parsed.body.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_legacy_functions_are_told() -> None:
    assert call(functions=[tool()["function"]]).legacy_functions
