"""Calls in text between an upstream's bytes and the client's deltas."""

import json
from itertools import count
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Delta, Fault, Finish, Text, ToolCall
from qwen_gateway.upstreams.decoders import ChatAnswer
from qwen_gateway.upstreams.stages import Staged
from qwen_gateway.upstreams.tool_prompt import CallsInText
from tests.upstreams.tool_prompt.boxes import box

READ = '<tool_call>\n{"name": "read_file", "arguments": {"path": "a"}}\n</tool_call>'


def chunk(content: str | None = None, finish: str | None = None, **delta: Any) -> bytes:
    delta = {**({"content": content} if content is not None else {}), **delta}
    return (
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"
    )


def decode(*chunks: bytes, done: bool = True, tags: bool = True) -> list[Delta]:
    numbers = count(1)
    decoder = Staged(ChatAnswer(), [CallsInText(box(), tags=tags, mint=lambda: f"call_{next(numbers)}")])
    sent = [*chunks, b"data: [DONE]\n\n"] if done else chunks
    return [delta for piece in sent for delta in decoder.feed(piece)][1:] + decoder.close()


def test_a_call_is_named_first_and_given_whole() -> None:
    assert decode(chunk("Look:\n"), chunk(READ[:40]), chunk(READ[40:]), chunk(finish="stop")) == [
        Text("Look:"),
        ToolCall(0, "", "call_1", "read_file"),
        ToolCall(0, '{"path":"a"}'),
        Finish("stop"),
    ]


def test_several_calls_are_numbered() -> None:
    deltas = decode(chunk(READ + READ), chunk(finish="stop"))
    assert [(delta.index, delta.id) for delta in deltas if isinstance(delta, ToolCall)] == [
        (0, "call_1"), (0, None), (1, "call_2"), (1, None),
    ]  # fmt: skip


def test_native_calls_pass_beside_them() -> None:
    native = [{"index": 0, "id": "n", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}]
    deltas = decode(chunk(tool_calls=native), chunk(READ), chunk(finish="tool_calls"))
    assert [(delta.index, delta.name) for delta in deltas if isinstance(delta, ToolCall)] == [
        (0, "get_time"), (1, "read_file"), (1, None),
    ]  # fmt: skip


def test_a_call_that_is_broken_off_is_a_fault() -> None:
    (*_, fault) = decode(chunk('<tool_call>\n{"name": "read_file", "arguments": {"path": "a'), chunk(finish="stop"))
    assert isinstance(fault, Fault)
    assert fault.code == "malformed_tool_call"


@pytest.mark.parametrize("text", ["<tool_call>", '<tool_call>\n{"na', "<read_file>\n<path>a"])
def test_so_is_one_that_hardly_began(text: str) -> None:
    faults = [delta for delta in decode(chunk(text), chunk(finish="stop")) if isinstance(delta, Fault)]
    assert len(faults) == 1


def test_at_the_limit_the_finish_reason_tells() -> None:
    deltas = decode(chunk('<tool_call>\n{"name": "read_file", "arguments": {"path": "a'), chunk(finish="length"))
    arguments = "".join(delta.arguments for delta in deltas if isinstance(delta, ToolCall))
    assert isinstance(json.loads(arguments), dict)
    assert deltas[-1] == Finish("length")
    assert decode(chunk("Hi <tool_c"), chunk(finish="length")) == [Text("Hi"), Text(" "), Finish("length")]


def test_a_stream_without_an_end_is_read_to_its_end() -> None:
    deltas = decode(chunk(READ), done=False)
    assert isinstance(deltas[-1], Fault)
    assert deltas[-1].origin == "cut"


def test_tags_of_names_are_prose_where_tools_are_native() -> None:
    text = "<read_file>\n<path>a</path>\n</read_file>"
    assert decode(chunk(text), chunk(finish="stop"), tags=False) == [Text(text), Finish("stop")]
    assert isinstance(decode(chunk(READ), chunk(finish="stop"), tags=False)[0], ToolCall)


def test_log_probabilities_go_with_the_text() -> None:
    def told(content: str) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "logprobs": {"content": [{"token": content}]}}
        return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

    deltas = decode(told("Hi"), told(READ), chunk(finish="stop"))
    assert [delta.logprobs for delta in deltas if isinstance(delta, Text)] == [{"content": [{"token": "Hi"}]}]
