"""Calls as clients write them."""

import json
from typing import Any

from qwen_gateway.openai.chat_request import ChatCall, parse_chat

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def tool(name: str = "look", **more: Any) -> dict[str, Any]:
    """A tool that takes nothing in particular."""
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}, **more}}


def call(**fields: Any) -> ChatCall:
    """A parsed call with these fields."""
    return parse_chat(json.dumps({"model": "gpt-4o", "messages": HELLO, **fields}).encode())
