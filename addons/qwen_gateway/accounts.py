"""Fills the engine's pool with the operator's accounts and keeps it in step with options and files."""

import logging

from mitmproxy import ctx, exceptions

from qwen_auth.account import Account
from qwen_auth.errors import AuthError
from qwen_auth.loading import load_accounts
from qwen_gateway import options
from qwen_gateway.engine.engine import Engine

logger = logging.getLogger(__name__)

HOW_TO_ADD = (
    "No account is configured: every call will be answered with an error. Add one with "
    "`qwen-auth add NAME --plan model-studio-intl --key-from-stdin`, or set DASHSCOPE_API_KEY. "
    "To try without an account: scripts/run --demo."
)


class Accounts:
    """Loads accounts at start and when options change."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def configure(self, updated: set[str]) -> None:
        if not any(name.startswith("qwen_") for name in updated):
            return
        settings = options.read(ctx.options)
        try:
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
        try:
            accounts = load_accounts(options.environment())
        except AuthError as error:
            raise exceptions.OptionsError(str(error)) from None
        # Logins and browser sessions need upstreams of their own.
        accounts = [account for account in accounts if account.kind == "key"]
        self._engine.use(first(accounts, settings.default_account))

    def running(self) -> None:
        accounts = self._engine.pool.accounts
        if not accounts:
            logger.warning(HOW_TO_ADD)
            return
        names = ", ".join(f"{account.name} ({account.plan})" for account in accounts)
        logger.info("qwen-gateway serves with: %s; strategy: %s", names, self._engine.pool.strategy)
        if self._engine.pool.strategy == "single" and len(accounts) > 1:
            logger.info("only '%s' is used; qwen_strategy uses the others as well", accounts[0].name)


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
