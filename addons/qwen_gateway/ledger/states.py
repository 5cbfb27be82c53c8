"""What is news about accounts, to others and from them."""

from collections.abc import Iterable, Mapping

from qwen_auth.pool import State
from qwen_gateway.ledger.known import Known

SHARED = frozenset({"resting", "exhausted", "excluded"})
"""What the upstream said of an account holds for all gateways; a missing login and an operator's word hold for one."""


class News:
    """Remembers what was told and heard, so that nothing goes round in circles."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[str, float]] = {}

    def to_tell(self, states: Iterable[State], now: float) -> list[Known]:
        """What others do not know yet: new rests, and accounts that are well before their time."""
        found = {
            (state.account, state.model): state for state in states if state.status in SHARED and state.until > now
        }
        told = [
            Known(state.account, state.model, state.status, state.until, state.reason, state.cause, state.code,
                  state.failures)
            for key, state in found.items()
            if self._last.get(key) != (state.status, state.until)
        ]  # fmt: skip
        told += [Known(*key, "healthy", 0.0) for key in self._early(found, now)]
        self._last = {key: (state.status, state.until) for key, state in found.items()}
        return told

    def is_new(self, known: Known) -> bool:
        """Whether this gateway did not know that; from now on it does."""
        key, value = (known.account, known.model), (known.status, known.until)
        if known.status == "healthy":
            return self._last.pop(key, None) is not None
        if self._last.get(key) == value:
            return False
        self._last[key] = value
        return True

    def _early(self, found: Mapping[tuple[str, str], State], now: float) -> list[tuple[str, str]]:
        return [key for key, (_, until) in self._last.items() if key not in found and until > now]
