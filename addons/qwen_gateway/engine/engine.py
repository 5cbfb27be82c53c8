"""The engine: accounts, connections, lists and attempts, put together once and shared by the addons."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from copy import copy

from qwen_auth.account import Account
from qwen_auth.pool import Pool, Strategy
from qwen_auth.spent import Spent
from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from qwen_gateway.engine.attempts import Attempts, Broken, egress_of
from qwen_gateway.engine.breaker import Breaker
from qwen_gateway.engine.budget import RetryBudget
from qwen_gateway.engine.cache import Cache, Copied, Kept
from qwen_gateway.engine.catalogue import Catalogue
from qwen_gateway.engine.consequences import error_of
from qwen_gateway.engine.delivery import Client, Delivery, Headers, Writer
from qwen_gateway.engine.encoder import Encoder
from qwen_gateway.engine.errands import Afterwards
from qwen_gateway.engine.gate import Gate, admit
from qwen_gateway.engine.httpx_transport import HttpxTransport
from qwen_gateway.engine.judging import Renewal
from qwen_gateway.engine.limits import Limits
from qwen_gateway.engine.transport import Transport
from qwen_gateway.exchange import Exchange
from qwen_gateway.histories import Sessions, SessionsInMemory
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.tokens.estimator import Estimator
from qwen_gateway.upstreams.steps import Request

logger = logging.getLogger(__name__)


class Engine:
    """Everything between a parsed call and its answer. Needs no event loop yet; `configure` may be repeated.

    Attributes:
        running: the exchanges that are being served, each with its task.
        leaving: the process is about to end and takes no new calls (`drain.py`).

    Args:
        transport: the way to the upstreams until `configure` chooses one.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        transport: Transport | None = None,
        *,
        limits: Limits | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pool = Pool([], clock=clock)
        self.spent = Spent()
        self.estimator = Estimator()
        self.limits = limits or Limits()
        self.transport: Transport = transport or AiohttpTransport()
        self.catalogue = Catalogue(self.transport, keep=3600)
        self._sleep, self._clock = sleep, clock
        self._budget = RetryBudget()
        self._breaker = Breaker(clock)
        self._afterwards = Afterwards()
        self.sessions: Sessions = SessionsInMemory(clock)
        self._ways: tuple[object, ...] = ()
        self._kept: float | None = None
        self._retired: list[Transport] = []
        self._renewal: Renewal | None = None
        self.leaving = False
        self.running: dict[Exchange, asyncio.Task[object]] = {}
        self._last_word: OpenAIError | None = None
        self.gate: Gate | None = None
        self.cache = Cache()
        self.attempts = self._make_attempts()

    def _make_attempts(self) -> Attempts:
        return Attempts(
            self.pool,
            self.transport,
            self.limits,
            budget=self._budget,
            spent=self.spent,
            renewal=self._renewal,
            breaker=self._breaker,
            afterwards=self._afterwards,
            sleep=self._sleep,
            clock=self._clock,
        )

    def configure(
        self,
        *,
        limits: Limits,
        strategy: Strategy,
        models_cache: float,
        connect_timeout: float,
        ca_bundle: str | None,
        http2: bool,
    ) -> None:
        """Take new settings; what runs goes on with the old ones.

        Raises:
            OSError: the CA bundle cannot be read.
        """
        self.pool.strategy = strategy
        self.limits = limits
        ways = (connect_timeout, ca_bundle, http2)
        if ways != self._ways:
            kind = HttpxTransport if http2 else AiohttpTransport
            transport = kind(connect_timeout=connect_timeout, ca_bundle=ca_bundle)
            self._retired.append(self.transport)
            self.transport, self._ways, self._kept = transport, ways, None
        if models_cache != self._kept:
            self.catalogue, self._kept = Catalogue(self.transport, keep=models_cache), models_cache
        observe, ceilings, toolless = self.attempts.observe, self.attempts.ceilings, self.attempts.toolless
        self.attempts = self._make_attempts()
        self.attempts.observe, self.attempts.ceilings, self.attempts.toolless = observe, ceilings, toolless

    def use(self, accounts: list[Account]) -> None:
        """Take a new list of accounts."""
        self.pool.replace(accounts)

    def reset(self, name: str) -> None:
        """Forget what is held against an account, and the challenges on its way."""
        self.pool.reset(name)
        for account in self.pool.accounts:
            if account.name == name:
                self._breaker.passed(egress_of(account))

    def secrets(self) -> list[str]:
        """Every raw string of the accounts that must not be seen anywhere."""
        return [secret for account in self.pool.accounts for secret in account.secrets()]

    def tidy(self, account: Account, requests: Iterable[Request]) -> None:
        """Make requests that nobody waits for."""
        self._afterwards.send(self.transport, account, requests)

    def renew_with(self, renewal: Renewal) -> None:
        """Whom to ask for fresh tokens of logins."""
        self._renewal = self.attempts.judge.renewal = renewal

    async def serve(
        self,
        exchange: Exchange,
        encoder: Encoder,
        client: Client,
        writer: Writer,
        *,
        headers: Headers | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Answer one exchange, whatever happens. Ends it exactly once; is cancelled when the client goes away.

        Args:
            writer: puts the answer into the words of the client's surface.
            headers: added to every answer.
            ended: told that the exchange ended, before the last bytes go out; not told of a cancelled one.
        """
        exchange.measure = self.estimator.measure(exchange.call)
        key = self.cache.key(exchange)
        kept = self.cache.get(key) if key else None
        copied = Copied(writer) if key and kept is None else None
        delivery = Delivery(
            exchange,
            client,
            copied or writer,
            hold=self.limits.hold,
            keep_alive=self.limits.keep_alive,
            headers=headers or [],
            ended=ended,
        )
        task = asyncio.current_task()
        assert task is not None
        self.running[exchange] = task
        asked = encoder
        try:
            self._still_open()
            if kept is not None:
                await repeat(kept, exchange, delivery)
                return
            await asked.begin(exchange)
            if self.gate is not None and exchange.caller:
                encoder = await admit(self.gate, exchange, encoder, self.pool.accounts, self.estimator)
            await self.attempts.run(exchange, encoder, delivery)
            await delivery.finish()
            if key and copied:
                self.cache.put(key, exchange, copied)
        except OpenAIError as error:
            await delivery.fail(error)
        except Broken as broken:
            await delivery.fail(error_of(broken.verdict, broken.fault))
        except asyncio.CancelledError:
            if self._last_word is None or exchange.outcome != "running":
                exchange.end("cancelled")
                raise
            await delivery.fail(self._last_word)
        except Exception:
            logger.exception("exchange %s failed by a fault of the gateway's own", exchange.id)
            await delivery.fail(
                OpenAIError(
                    f"The gateway itself failed on this call; its log has the reason ({exchange.id}).",
                    code="internal_error",
                )
            )
        finally:
            del self.running[exchange]
            delivery.stop()
            asked.settle()
            if self.gate is not None and exchange.caller:
                self.gate.leave(exchange, None if kept else delivery.writer.usage, 0 if kept else delivery.pieces)

    def _still_open(self) -> None:
        if self._last_word is not None:
            raise self._last_word

    def stop(self, error: OpenAIError) -> None:
        """End every exchange with this error, those still to come included."""
        self._last_word = error
        for task in list(self.running.values()):
            task.cancel()

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._afterwards.aclose()
        for transport in (*self._retired, self.transport):
            await transport.aclose()
        self._retired.clear()


async def repeat(kept: Kept, exchange: Exchange, delivery: Delivery) -> None:
    """Give an answer again."""
    exchange.repeated, exchange.model, exchange.why = True, kept.model, "answered before: from the cache"
    exchange.note(kept.notices)
    delivery.writer.rename(kept.renamed)
    for delta in kept.deltas:
        await delivery.write([copy(delta)])
    await delivery.finish()
