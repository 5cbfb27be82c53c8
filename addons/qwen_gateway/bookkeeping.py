"""Counts what each account does, and writes down what must outlive the process: counts, windows and rests.

The files are `request_counts.json`, shared with other gateways and seed A (upstream.md 2.14), `windows.json` and
`rests.json`. They are written every few seconds, in a thread, and once more at the end.
"""

import asyncio
import logging
import time
from collections import defaultdict

from mitmproxy import http
from mitmproxy.utils import asyncio_utils

from qwen_auth.counts import RequestCounts, Tally
from qwen_auth.errors import AuthError
from qwen_auth.pool import State, Status
from qwen_auth.qwen_store import qwen_directory
from qwen_auth.rests import Resting, read_rests, write_rests
from qwen_auth.spent import read_spent, write_spent
from qwen_auth.store import gateway_home
from qwen_gateway import options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.upstreams.chat_chunks import count

logger = logging.getLogger(__name__)

EVERY = 3.0
"""Seconds between two writes."""

REFUSED = 429
"""Calls that were refused for a quota are no part of it."""

RESTORED: dict[str, Status] = {"resting": "resting", "exhausted": "exhausted", "excluded": "excluded"}
"""Rests that go on after a restart. Who needed a login may have one by now, and is tried."""

BY_HAND = "disabled by hand"
"""Why an account rests that an operator took out: until it is reset, restarts or not."""


class Bookkeeping:
    """Listens to exchanges, and to nothing else."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: RequestCounts | None = None
        self._task: asyncio.Task[None] | None = None
        self._written: list[Resting] | None = None
        self._dirty = False
        self._told = ""

    def running(self) -> None:
        environ = options.environment()
        self._home = gateway_home(environ)
        self._counts = RequestCounts(qwen_directory(environ) / "request_counts.json")
        read_spent(self._home, self._engine.spent)
        self._restore(read_rests(self._home, time.time()))
        self._written = self._resting()
        self._task = asyncio_utils.create_task(self._keep_writing(), name="write down counts", keep_ref=True)

    def qwen_exchange(self, _flow: http.HTTPFlow, exchange: Exchange) -> None:
        """An exchange ended: every attempt that an upstream answered counts, its tokens once."""
        if self._counts is None:
            return
        tallies: defaultdict[str, Tally] = defaultdict(Tally)
        for attempt in exchange.attempts:
            if attempt.status is not None:
                tallies[attempt.account].requests += 1
                if attempt.status != REFUSED:
                    self._engine.spent.add(attempt.account, attempt.started)
                self._dirty = True
        if exchange.usage and exchange.account:
            used, tally = exchange.usage, tallies[exchange.account]
            tally.input_tokens, tally.output_tokens = used.prompt, used.completion
            tally.cache_read_tokens = count(used.prompt_details.get("cached_tokens"))
        for account, tally in tallies.items():
            self._counts.count(account, tally)

    def done(self) -> None:
        """The last write is not left to a thread: nobody would wait for it."""
        if self._task is not None:
            self._task.cancel()
            self._write(self._resting(), self._engine.spent.to_json(time.time()))

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            rests = self._resting()
            if self._dirty or rests != self._written:
                self._dirty = False
                await asyncio.to_thread(self._write, rests, self._engine.spent.to_json(time.time()))

    def _write(self, rests: list[Resting], spent: bytes) -> None:
        """Never fails: a full disk stops no calls."""
        assert self._counts is not None
        try:
            self._counts.flush()
            write_spent(self._home, spent)
            if rests != self._written:
                write_rests(self._home, rests)
                self._written = rests
        except AuthError as error:
            if str(error) != self._told:
                self._told = str(error)
                logger.warning("counts and rests are in memory only: %s", error)

    def _restore(self, rests: list[Resting]) -> None:
        """Go on where the last process ended."""
        pool = self._engine.pool
        known = {account.name for account in pool.accounts}
        for rest in rests:
            if rest.until is None and rest.account in known:
                pool.disable(rest.account)
                logger.warning("account '%s' is disabled; `qwen.account.reset %s` enables it", *[rest.account] * 2)
        pool.restore(
            State(rest.account, rest.model, RESTORED[rest.status], rest.until, rest.reason, rest.cause)
            for rest in rests
            if rest.until is not None and rest.status in RESTORED
        )

    def _resting(self) -> list[Resting]:
        now, pool = time.time(), self._engine.pool
        return [Resting(name, "", "disabled", None, BY_HAND) for name in sorted(pool.disabled)] + [
            Resting(state.account, state.model, state.status, state.until, state.reason, state.cause)
            for state in pool.states()
            if state.status != "healthy" and state.until > now
        ]
