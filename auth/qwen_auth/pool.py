"""Which account serves a call, and which ones rest.

State is kept per account and per model: Alibaba limits both together (upstream.md 4.6, "Rate limits are per Alibaba
account and model"). The pool never locks its owner out: every rest ends by itself, no hint of an upstream is believed
beyond a ceiling, and when a rest is over exactly one call goes first to see whether the account is well again
(half-open). Only an operator's word disables an account for good.

The pool does no I/O. The clock is passed in; times are seconds since the epoch, so that they can be shown and stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from qwen_auth.account import Account
from qwen_auth.pool_state import ALL, STRATEGIES, Choice, ModelOf, NoAccount, Rest, State, Status, Strategy

__all__ = ["STRATEGIES", "Choice", "ModelOf", "NoAccount", "Pool", "Rest", "State", "Status", "Strategy"]

HOMES = 10_000
"""Conversations whose account is remembered."""

_PATIENCE = 3  # transient faults in a row before the only account rests


class Pool:
    """The operator's accounts, and what is known about them.

    Args:
        accounts: in the order of preference; the first is the default one.
        strategy: `single` uses the first account only; the others use all of them.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        strategy: Strategy = "single",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = {account.name: account for account in accounts}
        self.strategy: Strategy = strategy
        self._clock = clock
        self._states: dict[tuple[str, str], State] = {}
        self._disabled: set[str] = set()
        self._uses: dict[str, int] = dict.fromkeys(self._accounts, 0)
        self._turn = 0
        self._homes: dict[str, str] = {}  # stickiness -> account, oldest first

    @property
    def accounts(self) -> list[Account]:
        """Every account, in order."""
        return list(self._accounts.values())

    def serving(self) -> list[Account]:
        """The accounts that the strategy uses and nobody disabled."""
        return self._candidates(None)

    def replace(self, accounts: Iterable[Account]) -> None:
        """Take a new list; what is known of accounts that stay as they are is kept.

        An account with another key or another address starts afresh: that is how operators mend one.
        """
        old, self._accounts = self._accounts, {account.name: account for account in accounts}
        same = {name for name, account in self._accounts.items() if old.get(name) == account}
        least = min(self._uses.values(), default=0)
        self._uses = {name: self._uses.get(name, least) for name in self._accounts}
        self._states = {key: state for key, state in self._states.items() if key[0] in same}
        self._disabled &= self._accounts.keys()

    def pick(
        self,
        model: str | ModelOf,
        *,
        tried: Collection[str] = (),
        wanted: str | None = None,
        stickiness: str | None = None,
        home: str | None = None,
    ) -> Choice:
        """The account for the next attempt.

        Args:
            model: the upstream's name of the model, or what gives it for an account (None: it has no such model).
            tried: accounts that this exchange has used up.
            wanted: the account that the client asked for by name.
            stickiness: calls of equal stickiness stay on one account while it is well.
            home: the account that has the conversation already; taken while it is well.

        Raises:
            NoAccount: every one is resting, disabled, excluded or tried.
        """
        now = self._clock()
        candidates = self._candidates(wanted)
        models = {account.name: model if isinstance(model, str) else model(account) for account in candidates}
        free = [
            account
            for account in candidates
            if account.name not in tried and not self._blocked(account, models[account.name], now)
        ]
        if not free:
            raise self._nothing(candidates, models, tried, wanted)
        account, why = self._choose(free, stickiness, wanted, home)
        states = self._known(account.name, models[account.name] or ALL)
        unwell = [state for state in states if state.status != "healthy"]
        for state in unwell:
            state.probing_since = now
        self._uses[account.name] += 1
        if unwell:
            return Choice(account, f"{why}; probing whether it is well again", healthy=False)
        return Choice(account, why, healthy=not [state for state in states if state.failures])

    def recovery(self, model: str | ModelOf, *, wanted: str | None = None) -> float | None:
        """When the first account recovers that could serve this model; None when one can now, or none ever will."""
        now = self._clock()
        times = []
        for account in self._candidates(wanted):
            name = model if isinstance(model, str) else model(account)
            blocking = [state for state in self._known(account.name, name or ALL) if state.resting(now)]
            if blocking:
                times.append(max(max(state.until, now) for state in blocking))
            elif not self._blocked(account, name, now):
                return None
        return min(times, default=None)

    def succeeded(self, account: str, model: str) -> None:
        """An attempt went well: what was held against the account for this model is forgotten.

        A rest that began while the attempt was under way stays: the news is younger than the attempt.
        """
        now = self._clock()
        for state in self._known(account, model):
            if state.status == "healthy" or state.probing_since is not None or now >= state.until:
                del self._states[state.account, state.model]

    def failed(self, account: str, model: str, rest: Rest | None) -> None:
        """An attempt failed. None: the account is not to blame (a bad request, a cancelled call)."""
        if account not in self._accounts:
            return
        now = self._clock()
        if rest is None:
            for state in self._known(account, model):
                state.probing_since = None
            return
        key = (account, ALL if rest.whole_account else model)
        state = self._states.setdefault(key, State(*key))
        if state.status != "healthy" and now < state.until and state.probing_since is None:
            # Calls that were under way when the rest began: one event, not many. A longer hint still counts.
            if rest.hint is not None:
                state.until = max(state.until, now + min(rest.hint, rest.ceiling))
            return
        state.failures += 1
        state.repeat(rest.code, now)
        state.probing_since = None
        state.reason = rest.reason
        state.cause = rest.cause
        if rest.transient and rest.hint is None and state.failures < _PATIENCE and not self._others(account):
            return
        if rest.hint is not None:
            seconds = min(max(rest.hint, 0.0), rest.ceiling)
        else:
            longest = rest.ceiling if rest.longest is None else min(rest.longest, rest.ceiling)
            seconds = min(rest.seconds * 2 ** min(state.failures - 1, 20), longest)
        state.status = rest.status
        state.until = now + seconds

    def insistence(self, account: str, model: str, code: str) -> tuple[int, float]:
        """How often in a row the upstream has said this code before, and since how many seconds (upstream.md 9.6)."""
        now = self._clock()
        said = [state for state in self._known(account, model) if state.repeats and state.code == code]
        return max(((state.repeats, now - state.since) for state in said), default=(0, 0.0))

    def restore(self, states: Iterable[State]) -> None:
        """Take over what an earlier process knew: rests that are not over, of accounts that are there."""
        now = self._clock()
        for state in states:
            if state.account in self._accounts and state.until > now:
                self._states.setdefault((state.account, state.model), state)

    def hear(self, state: State) -> None:
        """Take over what another gateway was told by the upstream: a rest, or that the account is well."""
        key = (state.account, state.model)
        known = self._states.get(key)
        if state.account not in self._accounts:
            return
        if state.status == "healthy":
            self._states.pop(key, None)
        elif state.until > self._clock() and (known is None or known.until < state.until):
            self._states[key] = state

    def disable(self, account: str) -> None:
        """Take an account out by hand until `reset`."""
        self._disabled.add(account)

    @property
    def disabled(self) -> frozenset[str]:
        """The accounts that were taken out by hand."""
        return frozenset(self._disabled)

    def reset(self, account: str) -> None:
        """Forget everything held against an account, a disabling by hand included."""
        self._disabled.discard(account)
        for key in [key for key in self._states if key[0] == account]:
            del self._states[key]

    def states(self) -> list[State]:
        """One row per account, and one more per model for which something is known, ended rests as healthy."""
        now = self._clock()
        rows = []
        for name in self._accounts:
            if name in self._disabled:
                rows.append(State(name, ALL, "disabled", reason="disabled by hand"))
                continue
            known = [state for (account, _), state in self._states.items() if account == name]
            if not any(state.model == ALL for state in known):
                rows.append(State(name, ALL))
            rows.extend(known)
        return [
            State(row.account, row.model, "healthy", 0.0, row.reason, row.cause, row.failures)
            if row.status not in ("healthy", "disabled") and now >= row.until
            else row
            for row in rows
        ]

    def usable(self) -> bool:
        """Whether a call could be served now by any account, for models nothing is held against."""
        now = self._clock()
        return any(not self._blocked(account, ALL, now) for account in self._candidates(None))

    def next_recovery(self) -> float | None:
        """When the first resting account recovers; None when none rests."""
        now = self._clock()
        times = [state.until for state in self._states.values() if state.resting(now) and state.model == ALL]
        return min(times, default=None)

    def _candidates(self, wanted: str | None) -> list[Account]:
        if wanted is not None:
            return [account for name, account in self._accounts.items() if name == wanted]
        accounts = list(self._accounts.values())
        if self._disabled:
            accounts = [account for account in accounts if account.name not in self._disabled]
        return accounts[:1] if self.strategy == "single" else accounts

    def _known(self, account: str, model: str) -> list[State]:
        if not self._states:  # the usual case
            return []
        keys = dict.fromkeys(((account, ALL), (account, model)))
        return [state for key in keys if (state := self._states.get(key))]

    def _blocked(self, account: Account, model: str | None, now: float) -> bool:
        if model is None or account.name in self._disabled:
            return True
        if account.models is not None and model and model not in account.models:
            return True
        return bool(self._states) and any(state.resting(now) for state in self._known(account.name, model))

    def _others(self, account: str) -> bool:
        return any(other.name != account for other in self._candidates(None))

    def _choose(
        self, free: list[Account], stickiness: str | None, wanted: str | None, home: str | None
    ) -> tuple[Account, str]:
        """One of these, and why."""
        if wanted is not None:
            return free[0], "the client asked for it"
        for account in free:
            if account.name == home:
                return account, "its conversation lives there"
        if stickiness is None or self.strategy in ("single", "fill-first"):
            return self._next(free)
        home = self._homes.pop(stickiness, None)
        for account in free:
            if account.name == home:
                self._homes[stickiness] = home
                return account, "its conversation lives there"
        account, why = self._next(free)
        self._homes[stickiness] = account.name
        if len(self._homes) > HOMES:
            del self._homes[next(iter(self._homes))]
        return account, f"a new conversation here: {why}"

    def _next(self, free: list[Account]) -> tuple[Account, str]:
        """By the strategy alone."""
        if len(free) == 1:
            why = "the only account" if len(self._accounts) == 1 else "the only usable account"
            return free[0], why
        if self.strategy == "round-robin":
            # The one behind the last that had its turn, in the operator's order, whoever is away.
            names = list(self._accounts)
            account = min(free, key=lambda candidate: (names.index(candidate.name) - self._turn) % len(names))
            self._turn = names.index(account.name) + 1
            return account, "its turn (round robin)"
        if self.strategy in ("least-used", "sticky"):
            return min(free, key=lambda candidate: self._uses[candidate.name]), "least used"
        return free[0], "first in order"

    def _nothing(
        self, candidates: list[Account], models: dict[str, str | None], tried: Collection[str], wanted: str | None
    ) -> NoAccount:
        if wanted is not None and not candidates:
            names = ", ".join(self._accounts) or "none"
            return NoAccount(f"there is no account {wanted[:80]!r}; accounts: {names}", None, [])
        if not self._accounts:
            return NoAccount("there is no account; add one with `qwen-auth add NAME --key-from-stdin`", None, [])
        now = self._clock()
        states: list[State] = []
        reasons: list[str] = []
        times: list[float] = []
        for account in candidates:
            if account.name in self._disabled:
                reasons.append(f"'{account.name}' is disabled; `qwen.account.reset {account.name}` enables it")
                continue
            model = models[account.name]
            if model is None:
                reasons.append(f"'{account.name}' has no such model")
                continue
            if account.models is not None and model not in account.models:
                reasons.append(f"'{account.name}' is limited to {', '.join(account.models)}")
                continue
            blocking = [state for state in self._known(account.name, model) if state.resting(now)]
            states.extend(blocking)
            if blocking:
                until = max(max(state.until, now + 1.0) for state in blocking)
                times.append(until)
                worst = max(blocking, key=lambda state: state.until)
                why = worst.reason if now < worst.until else "another call is probing whether it is well again"
                reasons.append(f"'{account.name}' is {worst.status} for {max(1, round(until - now))} s ({why})")
            elif account.name in tried:
                reasons.append(f"'{account.name}' was tried")
        if not candidates:
            names = " or ".join(f"`qwen.account.reset {name}`" for name in self._accounts)
            reasons.append(f"every account is disabled by hand; {names} enables one")
        return NoAccount("no account is usable: " + "; ".join(reasons), min(times, default=None), states)
