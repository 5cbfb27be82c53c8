"""What stands between a key and the engine: may it, and is there enough left?

A call reserves the most that it may use before its first attempt, and gives back what it did not use at its end. An
answer is limited to what was reserved for it, so that budgets hold; the client is told by a notice.
"""

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from qwen_auth.account import Account
from qwen_gateway.codec.deltas import Usage
from qwen_gateway.exchange import Exchange
from qwen_gateway.keys.grants import Grant, Limit
from qwen_gateway.keys.purse import Answer, Pocket, Purse, Report, Reservation, Used
from qwen_gateway.keys.ring import KeyRing
from qwen_gateway.openai.errors import Forbidden, OpenAIError
from qwen_gateway.openai.notices import Notice
from qwen_gateway.prices import Prices

USUAL_ANSWER = 16_384
"""Tokens that are reserved for an answer that the client does not limit."""

LEAST_ANSWER = 256
"""An answer that would have to be shorter than that, though the client wants more, is not begun."""

USUAL_MINUTE = 1_024
"""The same for the rate: what is counted of an unlimited answer before it is there."""

TRIES = 5
"""How often a call asks the ledger for room that others took meanwhile."""

LIMIT_NAMES = ("max_completion_tokens", "max_tokens")

Fetch = Callable[[str, Report], Awaitable[list[Answer]]]
"""Tells the ledger of a key's use and asks it for more; raises `Unavailable`."""

ModelOf = Callable[[Account], str | None]


class Unavailable(Exception):
    """The ledger cannot be asked now."""


@dataclass(slots=True)
class Entered:
    """A call that was let in."""

    caller: str
    model: str
    prompt: int
    answer: int
    reservation: Reservation


