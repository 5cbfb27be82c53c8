"""The validation texts of upstream.md 4.3."""

from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import CLOCK, HI, WEATHER, ask, error

# The first bytes of a PNG of one pixel: signature, and the header with the size.
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}


def image(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def said(*roles: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in roles]


FORCED = {"type": "function", "function": {"name": "get_time"}}
THINKING_CHOICE = "The tool_choice parameter does not support being set to required or object in thinking mode"

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 65_537}, "Range of max_tokens should be [1, 65536]"),
    ({"max_tokens": 0}, "Range of max_tokens should be [1, 65536]"),
    ({"model": "qwen-plus", "max_tokens": 32_769}, "Range of max_tokens should be [1, 32768]"),
    ({"model": "qwen-turbo", "max_tokens": 16_385}, "Range of max_tokens should be [1, 16384]"),
    ({"model": "glm-5", "max_tokens": 16_385}, "Range of max_tokens should be [1, 16384]"),
    ({"temperature": 2}, "Temperature should be in [0.0, 2.0)"),
    ({"temperature": "hot"}, "Temperature should be in [0.0, 2.0)"),
    ({"top_p": 0}, "Range of top_p should be (0.0, 1.0]"),
    ({"top_p": 1.1}, "Range of top_p should be (0.0, 1.0]"),
    ({"top_k": -1}, "Top_k be greater than or equal to 0"),
    ({"presence_penalty": 2.5}, "Presence_penalty should be in [-2.0, 2.0]"),
    ({"repetition_penalty": 0}, "Repetition_penalty should be greater than 0.0"),
    ({"n": 2}, "Range of n should be [1, 1]"),
    ({"model": "qwen-plus", "n": 5}, "Range of n should be [1, 4]"),
    ({"top_logprobs": 6}, "Range of top_logprobs should be [0, 5]"),
    ({"seed": -1}, "Range of seed should be [0, 9223372036854775807]"),
    ({"messages": []}, "[] is too short"),
    ({"messages": said(("developer", "x"))}, "'developer' is not one of"),
    ({"store": True}, "Unsupported parameter: 'store'"),
    (
        {"messages": said(("system", "Be brief."))},
        "The input messages do not contain elements with the role of user.",
    ),
    (
        {"response_format": {"type": "json_object"}},
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    ),
    (
        {
            "model": "qwen-plus",
            "enable_thinking": True,
            "response_format": {"type": "json_object"},
            "messages": said(("user", "JSON")),
        },
        "Json mode response is not supported when enable_thinking is true",
    ),
    (
        {"model": "qwen3-30b-a3b"},
        "parameter.enable_thinking must be set to false for non-streaming calls",
    ),
    (
        {"model": "qwq-plus"},
        "This model only support stream mode, please enable the stream parameter to access the model.",
    ),
    (
        {"model": "MiniMax-M2.5", "enable_thinking": False},
        "The value of the enable_thinking parameter is restricted to True.",
    ),
    (
        {"model": "MiniMax-M2.5", "reasoning_effort": "none"},
        "The value of the enable_thinking parameter is restricted to True.",
    ),
    (
        {"thinking_budget": 81_921},
        "The thinking_budget parameter must be a positive integer and not greater than 81920",
    ),
    ({"model": "kimi-k3", "thinking_budget": 10}, "The thinking_budget parameter is not supported"),
    ({"model": "glm-4.5", "reasoning_effort": "low"}, "The reasoning_effort parameter is not supported"),
    (
        {"model": "qwen3.8-max", "thinking_budget": 10, "reasoning_effort": "low"},
        "reasoning_effort and thinking_budget cannot be set at the same time.",
    ),
    ({"reasoning_effort": "extreme"}, "'extreme' is not one of"),
    ({"tools": [CLOCK], "tool_choice": "required"}, THINKING_CHOICE),
    ({"tools": [CLOCK], "tool_choice": FORCED}, THINKING_CHOICE),
    (
        {"tools": [CLOCK], "tool_choice": "any"},
        'tool_choice is one of the strings that should be ["none", "auto"]',
    ),
    (
        {"model": "qwen-plus", "tools": [CLOCK], "tool_choice": "required"},
        'tool_choice is one of the strings that should be ["none", "auto"]',
    ),
    ({"tools": []}, "[] is too short"),
    (
        {"tools": [{"type": "function", "function": {"name": "search"}}]},
        "Tool names are not allowed to be [search]",
    ),
    (
        {"messages": [*HI, {"role": "tool", "tool_call_id": "call_1", "content": "noon"}]},
        'Messages with role "tool" must be a response to a preceding message with "tool_calls"',
    ),
    (
        {"messages": [{"role": "assistant", "tool_calls": [CALL]}, *HI]},
        'An assistant message with "tool_calls" must be followed by tool messages',
    ),
    ({"model": "qwen3.7-max", "messages": image(PIXEL)}, "Unexpected item type in content."),
    ({"messages": image(PIXEL)}, "[height:1 or width:1 must be larger than 10]"),
    (
        {"messages": image("data:image/png;base64," + "A" * 10_485_760)},
        "Exceeded limit on max bytes per data-uri item",
    ),
    (
        {"model": "qwen-max", "messages": said(("user", [{"type": "text", "text": "x"}]))},
        "input content must be a string.",
    ),
    ({"messages": said(("user", 7))}, "input content must be a string."),
    ({"model": "qwen3-coder-plus", "enable_search": True}, "This model does not support enable_search."),
    ({"model": "qwen-max", "messages": said(("user", "word " * 31_000))}, "Range of input length should be [1, 30720]"),
    ({"model": None}, "you must provide a model parameter"),
    ({"messages": None}, "'messages' is a required property"),
    ({"messages": "hi"}, "'messages' must be an array"),
    ({"messages": ["hi"]}, "is not of type 'object' - 'messages.0'"),
    ({"messages": said(("user", None))}, "'content' is a required property - 'messages.0'"),
    ({"messages": said(("user", [{"type": "text"}]))}, "Unexpected item type in content."),
    ({"messages": said(("user", ["hi"]))}, "Unexpected item type in content."),
    ({"messages": [*HI, {"role": "assistant", "tool_calls": 7}]}, "'tool_calls' must be an array"),
    (
        {"messages": [*HI, {"role": "assistant", "tool_calls": [{**CALL, "function": {"arguments": "{"}}]}]},
        'The "function.arguments" parameter of the code model must be in JSON format.',
    ),
    ({"enable_thinking": "yes"}, "The enable_thinking parameter must be a boolean"),
    ({"tools": "all"}, "'tools' must be an array"),
    ({"tools": [{"type": "function"}]}, "'function' is a required property - 'tools.0'"),
    ({"tools": [{"function": {}}]}, "'name' is a required property - 'tools.0.function'"),
    (
        {"tools": [CLOCK], "tool_choice": {"function": {"name": "other"}}, "enable_thinking": False},
        "tool_choice names 'other', which is not one of the tools",
    ),
    ({"response_format": {"type": "xml"}}, "'xml' is not one of"),
    ({"response_format": {"type": "json_schema"}}, "'json_schema' is a required property"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
async def test_a_broken_rule_is_refused_in_its_words(
    sim: Simulator, client: httpx.AsyncClient, fields: dict[str, Any], message: str
) -> None:
    answer = await ask(sim, client, **fields)

    assert answer.status_code == 400
    assert message in error(answer)["message"]
    assert error(answer)["code"] == "invalid_parameter_error"
    assert error(answer)["type"] == "invalid_request_error"


async def test_rules_of_the_back_end_carry_its_prefix(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, top_p=7)

    assert error(answer)["message"].startswith("<400> InternalError.Algo.InvalidParameter: ")
    assert answer.json()["id"].startswith("chatcmpl-")


ALLOWED: list[dict[str, Any]] = [
    {"max_tokens": 65_536},
    {"model": "qwen3-30b-a3b", "enable_thinking": False},
    {"model": "qwen3-30b-a3b", "stream": True},
    {"reasoning_effort": "high", "thinking_budget": 100},
    {"model": "glm-5", "response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_object"}, "messages": said(("user", "json"))},
    {"tools": [CLOCK], "tool_choice": "required", "enable_thinking": False},
    {"messages": image("https://example.org/a.png")},
    {"model": "deepseek-v4", "messages": image(PIXEL)},
    {"messages": [*HI, {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}, *HI]},
    {"tools": [WEATHER], "tool_choice": "auto"},
]


