"""Whether the configuration makes sense: accounts of every kind, options, files and their modes. Sends nothing.

Seed B's `validate-config`. What `qwen-gateway` would refuse at its start is an error; what it would go on with, and its
operator should know, a warning.
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mitmproxy import exceptions, optmanager
from mitmproxy.addonmanager import Loader
from mitmproxy.options import Options

from qwen_auth.account import Account
from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError
from qwen_auth.loading import load_accounts
from qwen_auth.store import gateway_home
from qwen_auth.web.accounts import expiry_of
from qwen_gateway import options
from qwen_gateway.callers import is_loopback
from qwen_gateway.ledger import LedgerError
from qwen_gateway.ledger.presence import has_keys
from qwen_gateway.option_table import OPTIONS
from qwen_gateway.upstreams.kinds import ENCODERS

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; never with a secret in it."""

    level: Level
    text: str
    no_account: bool = False


def look(environ: Mapping[str, str], folder: Path, host: str, settings: Sequence[str]) -> list[Finding]:
    """Everything that was found.

    Args:
        folder: where a `.env` file may lie.
        settings: `NAME=VALUE`, as `--set` takes them.
    """
    try:
        environ = read_environment(environ, folder)
    except AuthError as error:
        return [Finding("error", str(error))]
    return [
        *_accounts(environ),
        *_options(environ, host, settings),
        *_files(environ, folder),
    ]


def _accounts(environ: Mapping[str, str]) -> Iterator[Finding]:
    told: list[str] = []
    try:
        accounts = load_accounts(environ, warn=told.append)
    except AuthError as error:
        yield Finding("error", str(error))
        return
    yield from (Finding("error" if "is left out" in text else "warning", text) for text in dict.fromkeys(told))
    if not accounts:
        yield Finding("error", "there is no account; add one with `qwen-auth add NAME --plan PLAN`", no_account=True)
    for account in accounts:
        yield _account(account)


def _account(account: Account) -> Finding:
    what = f"account {account.name}: {account.kind}, {account.plan}, {account.endpoint}"
    if account.kind not in ENCODERS:
        return Finding("warning", f"{what}; accounts of this kind are not served")
    expiry = expiry_of(account)
    if account.kind == "web" and expiry is not None:
        minutes = (expiry - time.time()) / 60
        if minutes <= 0:
            remedy = f"if its cookies cannot renew it, `qwen-auth add {account.name} --web --from-curl --replace`"
            return Finding("warning", f"{what}; the session has expired: {remedy}")
        return Finding("ok", f"{what}; the session expires in {minutes:.0f} min, and is renewed while it is used")
    return Finding("ok", what)


def _options(environ: Mapping[str, str], host: str, settings: Sequence[str]) -> Iterator[Finding]:
    manager = Options()
    try:
        options.declare(_Loader(manager), environ)
        optmanager.load_paths(manager, Path(manager.confdir, "config.yaml").expanduser())
        manager.set(*settings)
        read = options.read(manager)
        keys = bool(options.caller_keys(read, environ)) or has_keys(read.ledger.where)
    except (exceptions.OptionsError, LedgerError) as error:
        yield Finding("error", str(error))
        return
    if read.ca_bundle and not Path(read.ca_bundle).is_file():
        yield Finding("error", f"qwen_ca_bundle: there is no file {read.ca_bundle}")
    if not is_loopback(host) and not keys:
        yield Finding(
            "error",
            f"listening on {host or 'every address'} needs keys: `qwen-gateway keys create NAME`, or QWEN_GATEWAY_KEYS",
        )
    yield Finding("ok", f"{len(OPTIONS)} options make sense; callers need {_needs(keys)}")


def _needs(keys: bool) -> str:
    return "a key" if keys else "no key"


def _files(environ: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    home = gateway_home(environ)
    if home.exists() and not os.access(home, os.W_OK | os.X_OK):
        yield Finding("error", f"{home} cannot be written: counts, rests and renewed logins would be lost")
    private = [home, *sorted(home.glob("*.json")), *sorted(home.glob("web/*.json")), folder / ".env"]
    if os.name == "posix":
        for path in private:
            mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0
            if mode & 0o077:
                command = f"chmod {'700' if path.is_dir() else '600'} {path}"
                yield Finding("warning", f"{path} is open to other users (mode {mode:04o}); run `{command}`")
    yield Finding("ok", f"files are kept in {home}")


class _Loader(Loader):
    """Adds options to a manager without a running master."""

    def __init__(self, manager: Options) -> None:
        self._manager = manager

    def add_option(
        self,
        name: str,
        typespec: object,
        default: object,
        help: str,  # noqa: A002 - mitmproxy's word
        choices: Sequence[str] | None = None,
    ) -> None:
        self._manager.add_option(name, typespec, default, help, choices)
