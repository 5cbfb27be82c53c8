"""What the engine asks of an encoder: a call in the words of whichever account was picked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qwen_auth.account import Account
from qwen_gateway.codec.deltas import Usage
from qwen_gateway.exchange import Exchange
from qwen_gateway.upstreams.key import Encoded


@dataclass(frozen=True, slots=True)
class Ask:
    """One of the upstream calls that an answer takes.

    Attributes:
        number: which of them: a choice, or a batch of inputs.
        added: messages behind the client's own, when an answer was not what it had to be and is asked for again.
        spent: what that answer cost.
    """

    number: int = 0
    added: tuple[dict[str, Any], ...] = ()
    spent: Usage | None = None


class Encoder(Protocol):
    """Puts an exchange's call into the words of one account's upstream."""

    @property
    def asks(self) -> int:
        """How many upstream calls the answer takes."""

    async def prepare(self, wanted: str | None) -> None:
        """Find out what the accounts have for the call, before it is served.

        Args:
            wanted: the account that the client asked for by name.

        Raises:
            OpenAIError: none of them can serve it.
        """

    async def begin(self, exchange: Exchange) -> None:
        """Take what the exchange shall have to itself, before an account is picked: the chat of its conversation."""

    def settle(self) -> None:
        """Give it back: the exchange has ended, in whatever way."""

    def model_of(self, account: Account) -> str | None:
        """The account's name for the model that was asked for; None when it has none."""

    def encode(self, account: Account, ceilings: Mapping[str, int], ask: Ask) -> Encoded:
        """The call for this account.

        Raises:
            BadRequest: something in it cannot be sent and must not be dropped.
        """
