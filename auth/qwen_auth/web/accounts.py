"""The browser sessions of this machine as accounts: those in files, and that of `QWEN_TOKEN` with `QWEN_COOKIES`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from qwen_auth.account import Account
from qwen_auth.errors import AccountError, FileError
from qwen_auth.files import Warn, log_warning
from qwen_auth.oauth import Clock, OAuthCredentials
from qwen_auth.plans import QWEN_WEB
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.file import Kept, SessionFile, session_file, session_files
from qwen_auth.web.session import Session, is_jwt, parse_cookies

NAME = "web"
"""The account of the environment variables."""


def web_accounts(environ: Mapping[str, str], warn: Warn = log_warning, *, clock: Clock | None = None) -> list[Account]:
    """One account per session that can be read; a broken one is told and costs only itself."""
    accounts = []
    if (given := environment_session(environ)) is not None:
        accounts.append(_of_environment(environ, given, warn, clock))
    for file in session_files(environ, warn):
        try:
            stamp, kept = file.stamp(), file.read()
        except FileError as error:
            warn(f"account {file.name!r} is left out: {error}")
            continue
        if kept is not None and not kept.origin:
            accounts.append(web_account(file.name, file, kept, WebCredentials(file, kept, stamp, clock=clock)))
    return accounts


def web_account(name: str, file: SessionFile, kept: Kept, credentials: WebCredentials, source: str = "") -> Account:
    return Account(
        name=name,
        kind="web",
        plan=QWEN_WEB.name,
        base_url=kept.base_url,
        credentials=credentials,
        proxy=kept.proxy,
        models=kept.models,
        source=source or str(file.path),
    )


def environment_session(environ: Mapping[str, str]) -> Session | None:
    """The session of seed B's two variables: `bx-umidtoken`, or a JWT in its place, and the whole `Cookie` header.

    Raises:
        AccountError: one of them cannot be what it should be.
    """
    token = environ.get("QWEN_TOKEN", "").strip().removeprefix("Bearer ").strip()
    if not token and not environ.get("QWEN_COOKIES", "").strip():
        return None
    if any(not "!" <= char <= "~" for char in token):
        raise AccountError("QWEN_TOKEN has characters that no header carries; copy the value of bx-umidtoken again")
    try:
        cookies = parse_cookies(environ.get("QWEN_COOKIES", ""))
    except ValueError as error:
        raise AccountError(f"QWEN_COOKIES: {error}") from None
    session = Session(token, "", cookies) if is_jwt(token) else Session("", token, cookies)
    if session.guest and not cookies:
        raise AccountError("QWEN_TOKEN is no JWT, so QWEN_COOKIES is needed as well: the value of the header `Cookie`")
    if session.guest and not token:
        raise AccountError("QWEN_COOKIES has no cookie `token`, so QWEN_TOKEN is needed: the value of bx-umidtoken")
    return session


def _of_environment(environ: Mapping[str, str], given: Session, warn: Warn, clock: Clock | None) -> Account:
    """The account of the variables. Its cookies and its token move on, in a file that is dropped with the variables."""
    base_url = environ.get("QWEN_WEB_URL", "").strip().rstrip("/") or QWEN_WEB.url()
    origin = hashlib.sha256(repr((given.bearer, given.umidtoken, given.cookies)).encode()).hexdigest()
    file = session_file(environ, NAME, warn)
    kept = Kept(base_url, given, origin=origin)
    stamp = None
    try:
        stamp, found = file.stamp(), file.read()
        if found is not None and not found.origin:
            raise AccountError(f"{file.path} has an account of that name; rename the file, or unset QWEN_TOKEN")
        if found is not None and found.origin == origin:
            kept = Kept(base_url, found.session, origin=origin)
    except FileError as error:
        warn(f"account {NAME!r} begins with the variables: {error}")
    credentials = WebCredentials(file, kept, stamp, clock=clock)
    return web_account(NAME, file, kept, credentials, "environment variables QWEN_TOKEN and QWEN_COOKIES")


def expiry_of(account: Account) -> float | None:
    """When the account's login or session expires, in seconds since the epoch; None where nothing says so."""
    credentials = account.credentials
    if isinstance(credentials, OAuthCredentials):
        return credentials.token.expires_at
    return credentials.expires_at if isinstance(credentials, WebCredentials) else None