class Gate:
    """Lets the calls of keys in, and settles them.

    Args:
        fetch: the way to the ledger.
        clock: seconds since the epoch.
    """

    def __init__(self, ring: KeyRing, fetch: Fetch, *, clock: Callable[[], float] = time.time) -> None:
        self.prices = Prices()
        self._ring = ring
        self._fetch = fetch
        self._clock = clock
        self._purses: dict[str, Purse] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._entered: weakref.WeakKeyDictionary[Exchange, Entered] = weakref.WeakKeyDictionary()

    async def enter(self, exchange: Exchange, prompt: int, accounts: Iterable[Account], model_of: ModelOf) -> ModelOf:
        """Let a call in; which models it may have of which accounts.

        Args:
            prompt: the tokens of its prompt, as far as they are known.

        Raises:
            OpenAIError: it may not, or nothing is left.
        """
        grant = self._ring.grant(exchange.caller)
        if grant is None:
            return model_of
        allowed = within(grant, exchange, model_of)
        model = check_rights(grant, exchange, list(accounts), model_of, allowed)
        wanted = answer_of(exchange)
        answer, reservation = await self._reserve(grant, model, prompt, wanted)
        if answer < wanted or (wanted == USUAL_ANSWER and any(limit.is_budget for limit in grant.limits)):
            limit_answer(exchange, answer)
        self._entered[exchange] = Entered(grant.id, model, prompt, answer, reservation)
        return allowed

    def leave(self, exchange: Exchange, usage: Usage | None, pieces: int) -> None:
        """The call has ended.

        Args:
            usage: what the upstream reported.
            pieces: of the answer that were received; they tell about how long it was where nothing was reported.
        """
        entered = self._entered.pop(exchange, None)
        if entered is None:
            return
        if usage is not None:
            cached = int(usage.prompt_details.get("cached_tokens") or 0)
            used = self._used(exchange.model or entered.model, usage.prompt, usage.completion, cached)
        elif pieces:
            used = self._used(exchange.model or entered.model, entered.prompt, min(2 * pieces, entered.answer))
        else:
            used = Used(calls=1)
        self._purse(entered.caller).settle(entered.reservation, used, self._clock())

    async def tell(self) -> None:
        """Tell the ledger what was used since the last time; what nobody uses any more goes back to it.

        Raises:
            Unavailable: it cannot be told now.
        """
        now = self._clock()
        for caller, purse in list(self._purses.items()):
            if not purse.idle:
                async with self._lock(caller):
                    await self._talk(purse, caller, purse.report())
            purse.forget(now)

    def reports(self) -> list[tuple[str, Report]]:
        """What the ledger has not been told, for the end."""
        return [(caller, purse.report()) for caller, purse in self._purses.items() if not purse.idle]

    async def _reserve(self, grant: Grant, model: str, prompt: int, wanted: int) -> tuple[int, Reservation]:
        """Room for the whole answer, or for as much of it as there is room for."""
        purse = self._purse(grant.id)
        if not grant.limited:
            return wanted, Reservation([])
        least = min(wanted, LEAST_ANSWER)
        needs = self._needs(purse, grant, model, prompt, wanted)
        reservation = purse.reserve(needs.items())
        if reservation is not None:
            return wanted, reservation
        async with self._lock(grant.id):
            for _ in range(TRIES):
                needs = self._needs(purse, grant, model, prompt, wanted)
                if (reservation := purse.reserve(needs.items())) is not None:
                    return wanted, reservation
                answers = await self._ask(purse, grant.id, purse.report(needs.items()))
                answer = wanted
                while (reservation := purse.reserve(needs.items())) is None and answer > least:
                    answer = max(least, answer // 2)
                    needs = self._needs(purse, grant, model, prompt, answer)
                if reservation is not None:
                    return answer, reservation
                self._refuse_if_used_up(grant, needs, answers)
        raise OpenAIError(
            f"What is left for the key '{grant.name}' is reserved by calls under way. Please try again in 2s.",
            status=429,
            type="rate_limit_error",
            code="rate_limit_exceeded",
            retry_after=2,
        )

    def _needs(self, purse: Purse, grant: Grant, model: str, prompt: int, answer: int) -> dict[Pocket, float]:
        """The most that the call may use of each pocket."""
        needs: dict[Pocket, float] = {}
        for pocket in purse.pockets(grant, self._clock()):
            limit = pocket.limit
            tokens = prompt + (answer if limit.is_budget else min(answer, USUAL_MINUTE))
            match limit.unit:
                case "calls":
                    needs[pocket] = 1
                case "tokens":
                    needs[pocket] = tokens
                case "money":
                    cost = self.prices.cost(model, prompt, answer)
                    if cost is None:
                        raise Forbidden(
                            f"The key '{grant.name}' has a budget in money, and the gateway knows no price of "
                            f"'{model}'. Its operator adds one to the file of prices (qwen_prices).",
                            code="price_unknown",
                            param="model",
                        )
                    needs[pocket] = cost
        return needs

    def _refuse_if_used_up(self, grant: Grant, needs: Mapping[Pocket, float], answers: Mapping[Pocket, Answer]) -> None:
        """Say so when what ended calls have spent leaves no room, whatever becomes of those under way."""
        gone = [
            (pocket, need)
            for pocket, need in needs.items()
            if pocket.room < need and pocket in answers and pocket.limit.most - answers[pocket].spent < need
        ]
        if gone:
            pocket, need = max(gone, key=lambda pair: pair[0].resets)
            raise used_up(grant, pocket.limit, answers[pocket].spent, need, pocket.resets, self._clock())

    async def _ask(self, purse: Purse, caller: str, report: Report) -> dict[Pocket, Answer]:
        """One word with the ledger; it is finished though the client who waits for it goes away.

        Raises:
            OpenAIError: it cannot be had.
        """
        talk = asyncio.ensure_future(self._talk(purse, caller, report))
        talk.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(talk)
        except Unavailable:
            raise OpenAIError(
                "This gateway cannot look up what is left for its keys just now; its log has the reason.",
                status=503,
                code="keys_unavailable",
                retry_after=5,
            ) from None

    async def _talk(self, purse: Purse, caller: str, report: Report) -> dict[Pocket, Answer]:
        try:
            return purse.answered(report, await self._fetch(caller, report))
        except BaseException:
            purse.failed(report)
            raise

    def _used(self, model: str, prompt: int, completion: int, cached: int = 0) -> Used:
        return Used(1, prompt, completion, self.prices.cost(model, prompt, completion, cached) or 0.0)

    def _purse(self, caller: str) -> Purse:
        return self._purses.setdefault(caller, Purse())

    def _lock(self, caller: str) -> asyncio.Lock:
        return self._locks.setdefault(caller, asyncio.Lock())


def within(grant: Grant, exchange: Exchange, model_of: ModelOf) -> ModelOf:
    """The models that a key may have of each account."""
    if grant.models is None and grant.accounts is None:
        return model_of

    def allowed(account: Account) -> str | None:
        if not grant.may_use(account.name):
            return None
        model = model_of(account)
        return model if model is not None and grant.may_ask(exchange.call.model, model) else None

    return allowed


def check_rights(grant: Grant, exchange: Exchange, accounts: list[Account], model_of: ModelOf, allowed: ModelOf) -> str:
    """The upstream's model that the call is for, the first of those that it may have.

    Raises:
        Forbidden: the key may have none.
    """
    wanted = exchange.wanted_account
    if wanted is not None and not grant.may_use(wanted):
        raise Forbidden(
            f"The key '{grant.name}' may not use the account '{wanted[:80]}'; it may use: "
            f"{', '.join(grant.accounts or ())}.",
            code="account_not_allowed",
        )
    models = [model for account in accounts if (model := allowed(account)) is not None]
    if models:
        return models[0]
    others = [model for account in accounts if (model := model_of(account)) is not None]
    if others and grant.models is not None and not any(grant.may_ask(exchange.call.model, model) for model in others):
        raise Forbidden(
            f"The key '{grant.name}' may not use the model '{exchange.call.model[:80]}'; it may use: "
            f"{', '.join(grant.models)}.",
            code="model_not_allowed",
            param="model",
        )
    if others:
        raise Forbidden(
            f"None of the accounts that the key '{grant.name}' may use ({', '.join(grant.accounts or ())}) has the "
            f"model '{exchange.call.model[:80]}'.",
            code="account_not_allowed",
            param="model",
        )
    return exchange.call.model


def answer_of(exchange: Exchange) -> int:
    """The tokens of the longest answer that the call may get, of all its choices together."""
    if "messages" not in exchange.call.body:
        return 0  # embeddings
    for name in LIMIT_NAMES:
        given = exchange.call.body.get(name)
        if isinstance(given, int):
            return given * exchange.call.choices
    return USUAL_ANSWER


def limit_answer(exchange: Exchange, answer: int) -> None:
    """Let the upstream say no more than was reserved."""
    call = exchange.call
    each = max(1, answer // call.choices)
    given = next((name for name in LIMIT_NAMES if name in call.body), LIMIT_NAMES[0])
    call.body[given] = each
    call.notices.append(Notice("clamped", given, f"{each} tokens are left for it in the budget of the key"))


def used_up(grant: Grant, limit: Limit, spent: float, need: float, resets: float, now: float) -> OpenAIError:
    """A limit is reached, and only time helps."""
    moment = datetime.fromtimestamp(resets, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    figures = f"{spent:,.4f}" if limit.unit == "money" else f"{spent:,.0f}"
    if limit.is_budget:
        return OpenAIError(
            f"The budget of the key '{grant.name}' is used up: {figures} of {limit}, and this call may need "
            f"{need:,.4g}. It begins anew at {moment}.",
            status=429,
            type="insufficient_quota",
            code="insufficient_quota",
            retry_after=resets - now,
            should_retry=False,
        )
    too_large = need > limit.most
    more = "This call alone is larger than that." if too_large else f"Please try again in {round(resets - now + 0.5)}s."
    return OpenAIError(
        f"Rate limit reached for the key '{grant.name}': {limit}; used {figures}, this call needs {need:,.0f}. {more}",
        status=429,
        type="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after=None if too_large else resets - now,
        should_retry=False if too_large else None,
    )
