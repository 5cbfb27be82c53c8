"""An exchange's attempts: pick an account, send, look at the first content, and only then let the client see it.

Until then everything may be tried again, as one table decides (`upstreams.verdicts`); after the first content nothing
is: the stream ends with an error event. An error hidden in a 200 is seen before anything was shown.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from qwen_auth.account import Account
from qwen_auth.pool import Choice, NoAccount, Pool
from qwen_auth.spent import Spent
from qwen_gateway.codec.deltas import Fault, Finish, Unmet
from qwen_gateway.engine.breaker import Breaker
from qwen_gateway.engine.budget import RetryBudget
from qwen_gateway.engine.consequences import error_of, error_of_states, rest_of
from qwen_gateway.engine.delivery import Delivery
from qwen_gateway.engine.encoder import Ask, Encoder
from qwen_gateway.engine.errands import Afterwards
from qwen_gateway.engine.judging import Judge, Renewal, token_of
from qwen_gateway.engine.limits import Limits
from qwen_gateway.engine.reception import Reception
from qwen_gateway.engine.transport import Transport
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.openai.errors import BadRequest, OpenAIError, UpstreamError
from qwen_gateway.sessions import conversation_of
from qwen_gateway.upstreams.faults import allowed_max_tokens, lacks_tools
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.verdicts import VERDICTS, Verdict

logger = logging.getLogger(__name__)


class Broken(Exception):
    """The answer failed after the client had seen some of it."""

    def __init__(self, verdict: Verdict, fault: Fault) -> None:
        super().__init__(fault.message)
        self.verdict = verdict
        self.fault = fault


PAUSED = "calls to chat.qwen.ai pause after several challenges"


def egress_of(account: Account) -> str:
    """The way that a session's calls take: where challenges come from (upstream.md 3.11). Empty for other kinds."""
    return f"{account.base_url} {account.proxy or ''}" if account.kind == "web" else ""


Failure = tuple[Verdict, Fault, Account]
"""How an attempt ended."""

AT_ONCE = 4
"""Upstream calls of one exchange that run at the same time: a thousand inputs to embed are a hundred calls."""

Observe = Callable[[Exchange, Attempt], Awaitable[None]]
"""Told when an attempt starts (`ended` is None) and when it failed."""


