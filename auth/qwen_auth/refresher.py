"""Keeps the tokens of Qwen logins fresh: one refresh at a time, however many calls wait.

Theory of operation (upstream.md 2.4, 2.5). A refresh token works once. So within this process all who
need a login share one task (a *flight*), and between processes `renewal` holds a lock and reads the
file before it asks the server.

==========  ======================================================================================
fresh       serves; a look at the file at most every 5 s, in the background
stale       serves, and a flight begins in the background
expired     calls wait for the flight
problem     its owner must sign in; the token serves until it expires, then calls fail at once,
            until the file changes
==========  ======================================================================================

A user's file is never deleted, and never overwritten but by a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakSet

import httpx

from qwen_auth.account import Account
from qwen_auth.authorization import AuthorizationServer, parse_refresh
from qwen_auth.device_flow import unreachable
from qwen_auth.errors import AuthError, NeedsLoginError, UnreachableError
from qwen_auth.files import Stamp, Warn, log_warning
from qwen_auth.oauth import Clock, OAuthCredentials
from qwen_auth.renewal import bring_up_to_date, replace_token
from qwen_auth.token import Token
from qwen_auth.transport import Connect, connect

LOOK_EVERY = 5.0  # seconds between two looks at a file (upstream.md 2.5)
LOOK_LIMIT = 3.0  # seconds after which a look is given up, where the file system hangs (upstream.md 2.5)
REFRESH_LIMIT = 25.0  # seconds; below the 29 s for which others wait for our lock (upstream.md 2.5)
JUST_GRANTED = 60.0  # seconds in which a token that is refused was not refused for its age
APART = 5.0  # seconds at least between two background refreshes: never all at once (upstream.md 2.4)


Guard = Callable[[str], contextlib.AbstractAsyncContextManager[None]]
"""What is held, by an account's name, while its login is renewed, beside the lock of its file."""


