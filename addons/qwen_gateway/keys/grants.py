"""What a key may: which models and accounts, how much a minute, a day, a month."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from qwen_gateway.keys.spans import Span

Unit = Literal["calls", "tokens", "money"]


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a key may use of something in a span."""

    span: Span
    unit: Unit
    most: float

    @property
    def is_budget(self) -> bool:
        """Whether it is spent for good when it is spent: not a rate."""
        return self.span != "minute"

    def __str__(self) -> str:
        most = f"{self.most:,.2f}" if self.unit == "money" else f"{self.most:,.0f}"
        return f"{most} {'requests' if self.unit == 'calls' else self.unit} a {self.span}"


NAMES: Mapping[str, tuple[Span, Unit]] = {
    "requests_per_minute": ("minute", "calls"),
    "tokens_per_minute": ("minute", "tokens"),
    "tokens_per_day": ("day", "tokens"),
    "tokens_per_month": ("month", "tokens"),
    "money_per_day": ("day", "money"),
    "money_per_month": ("month", "money"),
}
"""What the ledger and the command call each limit."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One key, without the key.

    Attributes:
        id: what records and metrics call it; no secret.
        hash: of the whole key, SHA-256.
        models: names or patterns, of what clients ask for or of the upstream's model; None: all.
        accounts: names of accounts; None: all.
        expires_at: seconds since the epoch.
    """

    id: str
    hash: bytes
    name: str
    models: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None
    limits: tuple[Limit, ...] = ()
    disabled: bool = False
    expires_at: float | None = None

    @property
    def limited(self) -> bool:
        """Whether something is counted before a call."""
        return bool(self.limits)

    def may_ask(self, asked: str, model: str | None) -> bool:
        """Whether it may use a model, by the client's name for it or by the upstream's."""
        return self.models is None or any(
            fnmatchcase(name.lower(), pattern.lower()) for name in (asked, model or "") for pattern in self.models
        )

    def may_use(self, account: str) -> bool:
        """Whether its calls may go to an account."""
        return self.accounts is None or account in self.accounts


def limits_to_json(
    limits: Mapping[str, float], models: tuple[str, ...] | None, accounts: tuple[str, ...] | None
) -> dict[str, Any]:
    """What the ledger keeps of it; limits by their names."""
    document: dict[str, Any] = {name: most for name, most in limits.items() if name in NAMES}
    if models:
        document["models"] = list(models)
    if accounts:
        document["accounts"] = list(accounts)
    return document


def grant_of(
    key_id: str,
    digest: str,
    name: str,
    document: Mapping[str, Any],
    *,
    disabled: bool = False,
    expires_at: float | None = None,
) -> Grant:
    """A key as the ledger has it.

    Raises:
        ValueError: its limits or its hash make no sense.
    """
    try:
        limits = tuple(
            Limit(span, unit, float(document[known])) for known, (span, unit) in NAMES.items() if known in document
        )
        models, accounts = (_names(document.get(field)) for field in ("models", "accounts"))
        return Grant(key_id, bytes.fromhex(digest), name, models, accounts, limits, disabled, expires_at)
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"key {name!r} cannot be understood ({error})") from None


def _names(value: Any) -> tuple[str, ...] | None:
    return None if value is None else tuple(str(part) for part in value)
