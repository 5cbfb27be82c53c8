"""The round-trip law: a chat call in the Responses API's words becomes the same chat call; an answer likewise."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Delta, Finish, Refusal, Text, Thought, ToolCall, Usage
from qwen_gateway.codec.json import loads
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_request import parse_chat
from qwen_gateway.openai.responses_request import ResponsesCall, parse_responses
from tests.openai.responding import SEAL, whole

type Node = dict[str, Any]

TOOL: Node = {
    "type": "function",
    "function": {"name": "look", "description": "Looks", "parameters": {"type": "object", "properties": {}}},
}
CUSTOM: Node = {"type": "custom", "custom": {"name": "patch", "description": "Patches", "format": {"type": "text"}}}
USER: Node = {"role": "user", "content": "Hi"}
ASKED: Node = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}},
        {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
    ],
}
ANSWERS: list[Node] = [
    {"role": "tool", "tool_call_id": "c2", "content": "two"},
    {"role": "tool", "tool_call_id": "c1", "content": "one"},
]
PATCHED: Node = {
    "role": "assistant",
    "content": "I patch.",
    "tool_calls": [{"id": "c3", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}],
}
SEEN: Node = {
    "role": "user",
    "content": [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
    ],
}
SCHEMA: Node = {"name": "city", "schema": {"type": "object"}, "strict": True, "description": "A city"}

CALLS: dict[str, Node] = {
    "text": {"messages": [USER]},
    "system first": {"messages": [{"role": "system", "content": "Be brief."}, USER]},
    "developer": {"messages": [{"role": "developer", "content": "Be brief."}, USER]},
    "history": {"messages": [USER, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "So?"}]},
    "thoughts": {"messages": [USER, {"role": "assistant", "content": "Hello", "reasoning_content": "Hm."}, USER]},
    "tools": {"messages": [USER, ASKED, *ANSWERS], "tools": [TOOL], "tool_choice": "required"},
    "two rounds": {"messages": [USER, ASKED, *ANSWERS, ASKED, *ANSWERS, USER], "tools": [TOOL]},
    "named tool": {
        "messages": [USER], "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
    },
    "freeform": {
        "messages": [USER, PATCHED, {"role": "tool", "tool_call_id": "c3", "content": "done"}], "tools": [CUSTOM, TOOL]
    },
    "pictures": {"messages": [SEEN]},
    "pictures of tools": {
        "messages": [USER, ASKED, ANSWERS[0], {**ANSWERS[1], "content": SEEN["content"]}], "tools": [TOOL]
    },
    "parameters": {
        "messages": [USER], "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 100, "reasoning_effort": "low",
        "verbosity": "low", "metadata": {"a": "b"}, "user": "u", "safety_identifier": "s", "prompt_cache_key": "k",
        "service_tier": "auto", "logprobs": True, "top_logprobs": 3, "stream": True, "top_k": 20,
    },
    "schema": {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    "json": {"messages": [USER], "response_format": {"type": "json_object"}},
}  # fmt: skip


def to_responses(chat: Node) -> Node:
    """A chat call in the Responses API's words, by a translation of the tests' own."""
    body: Node = {"model": chat["model"], "input": [item for message in chat["messages"] for item in to_items(message)]}
    names = {"max_completion_tokens": "max_output_tokens"}
    for name, value in chat.items():
        match name:
            case "model" | "messages" | "logprobs":
                pass
            case "tools":
                body["tools"] = [flat(tool) for tool in value]
            case "tool_choice":
                body["tool_choice"] = flat(value) if isinstance(value, dict) else value
            case "reasoning_effort":
                body["reasoning"] = {"effort": value}
            case "verbosity":
                body.setdefault("text", {})["verbosity"] = value
            case "response_format":
                inner = value.get("json_schema", {})
                body.setdefault("text", {})["format"] = {"type": value["type"], **inner}
            case _:
                body[names.get(name, name)] = value
    return body


def translated(chat: Node) -> ResponsesCall:
    parsed = parse_responses(json.dumps(to_responses(chat)).encode(), SEAL)
    assert isinstance(parsed, ResponsesCall)
    return parsed


def flat(tool: Node) -> Node:
    return {"type": tool["type"], **tool[tool["type"]]}


def to_items(message: Node) -> Iterable[Node]:
    if message["role"] == "tool":
        kind = "custom_tool_call_output" if message["tool_call_id"] == "c3" else "function_call_output"
        yield {"type": kind, "call_id": message["tool_call_id"], "output": to_content(message["content"], "input")}
        return
    if "reasoning_content" in message:
        text = {"type": "reasoning_text", "text": message["reasoning_content"]}
        yield {"type": "reasoning", "id": "rs_1", "summary": [], "content": [text]}
    if message["content"] is not None:
        side = "output" if message["role"] == "assistant" else "input"
        content = to_content(message["content"], side)
        yield {"type": "message", "role": message["role"], "content": content}
    for call in message.get("tool_calls", ()):
        kind = "custom_tool_call" if call["type"] == "custom" else "function_call"
        yield {"type": kind, "call_id": call["id"], **call[call["type"]]}


def to_content(content: Any, side: str) -> Any:
    if isinstance(content, str):
        return [{"type": f"{side}_text", "text": content}]
    return [
        {"type": f"{side}_text", "text": part["text"]}
        if part["type"] == "text"
        else {"type": "input_image", "image_url": part["image_url"]["url"], "detail": part["image_url"]["detail"]}
        for part in content
    ]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_the_same_by_either_way(name: str) -> None:
    chat = {"model": "gpt-5", **CALLS[name]}

    direct = parse_chat(json.dumps(chat).encode())
    around = translated(chat)

    assert around.body == direct.body
    for field in ("model", "stream", "choices", "custom_tools", "stickiness"):
        assert getattr(around, field) == getattr(direct, field)
    assert around.notices == direct.notices


COUNTED = Usage(17, 5, 22, {"cached_tokens": 4}, {"reasoning_tokens": 3})
GOLDEN: dict[str, list[Delta]] = {
    "text": [Text("Hi"), Text(" there"), Finish("stop"), COUNTED],
    "thoughts": [Thought("Hm"), Thought("."), Text("Hi"), Finish("stop"), COUNTED],
    "tools": [
        Text("Look: "), ToolCall(0, '{"at":', "c1", "look"), ToolCall(0, '"sky"}'), ToolCall(1, "{}", "c2", "look"),
        Finish("tool_calls"), COUNTED,
    ],
    "freeform": [ToolCall(0, '{"input":"*** x"}', "c1", "patch"), Finish("tool_calls"), COUNTED],
    "cut off": [Text("Hi"), Finish("length"), COUNTED],
    "filtered": [Text("Hi"), Finish("content_filter"), COUNTED],
    "refusal": [Refusal("I won't."), Finish("stop"), COUNTED],
}  # fmt: skip


def to_chat(response: Node) -> Node:
    """A response in chat's words: what is said, called and counted."""
    texts, refusals, thoughts, calls = [], [], [], []
    for item in response["output"]:
        match item["type"]:
            case "message":
                texts += [part["text"] for part in item["content"] if part["type"] == "output_text"]
                refusals += [part["refusal"] for part in item["content"] if part["type"] == "refusal"]
            case "reasoning":
                thoughts += [part["text"] for part in item["summary"]]
            case "function_call":
                function = {"name": item["name"], "arguments": item["arguments"]}
                calls.append({"id": item["call_id"], "type": "function", "function": function})
            case "custom_tool_call":
                custom = {"name": item["name"], "input": item["input"]}
                calls.append({"id": item["call_id"], "type": "custom", "custom": custom})
    reasons = {"max_output_tokens": "length", "content_filter": "content_filter"}
    cut = (response["incomplete_details"] or {}).get("reason")
    usage = response["usage"]
    return {
        "finish": reasons.get(cut) or ("tool_calls" if calls else "stop"),
        "text": "".join(texts), "refusal": "".join(refusals), "thoughts": "".join(thoughts), "calls": calls,
        "usage": (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]),
        "details": (
            usage["input_tokens_details"]["cached_tokens"], usage["output_tokens_details"]["reasoning_tokens"]
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_an_answer_says_the_same_by_either_way(name: str) -> None:
    chat = {"model": "gpt-5", "messages": [USER], "tools": [TOOL, CUSTOM]}
    direct = ChatObject(parse_chat(json.dumps(chat).encode()), Dress())
    direct.write(GOLDEN[name])
    answer = loads(direct.end())
    message, usage = answer["choices"][0]["message"], answer["usage"]

    around = to_chat(whole(translated(chat), GOLDEN[name]))

    assert around == {
        "finish": answer["choices"][0]["finish_reason"],
        "text": message["content"] or "",
        "refusal": message["refusal"] or "",
        "thoughts": message.get("reasoning_content", ""),
        "calls": message.get("tool_calls", []),
        "usage": (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]),
        "details": (
            usage["prompt_tokens_details"]["cached_tokens"], usage["completion_tokens_details"]["reasoning_tokens"]
        ),
    }  # fmt: skip
