"""Events of chat.qwen.ai, as upstream.md 3.6 writes them; every value is invented."""

import json
from typing import Any

from qwen_gateway.codec.deltas import Delta
from qwen_gateway.upstreams.web.answer import WebAnswer

CREATED = {"response.created": {"chat_id": "c1", "parent_id": "q1", "response_id": "r1", "response_index": "0"}}
USAGE = {"input_tokens": 31, "output_tokens": 9, "total_tokens": 40, "output_tokens_details": {"reasoning_tokens": 5},
         "prompt_tokens_details": {"cached_tokens": 2}, "characters": 0}  # fmt: skip


def event(phase: str | None, content: str = "", status: str = "typing", **more: Any) -> dict[str, Any]:
    delta = {"role": "assistant", "content": content, "phase": phase, "status": status, **more}
    usage = {"usage": delta.pop("usage")} if "usage" in delta else {}
    return {"choices": [{"delta": delta}], "response_id": "r1", **usage}


END = event("answer", status="finished")


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each, ensure_ascii=False).encode() + b" \n\n" for each in events)


def cuts(body: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and in pieces that tear letters apart."""
    return [
        [body],
        [body[place : place + 1] for place in range(len(body))],
        [body[place : place + 7] for place in range(0, len(body), 7)],
    ]


def decoded(pieces: list[bytes], decoder: Any = None) -> list[Delta]:
    decoder = decoder or WebAnswer()
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += decoder.feed(piece)
    return deltas + decoder.close()
