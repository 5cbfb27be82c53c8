"""Renewal for accounts of every kind: Qwen logins by their refresh tokens, browser sessions by their cookies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from qwen_auth.account import Account
from qwen_auth.refresher import Refresher
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.renewer import Renewer


class Renewals:
    """Asks whichever of the two an account belongs to; accounts with a key belong to neither, and are always ready."""

    def __init__(self, logins: Refresher, sessions: Renewer) -> None:
        self._logins = logins
        self._sessions = sessions

    async def ready(self, account: Account) -> None:
        """Return when the account's credentials can serve a call, or raise an `AuthError`."""
        await self._of(account).ready(account)

    async def renew(self, account: Account, refused: str) -> bool:
        """Have another token than the refused one; False when that is useless."""
        return await self._of(account).renew(account, refused)

    async def keep_fresh(self, accounts: Callable[[], Iterable[Account]]) -> None:
        """Renew what goes stale. Runs until cancelled."""
        await asyncio.gather(self._logins.keep_fresh(accounts), self._sessions.keep_fresh(accounts))

    async def aclose(self, accounts: Iterable[Account] = ()) -> None:
        """Let what is under way finish, and reach the disk."""
        await self._logins.aclose()
        await self._sessions.aclose(accounts)

    def _of(self, account: Account) -> Refresher | Renewer:
        return self._sessions if isinstance(account.credentials, WebCredentials) else self._logins
