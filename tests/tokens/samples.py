"""Vocabularies and prompts that several tests need."""

import base64
import json
from pathlib import Path
from typing import Any

from qwen_gateway.openai.chat_request import ChatCall, parse_chat

WORDS = (b"he", b"ll", b"hell", b"hello", b" w", b"or", b" wor", b"ld", b" world")
"""The merges of a small vocabulary, each made of two earlier ones."""


def write_vocabulary(file: Path) -> Path:
    """All bytes and a few words, in tiktoken's format."""
    pieces = [bytes([byte]) for byte in range(256)] + list(WORDS)
    file.write_bytes(b"".join(base64.b64encode(piece) + b" %d\n" % rank for rank, piece in enumerate(pieces)))
    return file


def asked(*messages: Any, **fields: Any) -> ChatCall:
    """A call with these messages; a text is one of the user's."""
    listed = [{"role": "user", "content": text} if isinstance(text, str) else text for text in messages]
    return parse_chat(json.dumps({"model": "qwen3-max", "messages": listed, **fields}).encode())
