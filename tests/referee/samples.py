"""Good objects and streams, written from OpenAI's description: the referee is tested with them and their mutations.

Every function returns a new value, so that a test may spoil it.
"""

import json
from typing import Any

type Node = dict[str, Any]

USAGE = {"prompt_tokens": 17, "completion_tokens": 5, "total_tokens": 22}


def chat_completion() -> Node:
    message = {"role": "assistant", "content": "Hi", "refusal": None, "reasoning_content": "A greeting."}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1790000000, "model": "qwen3.7-plus"}
    details = {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 3}}
    return {**head, "choices": [choice], "usage": {**USAGE, **details}}


def chunk(delta: Node | None, finish: str | None = None, *, index: int = 0, **more: Any) -> Node:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1790000000, "model": "qwen3.7-plus"}
    choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {**head, "choices": [choice] if delta is not None else [], **more}


def chat_stream() -> list[Node]:
    deltas = [{"role": "assistant", "content": ""}, {"reasoning_content": "Hm"}, {"content": "Hi"}, {"content": "!"}]
    return [*map(chunk, deltas), chunk({}, "stop")]


def chat_stream_with_usage() -> list[Node]:
    return [{**part, "usage": None} for part in chat_stream()] + [chunk(None, usage=dict(USAGE))]


def tool_fragment(index: int, arguments: str, **more: Any) -> Node:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **more}]}


def tool_start(index: int, call: str, name: str) -> Node:
    function = {"name": name, "arguments": ""}
    return {"tool_calls": [{"index": index, "id": call, "type": "function", "function": function}]}


def chat_stream_with_tools() -> list[Node]:
    return [
        chunk({"role": "assistant", "content": None}),
        chunk(tool_start(0, "call_a", "look")),
        chunk(tool_fragment(0, '{"at":')),
        chunk(tool_fragment(0, ' "sky"}')),
        chunk(tool_start(1, "call_b", "wait")),
        chunk(tool_fragment(1, "{}")),
        chunk({}, "tool_calls"),
    ]


def error() -> Node:
    return {"error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": "model_not_found"}}


def text_completion() -> Node:
    choice = {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "stop"}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1790000000, "model": "qwen3.7-plus"}
    return {**head, "choices": [choice], "usage": dict(USAGE)}


def text_completion_chunk() -> Node:
    body = text_completion()
    body["choices"][0]["finish_reason"] = body["usage"] = None
    return body


def model() -> Node:
    return {"id": "qwen3.7-plus", "object": "model", "created": 1790000000, "owned_by": "qwen"}


def models() -> Node:
    return {"object": "list", "data": [model()]}


def embeddings() -> Node:
    row = {"object": "embedding", "index": 0, "embedding": [0.5, -0.25, 1]}
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "model": "text-embedding-v4", "data": [row], "usage": usage}


def message_item(text: str = "Hi!", status: str = "completed") -> Node:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": [part]}


def reasoning_item() -> Node:
    return {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Look up."}]}


def function_item(status: str = "completed", arguments: str = '{"at": "sky"}') -> Node:
    call = {"call_id": "call_a", "name": "look", "arguments": arguments}
    return {"id": "fc_1", "type": "function_call", **call, "status": status}


def response(status: str = "completed", output: list[Node] | None = None) -> Node:
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1790000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": "qwen3.7-plus",
        "output": [reasoning_item(), message_item(), function_item()] if output is None else output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [tool],
        "top_p": 1.0,
        "truncation": "disabled",
    }
    if status in ("completed", "incomplete"):
        body["usage"] = response_usage()
    return body


def response_usage() -> Node:
    return {
        "input_tokens": 17,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 22,
    }


def response_items() -> Node:
    content = [{"type": "input_text", "text": "Hi"}]
    item = {"id": "msg_0", "type": "message", "role": "user", "status": "completed", "content": content}
    return {"object": "list", "data": [item], "first_id": "msg_0", "last_id": "msg_0", "has_more": False}


def response_deleted() -> Node:
    return {"id": "resp_1", "object": "response", "deleted": True}


def conversation() -> Node:
    return {"id": "conv_1", "object": "conversation", "created_at": 1790000000, "metadata": {}}


def conversation_deleted() -> Node:
    return {"id": "conv_1", "object": "conversation.deleted", "deleted": True}


def numbered(events: list[Node]) -> list[Node]:
    """The same events with the sequence numbers they must have."""
    return [{**event, "type": f"response.{event['type']}", "sequence_number": n} for n, event in enumerate(events)]


def reasoning_events() -> list[Node]:
    at, part, text = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}, "reasoning_summary_part", "Look up."
    return [
        {"type": "output_item.added", "output_index": 0, "item": {**reasoning_item(), "summary": []}},
        {"type": f"{part}.added", **at, "part": {"type": "summary_text", "text": ""}},
        {"type": "reasoning_summary_text.delta", **at, "delta": "Look "},
        {"type": "reasoning_summary_text.delta", **at, "delta": "up."},
        {"type": "reasoning_summary_text.done", **at, "text": text},
        {"type": f"{part}.done", **at, "part": {"type": "summary_text", "text": text}},
        {"type": "output_item.done", "output_index": 0, "item": reasoning_item()},
    ]


def message_events() -> list[Node]:
    at = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    empty, full = message_item("")["content"][0], message_item()["content"][0]
    opened = {**message_item(status="in_progress"), "content": []}
    return [
        {"type": "output_item.added", "output_index": 1, "item": opened},
        {"type": "content_part.added", **at, "part": empty},
        {"type": "output_text.delta", **at, "delta": "Hi", "logprobs": []},
        {"type": "output_text.delta", **at, "delta": "!", "logprobs": []},
        {"type": "output_text.done", **at, "text": "Hi!", "logprobs": []},
        {"type": "content_part.done", **at, "part": full},
        {"type": "output_item.done", "output_index": 1, "item": message_item()},
    ]


def function_events() -> list[Node]:
    at, name = {"item_id": "fc_1", "output_index": 2}, "function_call_arguments"
    return [
        {"type": "output_item.added", "output_index": 2, "item": function_item("in_progress", "")},
        {"type": f"{name}.delta", **at, "delta": '{"at": '},
        {"type": f"{name}.delta", **at, "delta": '"sky"}'},
        {"type": f"{name}.done", **at, "name": "look", "arguments": '{"at": "sky"}'},
        {"type": "output_item.done", "output_index": 2, "item": function_item()},
    ]


def responses_stream() -> list[Node]:
    opening = [{"type": kind, "response": response("in_progress", [])} for kind in ("created", "in_progress")]
    ending = [{"type": "completed", "response": response()}]
    return numbered([*opening, *reasoning_events(), *message_events(), *function_events(), *ending])


def failed_responses_stream(code: str = "server_error") -> list[Node]:
    opening = [{"type": kind, "response": response("in_progress", [])} for kind in ("created", "in_progress")]
    broken = {**response("failed", []), "error": {"code": code, "message": "The upstream broke off."}}
    return numbered([*opening, {"type": "failed", "response": broken}])


def sse(payloads: list[Node], *, names: bool = False, done: bool = True) -> bytes:
    """The bytes of a stream, as OpenAI writes them."""
    lines = [f"event: {p.get('type')}\n" * names + f"data: {json.dumps(p)}\n\n" for p in payloads]
    return ("".join(lines) + "data: [DONE]\n\n" * done).encode()