@pytest.mark.parametrize("fields", ALLOWED)
async def test_what_keeps_the_rules_is_answered(
    sim: Simulator, client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    assert (await ask(sim, client, **fields)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({}, True),
        ({"enable_thinking": False}, False),
        ({"reasoning_effort": "none"}, False),
        ({"model": "qwen3.5-plus"}, True),
        ({"model": "qwen3.8-max"}, True),
        ({"model": "qwen3-vl-plus"}, False),
        ({"model": "qwen-plus"}, False),
        ({"model": "qwen-plus", "enable_thinking": True}, True),
        ({"model": "qwen3-coder-plus", "enable_thinking": True}, False),
    ],
)
async def test_thinking_is_on_by_default_for_the_newer_models(
    sim: Simulator, client: httpx.AsyncClient, fields: dict[str, Any], thinks: bool
) -> None:
    message = (await ask(sim, client, **fields)).json()["choices"][0]["message"]

    assert bool(message.get("reasoning_content")) is thinks


async def test_repetitive_tool_calls_are_refused(sim: Simulator, client: httpx.AsyncClient) -> None:
    turn = [{"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call_1", "content": "noon"}]
    answer = await ask(sim, client, messages=[*HI, *turn * 6])

    assert "Repetitive tool calls detected" in error(answer)["message"]


async def test_some_models_drop_array_content_without_tools(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = said(("user", [{"type": "text", "text": "hello"}]))
    dropped = (await ask(sim, client, model="glm-5", messages=messages)).json()
    kept = (await ask(sim, client, model="glm-5", messages=messages, tools=[CLOCK])).json()

    assert "hello" not in dropped["choices"][0]["message"]["content"]
    assert "hello" in kept["choices"][0]["message"]["content"]
