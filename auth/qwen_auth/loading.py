"""All accounts of one operator, from wherever they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qwen_auth.account import Account
from qwen_auth.environment import environment_accounts
from qwen_auth.files import Warn, log_warning
from qwen_auth.logins import login_accounts
from qwen_auth.plans import explain_mismatch
from qwen_auth.records import LoginSettings
from qwen_auth.store import AccountStore, gateway_home
from qwen_auth.web.accounts import web_accounts


def load_accounts(environ: Mapping[str, str], home: Path | None = None, *, warn: Warn = log_warning) -> list[Account]:
    """The accounts of the file, of the environment, browser sessions, and Qwen logins; `DEFAULT_ACCOUNT` first of all.

    Logins come last, because their free tier is closed (upstream.md 2.13).

    Whatever is left out or looks wrong is told to `warn`, in words without secrets; a file that
    cannot be understood at all is a `FileError`. `home` defaults to `gateway_home(environ)`.
    """
    entries = AccountStore(home or gateway_home(environ), warn).entries()
    accounts = [entry for entry in entries if isinstance(entry, Account)]
    settings = {entry.name: entry for entry in entries if isinstance(entry, LoginSettings)}
    others = (
        *environment_accounts(environ),
        *web_accounts(environ, warn),
        *login_accounts(environ, settings, warn),
    )
    for account in others:
        _join(accounts, account, warn)
    for account in accounts:
        if account.kind == "key":
            key = next(iter(account.credentials.secrets()), "")
            if problem := explain_mismatch(account.plan, key, account=account.name):
                warn(f"account {account.name!r} ({account.source}): {problem}")
    return _default_first(accounts, environ.get("DEFAULT_ACCOUNT", "").strip(), warn)


def _join(accounts: list[Account], account: Account, warn: Warn) -> None:
    """Append the account unless it is there already, by its name or by its key."""
    for known in accounts:
        if known.name.casefold() == account.name.casefold():
            warn(f"account {account.name!r} of {account.source} is left out: {known.source} has one of that name")
            return
        if (known.endpoint, known.credentials) == (account.endpoint, account.credentials):
            return
    accounts.append(account)


def _default_first(accounts: list[Account], name: str, warn: Warn) -> list[Account]:
    if not name:
        return accounts
    if all(account.name != name for account in accounts):
        known = ", ".join(account.name for account in accounts) or "none"
        warn(f"DEFAULT_ACCOUNT names {name!r}, which does not exist; known accounts: {known}")
    return sorted(accounts, key=lambda account: account.name != name)