class Attempts:
    """Runs the attempts of exchanges.

    Args:
        spent: the calls that each account made, which tell when a window has room again.
        ceilings: what upstreams taught us about `max_tokens`, by model; shared by all exchanges.
        toolless: accounts and models that said they take no tools.
    """

    def __init__(
        self,
        pool: Pool,
        transport: Transport,
        limits: Limits,
        *,
        budget: RetryBudget | None = None,
        spent: Spent | None = None,
        observe: Observe | None = None,
        renewal: Renewal | None = None,
        breaker: Breaker | None = None,
        afterwards: Afterwards | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pool = pool
        self.limits = limits
        self.judge = Judge(pool, renewal)
        self._transport = transport
        self._budget = budget or RetryBudget()
        self._spent = spent or Spent()
        self.observe = observe
        self.breaker = breaker or Breaker(clock)
        self.afterwards = afterwards or Afterwards()
        self._sleep = sleep
        self._clock = clock
        self.ceilings: dict[str, int] = {}
        self.toolless: set[tuple[str, str]] = set()

    async def run(self, exchange: Exchange, encoder: Encoder, delivery: Delivery) -> None:
        """Answer the exchange: its parts are asked for at once, a few at a time, and come interleaved.

        Raises:
            OpenAIError: no attempt is left; nothing of this choice was shown.
            Broken: it broke off after something was shown.
        """
        self._budget.deposit()
        try:
            async with asyncio.timeout(self.limits.total):
                if encoder.asks == 1:
                    await self._branch(exchange, encoder, delivery, 0)
                    return
                gate = asyncio.Semaphore(AT_ONCE)
                try:
                    async with asyncio.TaskGroup() as group:
                        for number in range(encoder.asks):
                            group.create_task(self._in_turn(gate, exchange, encoder, delivery, number))
                except ExceptionGroup as failures:
                    raise failures.exceptions[0] from None
        except TimeoutError:
            raise UpstreamError(
                f"The call took longer than {self.limits.total:g} s in all (qwen_total_timeout).",
                status=504,
                code="upstream_timeout",
                should_retry=False,
            ) from None

    async def _in_turn(
        self, gate: asyncio.Semaphore, exchange: Exchange, encoder: Encoder, delivery: Delivery, number: int
    ) -> None:
        async with gate:
            await self._branch(exchange, encoder, delivery, number)

    async def _branch(self, exchange: Exchange, encoder: Encoder, delivery: Delivery, number: int) -> None:
        """One choice of the answer, with as many attempts as it takes."""
        tried: dict[str, int] = {}
        used_up: set[str] = set()
        last: Failure | None = None
        waited_until = self._clock() + self.limits.wait
        made = 0
        learned = False
        renewed: set[str] = set()
        again: Choice | None = None
        ask = Ask(number)
        while True:
            choice = again or await self._pick(exchange, encoder, used_up, last, waited_until)
            again = None
            account = choice.account
            failures = tried.get(account.name, 0)
            if last is not None and not (choice.healthy and not failures) and not self._budget.withdraw():
                self._release(account, encoder)
                raise self._give_up(last, exchange, encoder)
            if last is not None and last[2] is account:
                await self._pause(account, encoder, failures)
            failed = await self._one(exchange, encoder, delivery, ask, choice, renewed=account.name in renewed)
            if failed is None:
                return
            verdict, fault = failed
            if verdict.retry == "renewed" and account.name not in renewed:
                renewed.add(account.name)  # the client need not know
                again = replace(choice, why=f"{choice.why}; its login was renewed")
                continue
            if isinstance(fault, Unmet) and fault.added and not ask.added:
                ask = Ask(number, fault.added, fault.spent)
                again = replace(choice, why=f"{choice.why}; asked again, for {fault.message[:200]}")
                continue
            if (account.name, exchange.model) not in self.toolless and lacks_tools(fault):
                self.toolless.add((account.name, exchange.model))
                again = replace(choice, why=f"{choice.why}; it takes no tools, so they are put into words")
                continue
            if not learned and (ceiling := allowed_max_tokens(fault)):
                learned = True  # the same account may try again at once, with no more than it can
                self.ceilings[exchange.model] = ceiling
                continue
            made += 1
            last = (verdict, fault, account)
            tried[account.name] = failures + 1
            if verdict.retry == "no" or made >= self.limits.attempts:
                raise self._give_up(last, exchange, encoder)
            if verdict.retry == "elsewhere" or tried[account.name] >= 2:
                used_up.add(account.name)

    async def _pick(
        self,
        exchange: Exchange,
        encoder: Encoder,
        used_up: set[str],
        last: Failure | None,
        waited_until: float,
    ) -> Choice:
        """The next account; waits for one that recovers soon."""
        stickiness = exchange.call.stickiness
        if stickiness is None and self.pool.strategy == "sticky":
            stickiness = conversation_of(exchange.call, exchange.caller)
        while True:
            try:
                return self.pool.pick(
                    encoder.model_of,
                    tried=used_up,
                    wanted=exchange.wanted_account,
                    stickiness=stickiness,
                    home=exchange.home,
                )
            except NoAccount as problem:
                now = self._clock()
                recovery = problem.retry_at
                if recovery is None or recovery > waited_until or now >= waited_until:
                    if last is not None:
                        raise self._give_up(last, exchange, encoder) from None
                    raise error_of_states(problem, now) from None
                await self._sleep(max(0.01, recovery - now) + random.uniform(0, 0.05))  # noqa: S311 - spreads a crowd
                used_up.clear()  # whoever rested meanwhile may be tried again

    async def _one(
        self,
        exchange: Exchange,
        encoder: Encoder,
        delivery: Delivery,
        ask: Ask,
        choice: Choice,
        *,
        renewed: bool,
    ) -> tuple[Verdict, Fault] | None:
        """One attempt; None when the answer was delivered."""
        account = choice.account
        try:
            encoded = encoder.encode(account, self.ceilings, ask)
        except BadRequest:
            self._release(account, encoder)
            raise
        exchange.account, exchange.why, exchange.model = account.name, choice.why, encoded.model
        if encoder.asks == 1:
            exchange.notices.clear()  # what was changed for an account that failed is no news
        exchange.note(encoded.notices)
        delivery.writer.rename(encoded.renamed)
        attempt = Attempt(
            number=len(exchange.attempts) + 1,
            account=account.name,
            why=choice.why,
            model=encoded.model,
            url=account.endpoint + encoded.path,
            headers=encoded.headers,
            body=encoded.body,
        )
        exchange.attempts.append(attempt)
        reception = Reception(
            self._transport,
            self.limits,
            exchange,
            delivery,
            ask.number,
            well=partial(self._well, account, encoded),
            changed=partial(self.observe, exchange, attempt) if self.observe else None,
            sleep=self._sleep,
        )
        settled = False
        try:
            failed = await self._talk(account, encoded, exchange, attempt, reception, renewed=renewed)
            settled = True
        finally:
            attempt.ended = self._clock()
            self.afterwards.send(self._transport, account, encoded.afterwards())
            if not settled:  # cancelled, or a fault of our own: the account is not to blame
                self.pool.failed(account.name, encoded.model, None)
                self.breaker.left(egress_of(account))
        if failed is None:
            return None
        verdict, fault = failed
        attempt.fault, attempt.verdict = fault, verdict.name
        reset = partial(self._spent.reset, account.name, account.flavour, day=self.limits.day)
        self.pool.failed(account.name, encoded.model, rest_of(verdict, fault, self._clock(), reset))
        if self.observe:
            await self.observe(exchange, attempt)
        if not attempt.shown or (isinstance(fault, Unmet) and fault.added):  # nothing but thoughts was shown
            return verdict, fault
        if verdict.name == "content":  # what was said stands; OpenAI has a reason for such an end (upstream.md 6)
            await delivery.write([Finish("content_filter", ask.number)])
            return None
        raise Broken(verdict, fault)

    async def _talk(
        self,
        account: Account,
        encoded: Encoded,
        exchange: Exchange,
        attempt: Attempt,
        reception: Reception,
        *,
        renewed: bool,
    ) -> tuple[Verdict, Fault] | None:
        """Have fresh credentials, send, receive; what went wrong is judged."""
        if wait := self.breaker.wait(egress_of(account)):
            return VERDICTS["challenge"], Fault(0, "", PAUSED, wait, "breaker")
        fault = await self.judge.ready(account)
        if fault is not None:
            return await self.judge(fault, account, encoded, "", renewed=renewed)
        attempt.url = account.endpoint + encoded.path  # a fresh token may be for another host (upstream.md 2.7)
        if self.observe:
            await self.observe(exchange, attempt)
        token = token_of(account)
        fault = await reception.receive(account, encoded, attempt)
        if fault is None:
            return None
        attempt.ended = self._clock()
        verdict, fault = await self.judge(fault, account, encoded, token, renewed=renewed)
        if verdict.name == "challenge":
            fault.retry_after = self._challenged(account) or fault.retry_after
        else:
            self.breaker.left(egress_of(account))
        return verdict, fault

    def _well(self, account: Account, encoded: Encoded) -> None:
        """The account serves."""
        self.pool.succeeded(account.name, encoded.model)
        self.breaker.passed(egress_of(account))

    def _challenged(self, account: Account) -> float:
        """After three challenges every account that goes the same way rests (upstream.md 3.11), for so many seconds."""
        egress = egress_of(account)
        pause = self.breaker.challenged(egress)
        if not pause:
            return 0.0
        rest = rest_of(VERDICTS["challenge"], Fault(0, "", PAUSED, pause, "breaker"), self._clock())
        for other in self.pool.accounts:
            if other is not account and egress_of(other) == egress:
                self.pool.failed(other.name, "", rest)
        logger.warning("%s, for %.0f s: %s", PAUSED, pause, VERDICTS["challenge"].advice)
        return pause

    def _release(self, account: Account, encoder: Encoder) -> None:
        """The account was picked but not used."""
        self.pool.failed(account.name, encoder.model_of(account) or "", None)

    async def _pause(self, account: Account, encoder: Encoder, failures: int) -> None:
        """Before the same account is tried again: exponential, with jitter between half and whole."""
        try:
            base: float = self.limits.back_off * 2 ** (failures - 1)
            await self._sleep(base * random.uniform(0.5, 1.0))  # noqa: S311 - spreads a crowd, guards nothing
        except asyncio.CancelledError:
            self._release(account, encoder)
            raise

    def _give_up(self, last: Failure, exchange: Exchange, encoder: Encoder) -> OpenAIError:
        """The error of the last attempt, with the time of the first recovery."""
        verdict, fault, account = last
        retry_after = None
        if verdict.retry != "no":
            recovery = self.pool.recovery(encoder.model_of, wanted=exchange.wanted_account)
            retry_after = None if recovery is None else max(1.0, recovery - self._clock())
        return error_of(verdict, fault, account=account, retry_after=retry_after)
