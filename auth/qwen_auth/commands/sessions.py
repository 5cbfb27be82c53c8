"""What `add` and `refresh` do with a browser session of chat.qwen.ai."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from qwen_auth.account import Account, check_base_url, check_proxy
from qwen_auth.commands.terminal import Outside, emit, environment, say, warn
from qwen_auth.commands.words import moment, span
from qwen_auth.errors import AccountError
from qwen_auth.loading import load_accounts
from qwen_auth.plans import QWEN_WEB
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.curl import parse_curl
from qwen_auth.web.file import Kept, session_file
from qwen_auth.web.renewer import Renewer
from qwen_auth.web.session import Session, is_jwt, moment_of

TERMS = (
    "A browser session is meant for you, in a browser. Using it in programs may be against the terms of chat.qwen.ai, "
    "and its bot defence may refuse it. An API key has neither problem."
)


def add_session(
    name: str,
    command: str,
    token: str,
    *,
    base_url: str | None,
    proxy: str | None,
    models: tuple[str, ...],
    replace: bool,
    as_json: bool,
) -> None:
    """Store the session of a cURL command, or of a JWT alone."""
    if command:
        url, session = parse_curl(command)
        if base_url is None and not _at_qwen(url):
            raise AccountError(f"the command calls {urlsplit(url).hostname}, not chat.qwen.ai; copy a request to that")
    else:
        url, session = QWEN_WEB.url(), Session(bearer=token)
        if not is_jwt(token):
            raise AccountError("that is no JWT (three parts with dots between); --from-curl takes a whole request")
    url = check_base_url(base_url or url).rstrip("/")
    environ = environment()
    file = session_file(environ, name, warn)
    others = [account.name for account in load_accounts(environ, warn=lambda _: None)]
    taken = next((other for other in others if other.casefold() == name.casefold()), None)
    if (taken is not None or file.stamp() is not None) and not (replace and file.stamp() is not None):
        raise AccountError(f"there is an account {taken or name!r}; add --replace or choose another name")
    with file.lock():
        old = file.read() if file.stamp() is not None else None
        proxy = check_proxy(proxy) if proxy else old.proxy if old else None
        file.write(Kept(url, session, proxy, models or (old.models if old else None), captured=time.time()))
    expiry = moment_of(session.jwt, "exp")
    if as_json:
        emit(
            {
                "name": name,
                "kind": "web",
                "plan": QWEN_WEB.name,
                "base_url": url,
                "guest": session.guest,
                "expires_at": moment(expiry) if expiry else None,
            }
        )
        return
    who = "a guest's session" if session.guest else "a session"
    say(f"Account {name} is stored in {file.path}: {who} of {urlsplit(url).hostname}.")
    say(TERMS, "yellow")
    say(f"Try it with `qwen-auth test {name}`.")


def refresh_session(outside: Outside, account: Account, *, as_json: bool) -> None:
    """Renew a session by its cookies, as the gateway does before it expires."""
    credentials = account.credentials
    assert isinstance(credentials, WebCredentials)
    if credentials.guest:
        raise AccountError(f"account {account.name!r} is a guest's, and has no token to renew; capture it again")
    asyncio.run(_refresh(outside, account))
    expiry = credentials.expires_at
    if as_json:
        emit({"name": account.name, "expires_at": moment(expiry) if expiry else None, "endpoint": account.endpoint})
    elif expiry is None:
        say(f"Account {account.name} is renewed.")
    else:
        say(f"Account {account.name} is renewed for {span(expiry - outside.clock.wall())}.")


async def _refresh(outside: Outside, account: Account) -> None:
    renewer = Renewer(connect=outside.connect, clock=outside.clock, warn=lambda _: None)
    try:
        await renewer.refresh(account)
    finally:
        await renewer.aclose([account])


def _at_qwen(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host.endswith("qwen.ai") or host in ("localhost", "127.0.0.1", "::1")
