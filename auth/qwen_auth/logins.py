"""The Qwen logins of this machine as accounts, and how a new one is stored."""

from __future__ import annotations

from collections.abc import Mapping

from qwen_auth.account import Account
from qwen_auth.errors import FileError, UnknownAccountError
from qwen_auth.files import Warn, log_warning
from qwen_auth.oauth import OAuthCredentials, Timing, oauth_account
from qwen_auth.qwen_store import LoginFile, QwenDirectory
from qwen_auth.records import LoginSettings
from qwen_auth.token import Token


def login_accounts(
    environ: Mapping[str, str], settings: Mapping[str, LoginSettings], warn: Warn = log_warning
) -> list[Account]:
    """One account per login file that can be read, `default` first; a broken file is told and costs only itself."""
    directory = QwenDirectory.from_environment(environ, warn)
    timing = Timing.from_environment(environ)
    accounts = []
    for name in directory.names():
        file = directory.file(name)
        try:
            stamp, token = file.stamp(), file.read()
        except FileError as error:
            warn(f"account {name!r} is left out: {error}")
            continue
        if token is None:
            continue
        said = settings.get(name, LoginSettings(name))
        credentials = OAuthCredentials(file, token, stamp, timing=timing)
        accounts.append(oauth_account(name, credentials, proxy=said.proxy, models=said.models))
    return accounts


def store_login(file: LoginFile, token: Token, warn: Warn = log_warning) -> None:
    """Put a new login in the place of an old one, with the lock held. A file that was no login is kept beside it."""
    with file.lock():
        try:
            file.read()
        except FileError as error:
            kept = file.path.with_suffix(".json.broken")
            file.path.replace(kept)
            warn(f"{error.path} was no login and is kept as {kept.name}")
        file.write(token)


def remove_login(file: LoginFile, name: str, known: tuple[str, ...] = ()) -> None:
    """Forget a login, because its owner said so."""
    with file.lock():
        if file.stamp() is None:
            raise UnknownAccountError(name, known)
        file.remove()