def alone(_account: str) -> contextlib.AbstractAsyncContextManager[None]:
    """Nobody else renews it but through its file."""
    return contextlib.nullcontext()


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why the last flight failed, and until when nobody tries again."""

    error: AuthError
    pause: float
    until: float


class Refresher:
    """Shared by all calls of one process, in one event loop. Close it, so that no grant is lost."""

    def __init__(
        self,
        server: AuthorizationServer | None = None,
        *,
        connect: Connect = connect,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
        warn: Warn = log_warning,
        limit: float = REFRESH_LIMIT,
        look_limit: float = LOOK_LIMIT,
        guard: Guard = alone,
    ) -> None:
        self._guard = guard
        self._server = server or AuthorizationServer()
        self._connect = connect
        self._clock = clock or Clock()
        self._sleep = sleep
        self._uniform = uniform
        self._warn = warn
        self._limit = limit
        self._look_limit = look_limit
        self._flights: dict[OAuthCredentials, asyncio.Task[None]] = {}
        self._faults: WeakKeyDictionary[OAuthCredentials, _Fault] = WeakKeyDictionary()
        self._looked: WeakKeyDictionary[OAuthCredentials, float] = WeakKeyDictionary()
        self._looking: WeakSet[OAuthCredentials] = WeakSet()  # a thread is at it, and may hang there
        self._hopeless: WeakKeyDictionary[OAuthCredentials, str] = WeakKeyDictionary()
        self._told: WeakKeyDictionary[OAuthCredentials, str] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def ready(self, account: Account) -> None:
        """Return when the account's credentials can serve a call. Accounts without a login always can.

        Raises:
            NeedsLoginError: the token has expired, and only signing in helps.
            UnreachableError, FileError, LockTimeoutError: it has expired and could not be renewed now.
        """
        credentials = account.credentials
        if not isinstance(credentials, OAuthCredentials):
            return
        if self._look_is_due(credentials):
            look = self._begin(self._look(account, credentials))
            if credentials.state == "expired":
                await asyncio.shield(look)
        state = credentials.state
        if state == "fresh":
            return
        if credentials.problem:
            if state == "expired":
                raise NeedsLoginError(account.name, credentials.problem)
        elif state == "expired":
            await self._fly(account, credentials)
        elif credentials not in self._flights and self._resting(credentials) is None:
            self._take_off(account, credentials)

    async def renew(self, account: Account, refused: str) -> bool:
        """After an auth error: have another access token than the refused one. True: repeat the call once.

        False when repeating is useless: these are no logins, or the token was refused when it had been
        granted just now, so that its age was never the matter (upstream.md 2.12: the closed free tier).
        """
        credentials = account.credentials
        if not isinstance(credentials, OAuthCredentials):
            return False
        while credentials.token.access_token == refused:
            if credentials.age is not None and credentials.age < JUST_GRANTED:
                self._hopeless[credentials] = refused
            if self._hopeless.get(credentials) == refused:
                return False
            if credentials.problem:
                raise NeedsLoginError(account.name, credentials.problem)
            # A flight under way may end with the very token that was refused; then another one follows.
            await self._fly(account, credentials)
        return True

    async def refresh(self, account: Account) -> None:
        """Renew the login now, because its owner asked for it."""
        credentials = account.credentials
        if isinstance(credentials, OAuthCredentials):
            self._faults.pop(credentials, None)
            credentials.problem = None
            await self._fly(account, credentials)

    async def keep_fresh(self, accounts: Callable[[], Iterable[Account]]) -> None:
        """Renew what goes stale, one after the other. Runs until cancelled.

        What has expired waits for its first call: renewing all logins at a start seemed to get them
        banned (upstream.md 2.4).
        """
        while True:
            for account in list(accounts()):
                if await self._tend(account):
                    await self._sleep(self._uniform(APART, 3 * APART))
            await self._sleep(self._uniform(LOOK_EVERY, 2 * LOOK_EVERY))

    async def aclose(self) -> None:
        """Let what is under way finish: a grant must reach the disk."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tend(self, account: Account) -> bool:
        """One look at one login; True when it was renewed or could not be."""
        credentials = account.credentials
        if not isinstance(credentials, OAuthCredentials):
            return False
        if self._look_is_due(credentials):
            await self._look(account, credentials)
        if credentials.state != "stale" or credentials.problem or self._resting(credentials) is not None:
            return False
        await asyncio.wait([self._flights.get(credentials) or self._take_off(account, credentials)])
        return True

    async def _fly(self, account: Account, credentials: OAuthCredentials) -> None:
        """Wait for the one flight of this login. A caller that is cancelled does not stop it for others."""
        flight = self._flights.get(credentials)
        if flight is None:
            fault = self._resting(credentials)
            if fault is not None:
                raise fault.error.with_traceback(None)
            flight = self._take_off(account, credentials)
        await asyncio.shield(flight)

    def _take_off(self, account: Account, credentials: OAuthCredentials) -> asyncio.Task[None]:
        flight = self._begin(self._flight(account, credentials, credentials.token.access_token))
        self._flights[credentials] = flight
        # The first callback: when those who wait go on, the login is free for the next flight.
        flight.add_done_callback(lambda _: self._flights.pop(credentials, None))
        return flight

    async def _flight(self, account: Account, credentials: OAuthCredentials, old: str) -> None:
        ask = functools.partial(self._ask, account.proxy)
        try:
            async with self._guard(account.name):
                await replace_token(account.name, credentials, old, ask, self._warn)
        except NeedsLoginError as error:
            self._warn(str(error))
            raise
        except AuthError as error:
            last = self._faults.get(credentials)
            pause = min(last.pause * 2, 60.0) if last else 2.0
            self._faults[credentials] = _Fault(error, pause, self._clock.monotonic() + pause)
            self._warn(f"account {account.name!r} could not be renewed: {error}")
            raise
        else:
            self._faults.pop(credentials, None)

    async def _ask(self, proxy: str | None, token: Token) -> Token:
        try:
            async with asyncio.timeout(self._limit), self._connect(proxy) as client:
                response = await client.send(self._server.refresh_request(token))
        except TimeoutError:
            host = urlsplit(self._server.token_url).hostname
            raise UnreachableError(f"{host} did not answer within {self._limit:g} s; try again in a minute") from None
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return parse_refresh(response, token, self._clock.wall())

    def _resting(self, credentials: OAuthCredentials) -> _Fault | None:
        fault = self._faults.get(credentials)
        return fault if fault and self._clock.monotonic() < fault.until else None

    def _look_is_due(self, credentials: OAuthCredentials) -> bool:
        if credentials in self._flights or credentials in self._looking:
            return False
        looked = self._looked.get(credentials)
        return looked is None or self._clock.monotonic() - looked >= LOOK_EVERY

    async def _look(self, account: Account, credentials: OAuthCredentials) -> None:
        """Notice what others did to the file, and store what could not be stored. Never fails."""
        self._looked[credentials] = self._clock.monotonic()
        words = ""
        try:
            async with asyncio.timeout(self._look_limit):
                if await self._notice(credentials):
                    words = credentials.problem or ""
            if credentials.unsaved and credentials not in self._flights:
                await bring_up_to_date(account.name, credentials, self._warn)
        except TimeoutError:
            words = f"uses the login in memory, because {credentials.file.path} hangs"
        except AuthError as error:
            words = f"keeps the login in memory: {error}"
        if words and words != self._told.get(credentials):
            self._warn(f"account {account.name!r} {words}")
        self._told[credentials] = words

    async def _notice(self, credentials: OAuthCredentials) -> bool:
        """Whether the file had something new, which the credentials know now."""

        def look() -> tuple[Stamp | None, bool, Token | None]:
            try:
                stamp = credentials.file.stamp()
                changed = stamp != credentials.stamp
                return stamp, changed, credentials.file.read() if changed else None
            finally:
                self._looking.discard(credentials)

        before = credentials.token
        self._looking.add(credentials)
        stamp, changed, found = await asyncio.to_thread(look)
        if not changed or credentials in self._flights or credentials.token is not before:
            return False  # nothing new, or a flight has newer
        if found is None:
            credentials.lost()
        else:
            credentials.adopt(found, stamp)
        return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # not lost: whoever waits gets it, and the log has it
