"""An attempt's fault, judged with all that is known; a login that has expired is renewed on the way."""

from typing import Protocol

from qwen_auth.account import Account
from qwen_auth.errors import AuthError, NeedsLoginError
from qwen_auth.oauth import OAuthCredentials
from qwen_auth.pool import Pool
from qwen_auth.web.credentials import WebCredentials
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.upstreams.faults import Case, judge
from qwen_gateway.upstreams.key import Encoded
from qwen_gateway.upstreams.verdicts import Verdict


class Renewal(Protocol):
    """Keeps logins fresh: `qwen_auth.refresher.Refresher`."""

    async def ready(self, account: Account) -> None:
        """Return when the account's credentials can serve a call, or raise an `AuthError`."""

    async def renew(self, account: Account, refused: str) -> bool:
        """Have another token than the refused one; False when that is useless."""


class Judge:
    """Judges faults for one engine.

    Args:
        renewal: None where no account has a login.
    """

    def __init__(self, pool: Pool, renewal: Renewal | None = None) -> None:
        self._pool = pool
        self.renewal = renewal

    async def ready(self, account: Account) -> Fault | None:
        """Wait until the account can serve; the fault if it cannot."""
        if self.renewal is None:
            return None
        try:
            await self.renewal.ready(account)
        except AuthError as error:
            return fault_of(error)
        return None

    async def __call__(
        self, fault: Fault, account: Account, encoded: Encoded, token: str, *, renewed: bool
    ) -> tuple[Verdict, Fault]:
        """What the fault means. For `auth_expired` another token is there afterwards; if none is to be had, what that
        means.

        Args:
            token: the one that was sent.
            renewed: it had been renewed for this very call.
        """
        repeats, lasting = self._pool.insistence(account.name, encoded.model, fault.code.lower())
        flavour, body = account.flavour, encoded.body
        verdict = judge(fault, Case(flavour, body, renewed, repeats, lasting))
        if verdict.retry != "renewed" or self.renewal is None:
            return verdict, fault
        try:
            renewed = not await self.renewal.renew(account, token)
        except AuthError as error:
            fault = fault_of(error)
        return judge(fault, Case(flavour, body, renewed, repeats, lasting)), fault


def fault_of(error: AuthError) -> Fault:
    """Why a login cannot serve, as a fault."""
    return Fault(0, "", str(error), origin="login" if isinstance(error, NeedsLoginError) else "renewal")


def token_of(account: Account) -> str:
    """The token that the account's credentials would send now; empty for those that are no login."""
    credentials = account.credentials
    if isinstance(credentials, WebCredentials):
        return credentials.token
    return credentials.token.access_token if isinstance(credentials, OAuthCredentials) else ""
