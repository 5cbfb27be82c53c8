"""Keeps browser sessions fresh: a new token before the old one expires, the cookies that answers set on disk.

`GET /api/v1/auths/` with the session itself answers with its user and a new `token` (upstream.md 3.1). Where that no
longer works, only the browser helps, and its owner is told while the old token still serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from weakref import WeakKeyDictionary

import httpx
import orjson

from qwen_auth.account import Account
from qwen_auth.device_flow import unreachable
from qwen_auth.errors import AuthError, NeedsLoginError, RefusedError, UnreachableError
from qwen_auth.files import Warn, log_warning
from qwen_auth.oauth import Clock
from qwen_auth.transport import Connect, connect
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.session import is_jwt

EVERY = 5.0  # seconds between two looks at the files and the clock
LIMIT = 15.0  # seconds for a renewal
PAUSE = 30.0  # seconds after one that failed
PATH = "/api/v1/auths/"
CAPTURE = "capture the session again in the browser: `qwen-auth add {name} --web --from-curl --replace`"


class Renewer:
    """Shared by all calls of one process, in one event loop. Close it, so that the last cookies reach the disk."""

    def __init__(
        self,
        *,
        connect: Connect = connect,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        warn: Warn = log_warning,
    ) -> None:
        self._connect = connect
        self._clock = clock or Clock()
        self._sleep = sleep
        self._warn = warn
        self._flights: dict[WebCredentials, asyncio.Task[None]] = {}
        self._failed: WeakKeyDictionary[WebCredentials, tuple[float, AuthError]] = WeakKeyDictionary()
        self._told: WeakKeyDictionary[WebCredentials, str] = WeakKeyDictionary()
        self._seen: WeakKeyDictionary[WebCredentials, None] = WeakKeyDictionary()

    async def ready(self, account: Account) -> None:
        """Return when the session can serve a call.

        Raises:
            NeedsLoginError: it has expired, and only the browser helps.
            UnreachableError: it has expired and could not be renewed now.
        """
        credentials = account.credentials
        if not isinstance(credentials, WebCredentials):
            return
        self._seen[credentials] = None
        state = credentials.state
        if state == "expired":
            await self.refresh(account, patient=True)
        elif state == "stale" and credentials not in self._flights and not self._resting(credentials):
            self._take_off(account, credentials)

    async def renew(self, account: Account, refused: str) -> bool:
        """After an auth error: have another token than the refused one. True: repeat the call once."""
        credentials = account.credentials
        if not isinstance(credentials, WebCredentials) or credentials.guest:
            return False
        if credentials.token == refused:
            await self._look(credentials)  # its owner may have captured it anew
        if credentials.token == refused:
            await self.refresh(account, patient=True)
        return credentials.token != refused

    async def refresh(self, account: Account, *, patient: bool = False) -> None:
        """Renew now. `patient`: not again when it failed a moment ago."""
        credentials = account.credentials
        if not isinstance(credentials, WebCredentials):
            return
        if patient and (error := self._resting(credentials)):
            raise error.with_traceback(None)
        flight = self._flights.get(credentials) or self._take_off(account, credentials)
        await asyncio.shield(flight)

    async def keep_fresh(self, accounts: Callable[[], Iterable[Account]]) -> None:
        """Renew what goes stale, store what changed, notice what others stored. Runs until cancelled.

        What nobody uses is left to expire: renewing a session is a request that its owner did not make.
        """
        while True:
            await self._sleep(EVERY)
            for account in list(accounts()):
                credentials = account.credentials
                if not isinstance(credentials, WebCredentials):
                    continue
                await self._look(credentials)
                if credentials in self._seen and credentials.state == "stale" and not self._resting(credentials):
                    await asyncio.wait([self._flights.get(credentials) or self._take_off(account, credentials)])

    async def aclose(self, accounts: Iterable[Account] = ()) -> None:
        """Let what is under way finish, and write the last cookies."""
        if self._flights:
            await asyncio.gather(*self._flights.values(), return_exceptions=True)
        for account in accounts:
            if isinstance(account.credentials, WebCredentials):
                await self._look(account.credentials)

    def _take_off(self, account: Account, credentials: WebCredentials) -> asyncio.Task[None]:
        flight = asyncio.create_task(self._flight(account, credentials))
        self._flights[credentials] = flight
        flight.add_done_callback(lambda task: self._landed(credentials, task))
        return flight

    def _landed(self, credentials: WebCredentials, task: asyncio.Task[None]) -> None:
        self._flights.pop(credentials, None)
        if not task.cancelled():
            task.exception()  # not lost: whoever waits gets it, and the log has it

    async def _flight(self, account: Account, credentials: WebCredentials) -> None:
        old = credentials.token
        await self._look(credentials)  # another gateway may have been faster
        if credentials.token != old and credentials.state == "fresh":
            return
        try:
            async with asyncio.timeout(LIMIT), self._connect(account.proxy) as client:
                response = await client.get(account.base_url + PATH, headers=self._headers(credentials))
            self._take(account, credentials, response)
        except TimeoutError:
            self._failure(account, credentials, UnreachableError(f"{account.base_url} did not answer in {LIMIT:g} s"))
        except httpx.HTTPError as error:
            self._failure(account, credentials, unreachable(error))
        except AuthError as error:
            self._failure(account, credentials, error)
        self._failed.pop(credentials, None)
        self._told.pop(credentials, None)
        await self._look(credentials)

    @staticmethod
    def _headers(credentials: WebCredentials) -> dict[str, str]:
        headers = {"accept": "application/json", "source": "web"}
        credentials.apply(headers)
        return headers

    def _take(self, account: Account, credentials: WebCredentials, response: httpx.Response) -> None:
        """The new token of an answer.

        Raises:
            NeedsLoginError: the session is dead.
            RefusedError, UnreachableError: the answer is something else, for example a challenge.
        """
        credentials.absorb(response.headers.get_list("set-cookie"))
        try:
            document = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            document = None
        said = document if isinstance(document, dict) else {}
        data = said.get("data")
        inner = data if isinstance(data, dict) else {}
        code = str(inner.get("code") or said.get("code") or "")
        if response.status_code in (401, 403) or code.lower() == "unauthorized":
            credentials.problem = "was signed out by chat.qwen.ai"
            raise NeedsLoginError(account.name, credentials.problem, CAPTURE.format(name=account.name))
        token = said.get("token") or inner.get("token")
        if response.status_code != 200 or not isinstance(token, str) or not is_jwt(token):
            what = f"HTTP {response.status_code}" if response.status_code != 200 else code or "no token"
            raise RefusedError(f"chat.qwen.ai answered a renewal with {what[:80]}")
        if token == credentials.session.jwt and credentials.state == "expired":
            credentials.problem = "has expired, and chat.qwen.ai gives it no new token"
            raise NeedsLoginError(account.name, credentials.problem, CAPTURE.format(name=account.name))
        credentials.problem = None
        credentials.move_on(credentials.session.with_token(token))

    def _failure(self, account: Account, credentials: WebCredentials, error: AuthError) -> None:
        """Say it once, while the old token still serves; calls fail with it when it no longer does."""
        remaining = credentials.remaining
        expired = remaining is None or remaining <= 0
        if expired and not isinstance(error, NeedsLoginError | UnreachableError):
            remedy = CAPTURE.format(name=account.name)
            error = NeedsLoginError(account.name, f"has expired and could not be renewed ({error})", remedy)
        self._failed[credentials] = (self._clock.monotonic() + PAUSE, error)
        words = str(error)
        if not expired and remaining is not None:
            words = (
                f"account {account.name!r} expires in {max(1, round(remaining / 60))} min, and was not renewed: {error}"
            )
        if words != self._told.get(credentials):
            self._told[credentials] = words
            self._warn(words)
        raise error

    def _resting(self, credentials: WebCredentials) -> AuthError | None:
        until, error = self._failed.get(credentials, (0.0, None))
        return error if self._clock.monotonic() < until else None

    async def _look(self, credentials: WebCredentials) -> None:
        """Memory and file agree afterwards: what others wrote wins, what moved on is written. Never fails."""
        try:
            stamp = await asyncio.to_thread(credentials.file.stamp)
            if stamp != credentials.stamp:
                found, origin = await asyncio.to_thread(credentials.file.read), credentials.kept.origin
                if found.origin == origin if found else not origin:
                    credentials.adopt(found, stamp)
                    return
                credentials.stamp = stamp
            if credentials.unsaved:
                kept = credentials.kept
                credentials.stamp = await asyncio.to_thread(credentials.file.update, kept, stamp)
                credentials.unsaved = credentials.kept is not kept
        except AuthError as error:
            words = f"a browser session is in memory only: {error}"
            if words != self._told.get(credentials):
                self._told[credentials] = words
                self._warn(words)
