"""The context cache (upstream.md 4.9): it belongs to an account and a model, and shows in `usage`.

Implicit: prefixes of 256 tokens and more, found again without being asked. Explicit: with
`cache_control` on a content part, 1,024 tokens and more, five minutes, renewed by a hit; up to four
markers, and a look back over 20 blocks. The contract calls the life of implicit entries not
guaranteed; here it is five minutes, too.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from qwen_gateway.codec.json import dumps

from . import tokens
from .wire import JsonObject

LIFE = 300.0
LEAST_IMPLICIT, LEAST_EXPLICIT = 256, 1_024
LOOK_BACK = 20
_CAPACITY = 8_192


@dataclass(frozen=True, slots=True)
class _Block:
    """A place in the prompt: all up to it, as a digest and in tokens."""

    digest: bytes
    tokens: int
    marked: bool


class Cache:
    """What every account has cached."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str, bytes], float] = {}

    def clear(self) -> None:
        """Nothing is cached."""
        self._until.clear()

    def look(self, account: str, model: str, body: JsonObject, now: float) -> JsonObject:
        """The `prompt_tokens_details` of a call, which is remembered."""
        blocks = _blocks(body)
        marks = [number for number, block in enumerate(blocks) if block.marked][-4:]
        if marks:
            return self._explicit(account, model, blocks[: marks[-1] + 1], now)
        hit = next((block.tokens for block in reversed(blocks) if self._knows(account, model, block, now)), 0)
        for block in blocks:
            if block.tokens >= LEAST_IMPLICIT:
                self._keep(account, model, block, now)
        return {"cached_tokens": hit}

    def _explicit(self, account: str, model: str, blocks: list[_Block], now: float) -> JsonObject:
        last = blocks[-1]
        if last.tokens < LEAST_EXPLICIT:
            return {"cached_tokens": 0}
        within = reversed(blocks[-LOOK_BACK:])
        hit = next((block for block in within if self._knows(account, model, block, now)), None)
        for block in (hit, last):
            if block is not None:
                self._keep(account, model, block, now)
        created = last.tokens - (hit.tokens if hit else 0)
        return {
            "cached_tokens": hit.tokens if hit else 0,
            "cache_creation_input_tokens": created,
            "cache_creation": {"ephemeral_5m_input_tokens": created},
            "cache_type": "ephemeral",
        }

    def _knows(self, account: str, model: str, block: _Block, now: float) -> bool:
        return self._until.get((account, model, block.digest), 0.0) > now

    def _keep(self, account: str, model: str, block: _Block, now: float) -> None:
        name = (account, model, block.digest)
        self._until.pop(name, None)
        self._until[name] = now + LIFE
        if len(self._until) > _CAPACITY:
            del self._until[next(iter(self._until))]


def _blocks(body: JsonObject) -> list[_Block]:
    chain = hashlib.sha256(dumps(body.get("tools")))
    total = tokens.count(dumps(body["tools"]).decode()) if body.get("tools") else 0
    blocks = []
    for message in body.get("messages") or []:
        chain.update(str(message.get("role")).encode())
        total += tokens.PER_MESSAGE
        for part in _parts(message):
            marked = isinstance(part, dict) and "cache_control" in part
            plain = {key: value for key, value in part.items() if key != "cache_control"} if marked else part
            chain.update(dumps(plain))
            total += tokens.count_content([part])
            blocks.append(_Block(chain.digest(), total, marked))
    return blocks


def _parts(message: JsonObject) -> list[Any]:
    content = message.get("content")
    parts = list(content) if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    return [*parts, *(message.get("tool_calls") or [])]
