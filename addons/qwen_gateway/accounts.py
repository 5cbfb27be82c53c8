"""Fills the engine's pool with the operator's accounts, keeps their logins fresh, and follows options and files.

Files are looked at every two seconds, in a thread: what `qwen-auth`, qwen-code or an editor did to them counts at once.
A login that stays is kept as the object it is, for calls under way hold on to it.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from mitmproxy import ctx, exceptions
from mitmproxy.utils import asyncio_utils

from qwen_auth.account import Account
from qwen_auth.authorization import AuthorizationServer
from qwen_auth.errors import AuthError
from qwen_auth.loading import load_accounts
from qwen_auth.oauth import OAuthCredentials, closed_tier
from qwen_auth.refresher import Guard, Refresher, alone
from qwen_auth.renewals import Renewals
from qwen_auth.token import Token
from qwen_auth.watching import Snapshot, snapshot
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.renewer import Renewer
from qwen_gateway import options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.upstreams.kinds import ENCODERS
from qwen_gateway.upstreams.verdicts import VERDICTS

logger = logging.getLogger(__name__)

HOW_TO_ADD = (
    "No account is configured: every call will be answered with an error. Add one with "
    "`qwen-auth add NAME --plan model-studio-intl --key-from-stdin`, or set DASHSCOPE_API_KEY. "
    "To try without an account: scripts/run --demo."
)

LOOK_EVERY = 2.0
"""Seconds between two looks at the files of accounts."""


class Accounts:
    """Loads accounts at start, when options change, and when a file of theirs does.

    Args:
        guard: held around the renewal of a login, by whoever else may renew it.
    """

    def __init__(self, engine: Engine, *, guard: Guard = alone) -> None:
        self._engine = engine
        self._guard = guard
        self._refresher: Renewals | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._captures: dict[str, int] = {}
        self._seen: Snapshot = frozenset()
        self._told: set[str] = set()
        self._dead: dict[str, Token | str] = {}  # logins that are refused, and the token that was

    def configure(self, updated: set[str]) -> None:
        if not any(name.startswith("qwen_") for name in updated):
            return
        settings = options.read(ctx.options)
        try:
            self._engine.cache.configure(
                age=settings.cache.age, entries=settings.cache.entries, room=settings.cache.room
            )
            self._engine.configure(
                limits=settings.limits,
                strategy=settings.strategy,
                models_cache=settings.models_cache,
                connect_timeout=settings.connect_timeout,
                ca_bundle=settings.ca_bundle,
                http2=settings.http2,
            )
        except OSError as error:
            raise exceptions.OptionsError(f"qwen_ca_bundle: {settings.ca_bundle} cannot be read ({error}).") from None
        environ = options.environment()
        try:
            if self._refresher is None:
                self._refresher = Renewals(
                    Refresher(AuthorizationServer.from_environment(environ), guard=self._guard), Renewer()
                )
                self._engine.renew_with(self._refresher)
            self._seen = snapshot(environ)  # first, so that a change meanwhile is one
            accounts = served(load_accounts(environ, warn=self._warn))
        except AuthError as error:
            raise exceptions.OptionsError(str(error)) from None
        self._engine.use(first(keep_logins(self._engine.pool.accounts, accounts), settings.default_account))

    def running(self) -> None:
        accounts = self._engine.pool.accounts
        if not accounts:
            logger.warning(HOW_TO_ADD)
        else:
            names = ", ".join(f"{account.name} ({account.plan})" for account in accounts)
            logger.info("qwen-gateway serves with: %s; strategy: %s", names, self._engine.pool.strategy)
            if self._engine.pool.strategy == "single" and len(accounts) > 1:
                logger.info("only '%s' is used; qwen_strategy uses the others as well", accounts[0].name)
        for account in accounts:
            if account.kind == "oauth" and (closed := closed_tier(account.endpoint)):
                self._warn(f"account {account.name!r}: {closed}")
        assert self._refresher is not None
        self._tasks = [
            asyncio_utils.create_task(
                self._refresher.keep_fresh(lambda: self._engine.pool.accounts), name="keep logins fresh", keep_ref=True
            ),
            asyncio_utils.create_task(self._follow(), name="follow the files of accounts", keep_ref=True),
        ]

    def done(self) -> asyncio.Task[None] | None:
        """Let a renewal under way reach the disk; mitmproxy waits for the task when the process ends."""
        for task in self._tasks:
            task.cancel()
        try:
            return asyncio_utils.create_task(self._close(), name="close accounts", keep_ref=True)
        except RuntimeError:  # never ran: there is no loop, and nothing under way
            return None

    async def _close(self) -> None:
        if self._refresher is not None:
            await self._refresher.aclose(self._engine.pool.accounts)

    async def _follow(self) -> None:
        environ = options.environment()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self._restore()
            now = await asyncio.to_thread(snapshot, environ)
            if now == self._seen:
                continue
            self._seen = now
            try:
                accounts = served(await asyncio.to_thread(load_accounts, environ, warn=self._warn))
            except AuthError as error:
                self._warn(f"the accounts stay as they are: {error}")
                continue
            self._take(accounts)

    def _take(self, accounts: list[Account]) -> None:
        before = self._engine.pool.accounts
        wanted = options.read(ctx.options).default_account
        accounts = keep_logins(before, sorted(accounts, key=lambda account: account.name != wanted))
        if accounts == before:
            return
        self._engine.use(accounts)
        names = ", ".join(account.name for account in accounts) or "none"
        logger.info("the files of accounts have changed; accounts now: %s", names)

    def _restore(self) -> None:
        """Tell of logins that are refused, and give them another chance when their file has another token."""
        refused = {state.account: state for state in self._engine.pool.states() if state.status == "needs-login"}
        self._welcome_captures()
        for account in self._engine.pool.accounts:
            credentials, name = account.credentials, account.name
            if not isinstance(credentials, OAuthCredentials | WebCredentials) or name not in refused:
                self._dead.pop(name, None)
            elif name not in self._dead:
                self._dead[name] = credentials.token
                state = refused[name]
                verdict = VERDICTS.get(state.cause)
                logger.warning("account '%s': %s. %s", name, state.reason, verdict.advice if verdict else "")
            elif credentials.token != self._dead[name]:
                self._engine.reset(name)
                logger.info("account '%s' has a new login and is used again", name)

    def _welcome_captures(self) -> None:
        """A session that its owner captured anew begins anew: that is what a challenge asks for."""
        for account in self._engine.pool.accounts:
            if not isinstance(account.credentials, WebCredentials):
                continue
            captures = account.credentials.captures
            if captures != self._captures.setdefault(account.name, captures):
                self._captures[account.name] = captures
                self._engine.reset(account.name)
                logger.info("account '%s' has a session that was captured anew, and is used again", account.name)

    def _warn(self, message: str) -> None:
        """Once: files are read often."""
        if message not in self._told:
            self._told.add(message)
            logger.warning(message)


def served(accounts: Iterable[Account]) -> list[Account]:
    """Those of kinds that there is an encoder for."""
    return [account for account in accounts if account.kind in ENCODERS]


def keep_logins(old: Iterable[Account], new: Iterable[Account]) -> list[Account]:
    """The new list, with the old credentials where it is the same login: they know more than the file does."""
    kinds = OAuthCredentials | WebCredentials
    known = {account.name: account for account in old if isinstance(account.credentials, kinds)}
    kept = []
    for account in new:
        before = known.get(account.name)
        if before is not None and before.source == account.source and account.kind == before.kind:
            kept.append(replace(account, credentials=before.credentials, base_url=before.base_url))
        else:
            kept.append(account)
    return kept


def first(accounts: list[Account], name: str | None) -> list[Account]:
    """The accounts with the default one first.

    Raises:
        OptionsError: there is no account of that name.
    """
    if name is None:
        return accounts
    if accounts and name not in {account.name for account in accounts}:
        raise exceptions.OptionsError(
            f"qwen_default_account: there is no account {name!r}; accounts: "
            f"{', '.join(account.name for account in accounts)}."
        )
    return sorted(accounts, key=lambda account: account.name != name)
