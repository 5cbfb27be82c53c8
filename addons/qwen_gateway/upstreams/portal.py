"""Kind `oauth`: a chat call for the portal of Qwen's logins (upstream.md 2.8, 2.10).

It speaks the protocol of `key` and demands three things more: two headers that name its own client, a `system` message
before all others, and users' text as plain strings.
"""

import platform
import sys
from typing import Any

from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams import key
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.messages import TEXT_PARTS
from qwen_gateway.upstreams.parameters import Policy
from qwen_gateway.upstreams.situation import NOWHERE, Situation

ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "i386": "ia32", "i686": "ia32"}
"""Python's names of processors → Node's, which qwen-code sends."""


def user_agent(system: str = sys.platform, machine: str = platform.machine()) -> str:
    """How qwen-code names itself (2.8)."""
    machine = machine.lower()
    return f"QwenCode/0.14.3 ({system}; {ARCHITECTURES.get(machine, machine)})"


HEADERS = {
    "user-agent": user_agent(),
    "x-dashscope-authtype": "qwen-oauth",
    "x-dashscope-useragent": user_agent(),  # a plain User-Agent does not replace it
    "x-dashscope-cachecontrol": "enable",
}
"""Without the two in the middle every call is a bare 400 since 2026-04-03 (2.8, 2.13)."""

MARKER: dict[str, Any] = {"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}
"""The first part of the leading system message; an empty text is accepted (2.8)."""


def encode_chat(
    call: ChatCall,
    model: str,
    flavour: Flavour,
    *,
    policy: Policy = "standard",
    output_ceiling: int | None = None,
    situation: Situation = NOWHERE,
) -> Encoded:
    """The call for the portal; arguments and errors as in `key.encode_chat`."""
    encoded = key.encode_chat(call, model, flavour, policy=policy, output_ceiling=output_ceiling, shape=shape)
    encoded.headers |= HEADERS
    return encoded


def shape(messages: list[dict[str, Any]], notices: list[Notice]) -> list[dict[str, Any]]:
    """The safe form of 2.8 and 9.3: it satisfies every client that was seen to work."""
    has_system = bool(messages) and messages[0]["role"] == "system"
    system = messages[0]["content"] if has_system else ""
    parts = system if isinstance(system, list) else [{"type": "text", "text": system}] if system else []
    rest = messages[1:] if has_system else messages
    return [{"role": "system", "content": [MARKER, *parts]}, *(_flat(message, notices) for message in rest)]


def _flat(message: dict[str, Any], notices: list[Notice]) -> dict[str, Any]:
    """Text alone as a string; with a picture the parts stay."""
    content = message.get("content")
    if message["role"] != "user" or not isinstance(content, list):
        return message
    if any(part.get("type") not in TEXT_PARTS for part in content):
        return message
    notices.append(Notice("dropped", "cache_control", "the portal takes a user's text as one string only"))
    return {**message, "content": "\n".join(part["text"] for part in content)}
