"""`refresh`, `import` and `test`: what an account needs now and then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from qwen_auth.account import Account, check_name
from qwen_auth.commands.sessions import refresh_session
from qwen_auth.commands.terminal import Outside, emit, environment, find_account, json_option, say, warn
from qwen_auth.commands.words import moment, span
from qwen_auth.errors import AccountError, FileError
from qwen_auth.importers import Found, find_logins
from qwen_auth.logins import store_login
from qwen_auth.oauth import OAuthCredentials
from qwen_auth.probe import Answer, probe
from qwen_auth.qwen_store import QwenDirectory
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.probe import probe_session
from qwen_auth.web.renewer import Renewer


@click.command()
@click.argument("name")
@json_option
@click.pass_obj
def refresh(outside: Outside, *, name: str, as_json: bool) -> None:
    """Renew a Qwen login or a browser session now. The gateway does so by itself."""
    account = find_account(name)
    credentials = account.credentials
    if isinstance(credentials, WebCredentials):
        refresh_session(outside, account, as_json=as_json)
        return
    if not isinstance(credentials, OAuthCredentials):
        raise AccountError(f"account {name!r} has a key, which needs no refresh; `qwen-auth test {name}` tries it")
    asyncio.run(_refresh(outside, account))
    expires_at = credentials.token.expires_at
    if credentials.unsaved:
        raise FileError(credentials.file.path, "could not be written", "the renewed login is lost; sign in again")
    if as_json:
        emit({"name": name, "expires_at": moment(expires_at), "endpoint": account.endpoint})
    else:
        say(f"Account {name} is renewed for {span(expires_at - outside.clock.wall())}.")


async def _refresh(outside: Outside, account: Account) -> None:
    refresher = outside.refresher()
    try:
        await refresher.refresh(account)
    finally:
        await refresher.aclose()


@click.command()
@click.argument("name")
@click.option("--model", metavar="MODEL", help="The model to ask; by default one that the account should have.")
@json_option
@click.pass_obj
def test(outside: Outside, *, name: str, model: str | None, as_json: bool) -> None:
    """Make one small call, directly, without the gateway."""
    account = find_account(name)
    answer = asyncio.run(_probe(outside, account, model))
    if as_json:
        emit(
            {
                "name": name,
                "endpoint": account.endpoint,
                "model": answer.model,
                "text": answer.text,
                "seconds": round(answer.seconds, 3),
                "request_id": answer.request_id,
            }
        )
        return
    say(f"Account {name} works: {answer.model} at {account.endpoint} answered in {answer.seconds:.1f} s.", "green")
    if answer.text:
        say(f"It said: {' '.join(answer.text.split())[:200]}", "dim")


async def _probe(outside: Outside, account: Account, model: str | None) -> Answer:
    if account.kind == "web":
        renewer = Renewer(connect=outside.connect, clock=outside.clock, warn=lambda _: None)
        try:
            return await probe_session(
                account, renewer, outside.connect, model=model, monotonic=outside.clock.monotonic
            )
        finally:
            await renewer.aclose([account])
    refresher = outside.refresher()
    try:
        return await probe(account, refresher, outside.connect, model=model, monotonic=outside.clock.monotonic)
    finally:
        await refresher.aclose()


@click.command(name="import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="The account's name here; for a single file.")
@click.option("--replace", is_flag=True, help="Put logins in the place of accounts of that name.")
@json_option
def import_logins(path: Path, name: str | None, replace: bool, as_json: bool) -> None:
    """Take over logins of CLIProxyAPI or qwen-code-oai-proxy.

    PATH is a file of CLIProxyAPI, a credentials file of qwen-code, or a folder of either.
    """
    found = find_logins(path, warn)
    if name is not None:
        if len(found) != 1:
            raise click.UsageError(f"--name is for one login, and there are {len(found)} in {path}")
        found = [Found(check_name(name), found[0].token, found[0].path)]
    directory = QwenDirectory.from_environment(environment(), warn)
    taken = []
    for login in found:
        file = directory.file(login.name)
        if file.stamp() is not None and not replace:
            taken.append(login.name)
            continue
        store_login(file, login.token, warn)
        if as_json:
            emit({"name": login.name, "path": str(file.path), "from": str(login.path)})
        else:
            say(f"Account {login.name} is taken over from {login.path}.")
    if len(taken) < len(found):
        warn(
            "a refresh token works once: stop the other program, or it and the gateway will sign each other out. "
            "(qwen-code itself may go on with its own file, which is shared with a lock.)"
        )
    if taken:
        names = ", ".join(taken)
        raise AccountError(f"not taken over, because there are accounts of that name: {names}; add --replace or --name")
