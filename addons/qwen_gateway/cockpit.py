"""The operator's view of the accounts: commands of mitmproxy, and the same over HTTP (`/accounts`).

What rests, why, and until when; an account can be taken out by hand, and whatever is held against one forgotten.
"""

import time
from collections.abc import Sequence
from typing import Any

from mitmproxy import command, exceptions, http

from qwen_auth.account import Account
from qwen_auth.oauth import OAuthCredentials, closed_tier
from qwen_auth.pool import State
from qwen_auth.web.accounts import expiry_of
from qwen_gateway import flows, local
from qwen_gateway.engine.engine import Engine
from qwen_gateway.local import moment
from qwen_gateway.openai.errors import NotFound
from qwen_gateway.router import route
from qwen_gateway.upstreams.verdicts import VERDICTS


class Cockpit:
    """Shows accounts, resets and disables them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @command.command("qwen.accounts")  # type: ignore[untyped-decorator]
    def accounts(self) -> Sequence[str]:
        """Every account with its state, and when it recovers."""
        return [in_words(account, self._states(account)) for account in self._engine.pool.accounts]

    @command.command("qwen.account.reset")  # type: ignore[untyped-decorator]
    def reset(self, name: str) -> str:
        """Forget what is held against an account, a disabling included."""
        self._engine.reset(self._known(name))
        return f"{name} is healthy"

    @command.command("qwen.account.disable")  # type: ignore[untyped-decorator]
    def disable(self, name: str) -> str:
        """Use an account no more, until it is reset."""
        self._engine.pool.disable(self._known(name))
        return f"{name} is disabled"

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error:
            return
        surface = flow.metadata.get(flows.SURFACE)
        if surface == "accounts":
            local.answer(flow, self._all())
        elif surface == "account":
            name, _, action = route(flow.request.path).argument.rpartition("/")
            try:
                (self.reset if action == "reset" else self.disable)(name)
            except exceptions.CommandError as error:
                local.refuse(flow, NotFound(str(error)))
                return
            local.answer(flow, next(row for row in self._all()["accounts"] if row["name"] == name))

    def _all(self) -> dict[str, Any]:
        pool = self._engine.pool
        serving = {account.name for account in pool.serving()}
        return {
            "strategy": pool.strategy,
            "ready": pool.usable(),
            "next_recovery": moment(pool.next_recovery()),
            "accounts": [
                described(account, self._states(account), serving=account.name in serving)
                | {"windows": self._windows(account)}
                for account in pool.accounts
            ],
        }

    def _windows(self, account: Account) -> list[dict[str, Any]]:
        """What the account did in each window, beside what its plan allows."""
        uses = self._engine.spent.uses(account.name, account.flavour, time.time(), self._engine.limits.day)
        return [
            {"window": use.window, "calls": use.calls, "limit": use.limit, "reset": moment(use.reset)} for use in uses
        ]

    def _states(self, account: Account) -> list[State]:
        return [state for state in self._engine.pool.states() if state.account == account.name]

    def _known(self, name: str) -> str:
        names = [account.name for account in self._engine.pool.accounts]
        if name not in names:
            raise exceptions.CommandError(f"there is no account {name[:80]!r}; accounts: {', '.join(names) or 'none'}")
        return name


def described(account: Account, states: list[State], *, serving: bool) -> dict[str, Any]:
    """An account as JSON: no secret, whatever its kind."""
    whole = next(state for state in states if not state.model)
    login = account.credentials if isinstance(account.credentials, OAuthCredentials) else None
    return {
        "name": account.name,
        "kind": account.kind,
        "plan": account.plan,
        "endpoint": account.endpoint,
        "serving": serving,
        **held_against(whole),
        "models": [{"model": state.model, **held_against(state)} for state in states if state.model],
        "expires": moment(expiry_of(account)),
        "notice": closed_tier(account.endpoint) if login else None,
    }


def held_against(state: State) -> dict[str, Any]:
    """What keeps calls away, why, until when, and what to do."""
    verdict = VERDICTS.get(state.cause)
    return {
        "status": state.status,
        "why": state.reason or None,
        "cause": state.cause or None,
        "advice": verdict.advice or None if verdict and state.status != "healthy" else None,
        "next_recovery": moment(state.until),
        "failures": state.failures,
    }


def in_words(account: Account, states: list[State]) -> str:
    """An account in one line."""
    parts = []
    for state in states:
        about = f"{state.model}: " if state.model else ""
        until = f" for {max(1, round(state.until - time.time()))} s" if state.until > time.time() else ""
        why = f" ({state.reason})" if state.reason and state.status != "healthy" else ""
        parts.append(f"{about}{state.status}{until}{why}")
    return f"{account.name} [{account.plan}] {'; '.join(parts)}"
