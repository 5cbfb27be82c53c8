"""Whoever decides, before the first attempt, whether a caller may make a call, and hears what it used."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from qwen_auth.account import Account
from qwen_gateway.codec.deltas import Usage
from qwen_gateway.engine.encoder import Ask, Encoder
from qwen_gateway.exchange import Exchange
from qwen_gateway.tokens.estimator import Estimator
from qwen_gateway.upstreams.key import Encoded

ModelOf = Callable[[Account], str | None]


class Gate(Protocol):
    """Lets the calls of known callers in: `keys.gate`."""

    async def enter(self, exchange: Exchange, prompt: int, accounts: Iterable[Account], model_of: ModelOf) -> ModelOf:
        """Let a call in; which model it may have of each account. Raises `OpenAIError`."""

    def leave(self, exchange: Exchange, usage: Usage | None, pieces: int) -> None:
        """A call has ended, let in or not."""


class Narrowed:
    """An encoder, for the models and accounts alone that the caller may use."""

    def __init__(self, encoder: Encoder, model_of: ModelOf) -> None:
        self._encoder = encoder
        self.model_of = model_of

    @property
    def asks(self) -> int:
        return self._encoder.asks

    async def prepare(self, wanted: str | None) -> None:
        await self._encoder.prepare(wanted)

    async def begin(self, exchange: Exchange) -> None:
        await self._encoder.begin(exchange)

    def settle(self) -> None:
        self._encoder.settle()

    def encode(self, account: Account, ceilings: Mapping[str, int], ask: Ask) -> Encoded:
        return self._encoder.encode(account, ceilings, ask)


async def admit(
    gate: Gate, exchange: Exchange, encoder: Encoder, accounts: Iterable[Account], estimator: Estimator
) -> Encoder:
    """The encoder for what the caller may have.

    Raises:
        OpenAIError: nothing.
    """
    accounts = list(accounts)
    model = next((model for account in accounts if (model := encoder.model_of(account))), "")
    prompt = estimator.corrected(exchange.measure, model) if exchange.measure else 0
    return Narrowed(encoder, await gate.enter(exchange, prompt, accounts, encoder.model_of))
