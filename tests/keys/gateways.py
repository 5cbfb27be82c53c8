"""Gateways without mitmproxy: gates on one ledger, a clock that is a number, calls that use what they say."""

import asyncio
from collections.abc import Callable
from typing import Any

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_gateway.callers import digest_of
from qwen_gateway.codec.deltas import Usage
from qwen_gateway.exchange import Exchange
from qwen_gateway.keys.gate import Gate
from qwen_gateway.keys.grants import grant_of
from qwen_gateway.keys.purse import Answer, Report
from qwen_gateway.keys.ring import KeyRing, new_key
from qwen_gateway.ledger import Ledger, keys, leases
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.prices import Price, Prices
from tests.openai.asking import call

MODEL = "qwen3.7-plus"
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z


class Clock:
    def __init__(self) -> None:
        self.now = NOON + 5

    def __call__(self) -> float:
        return self.now


def account(name: str) -> Account:
    return Account(name, "key", "model-studio-intl", f"https://{name}.test/v1", KeyCredentials("sk-x"))


class World:
    """Keys in a ledger, and gateways that share it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.clock = Clock()
        self.asked = 0
        self.grants: list[Any] = []

    async def key(self, name: str = "team", **limits: Any) -> str:
        """A new key with these limits; its ID."""
        key, key_id = new_key()
        row = keys.GatewayKey(key_id, digest_of(key).hex(), name, self.clock(), limits)
        await self.ledger.write(lambda connection: keys.add(connection, row))
        self.grants.append(grant_of(row.id, row.hash, row.name, row.limits))
        return key_id

    def gateway(self) -> "Gateway":
        return Gateway(self)

    async def fetch(self, key_id: str, report: Report) -> list[Answer]:
        self.asked += 1
        used = [(span, begins, each) for (span, begins), each in report.used.items()]
        asks = [ask for _, ask in report.asks]
        return await self.ledger.write(lambda connection: leases.exchange(connection, key_id, used, asks, self.clock()))

    async def spent(self, key_id: str, span: str = "day") -> Any:
        """What the ledger knows was used up, in any span of this length."""
        return await self.ledger.read(lambda connection: keys.spent_since(connection, key_id, span, 0))

    async def held(self, key_id: str, span: str = "day") -> Any:
        return await self.spent(key_id, span + " held")


class Gateway:
    """One of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ring = KeyRing()
        self.ring.replace(world.grants)
        self.gate = Gate(self.ring, world.fetch, clock=world.clock)
        self.gate.prices = Prices("USD", {"qwen3*": Price(1.0, 2.0, 0.5)})

    async def enter(
        self,
        key_id: str,
        *,
        prompt: int = 100,
        wanted: str | None = None,
        accounts: tuple[str, ...] = ("a",),
        model_of: Callable[[Account], str | None] = lambda _: MODEL,
        **fields: Any,
    ) -> tuple[Exchange, Any]:
        exchange = Exchange(call(**fields), caller=key_id, wanted_account=wanted)
        known = [account(name) for name in accounts]
        return exchange, await self.gate.enter(exchange, prompt, known, model_of)

    async def ask(self, key_id: str, *, uses: tuple[int, int] = (100, 50), **fields: Any) -> OpenAIError | None:
        """One call that is let in, takes a moment and uses so many tokens; or why it was not."""
        try:
            exchange, _ = await self.enter(key_id, **fields)
        except OpenAIError as error:
            return error
        await asyncio.sleep(0)
        answer = min(uses[1], int(exchange.call.body.get("max_completion_tokens", uses[1])))
        self.gate.leave(exchange, Usage(uses[0], answer, uses[0] + answer), pieces=3)
        return None
