"""`login`: sign in to Qwen on another screen."""

from __future__ import annotations

import asyncio
import os
import sys

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from qwen_auth.account import check_proxy
from qwen_auth.authorization import AuthorizationServer
from qwen_auth.commands.qr import qr_text
from qwen_auth.commands.terminal import Outside, conversation, emit, environment, harmless, json_option, say, warn
from qwen_auth.commands.words import countdown, moment, span
from qwen_auth.device_flow import DeviceCode, DeviceFlow, sign_in
from qwen_auth.errors import AccountError
from qwen_auth.loading import load_accounts
from qwen_auth.logins import store_login
from qwen_auth.oauth import closed_tier
from qwen_auth.qwen_store import DEFAULT, QwenDirectory
from qwen_auth.records import LoginSettings
from qwen_auth.store import AccountStore, gateway_home
from qwen_auth.token import Token, resolve_endpoint


@click.command()
@click.argument("name", default=DEFAULT)
@click.option("--no-browser", is_flag=True, help="Show the link and the QR code only.")
@click.option("--proxy", metavar="URL", help="Make this account's calls, and this sign-in, through an egress proxy.")
@click.option("--model", "models", metavar="MODEL", multiple=True, help="Only this model; repeat for more.")
@json_option
@click.pass_obj
def login(
    outside: Outside, *, name: str, no_browser: bool, proxy: str | None, models: tuple[str, ...], as_json: bool
) -> None:
    """Sign in with a Qwen account (qwen-code's login).

    Without a NAME it is qwen-code's own login, which both then share; with one it is another account
    beside it. Nothing is stored before you have approved on the page.

    Qwen closed the free tier of these logins on 2026-04-15: signing in works, calls are refused.
    """
    environ = environment()
    file = QwenDirectory.from_environment(environ, warn).file(name)
    if proxy is not None:
        check_proxy(proxy)
    taken = [account for account in load_accounts(environ, warn=lambda _: None) if account.name == name]
    if taken and taken[0].kind != "oauth":
        raise AccountError(f"account {name!r} has a key already ({taken[0].source}); choose another name")
    if file.path.parent.is_dir():
        file.check_room()  # now, and not when the login is there and cannot be stored
    flow = DeviceFlow(AuthorizationServer.from_environment(environ), clock=outside.clock.wall)
    token = asyncio.run(_sign_in(outside, flow, name, proxy, browser=not no_browser, as_json=as_json))
    store_login(file, token, warn)
    if proxy is not None or models:
        AccountStore(gateway_home(environ), warn).add(LoginSettings(name, proxy, models or None), replace=True)
    endpoint = resolve_endpoint(token.resource_url)
    notice = closed_tier(endpoint)
    if as_json:
        expires = moment(token.expires_at)
        emit({"name": name, "path": str(file.path), "endpoint": endpoint, "expires_at": expires, "notice": notice})
        return
    shared = " (qwen-code uses it too)" if name == DEFAULT else ""
    say(f"Signed in. Account {name} is stored in {file.path}{shared}.", "green")
    say(f"Its token is good for {span(token.expires_at - outside.clock.wall())}, and renewed by itself.")
    if notice:
        say("")
        say(notice, "yellow")


async def _sign_in(
    outside: Outside, flow: DeviceFlow, name: str, proxy: str | None, *, browser: bool, as_json: bool
) -> Token:
    console = conversation()
    waiting = _Waiting(outside, flow)

    def show(code: DeviceCode) -> None:
        waiting.deadline = outside.clock.monotonic() + code.expires_in
        if as_json:
            emit(
                {
                    "verification_uri": code.verification_uri_complete,
                    "user_code": code.user_code,
                    "expires_in": code.expires_in,
                }
            )
        _show_code(console, code, name)
        if browser and _has_browser():
            outside.launch(code.verification_uri_complete)
        if console.is_terminal:
            live.start()

    live = Live(waiting, console=console, refresh_per_second=4, transient=True)
    try:
        async with outside.connect(proxy) as client:
            return await sign_in(client, flow, show, sleep=outside.sleep, monotonic=outside.clock.monotonic)
    finally:
        live.stop()


class _Waiting:
    """The line that counts down; rich asks for it four times a second."""

    deadline = 0.0

    def __init__(self, outside: Outside, flow: DeviceFlow) -> None:
        self._outside = outside
        self._flow = flow

    def __rich__(self) -> Text:
        left = countdown(self.deadline - self._outside.clock.monotonic())
        remark = f" · {harmless(self._flow.remark)}" if self._flow.remark else ""
        return Text(f"Waiting for your approval · {left} left · Ctrl-C stops{remark}", "cyan", no_wrap=True)


def _show_code(console: Console, code: DeviceCode, name: str) -> None:
    link, how = code.verification_uri_complete, "open"
    if console.is_terminal and console.encoding.startswith("utf"):
        drawn = qr_text(link, colours=console.color_system is not None)
        lines = drawn.plain.splitlines()
        # Three lines below it, and one for the cursor.
        if len(lines) + 4 <= console.height and len(lines[0]) <= console.width:
            console.print(drawn)
            how = "scan the code or open"
        else:
            say("(The terminal is too small for the QR code.)", "dim")
    say(f"Account {name}: {how}")
    say(link, "bold", whole=True)
    say(f"and approve there, if the page shows the code {code.user_code}")


def _has_browser() -> bool:
    """Whether opening one would show a page here, and not fail or take over the terminal."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
