"""How every command talks: results on stdout, words about them on stderr, JSON for scripts."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import click
import orjson
from rich.console import Console
from rich.text import Text

from qwen_auth.account import Account
from qwen_auth.authorization import AuthorizationServer
from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError, UnknownAccountError
from qwen_auth.loading import load_accounts
from qwen_auth.oauth import Clock
from qwen_auth.refresher import Refresher
from qwen_auth.transport import Connect, connect

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Outside:
    """The world around a command, which tests replace: the network, the browser, the clock."""

    connect: Connect = connect
    launch: Callable[[str], object] = click.launch
    clock: Clock = field(default_factory=Clock)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def refresher(self) -> Refresher:
        server = AuthorizationServer.from_environment(environment())
        return Refresher(server, connect=self.connect, clock=self.clock, warn=warn)


def find_account(name: str) -> Account:
    """The account of that name, or `UnknownAccountError` with those there are."""
    accounts = load_accounts(environment(), warn=warn)
    for account in accounts:
        if account.name == name:
            return account
    raise UnknownAccountError(name, tuple(account.name for account in accounts))


def environment() -> Mapping[str, str]:
    """The variables of the process over those of the `.env` file here."""
    return read_environment(os.environ, Path.cwd())


def out() -> Console:
    """The console of results. Made anew each time, so that redirected streams are honoured."""
    return Console(file=sys.stdout, highlight=False)


def conversation() -> Console:
    """The console of words about results: stderr."""
    return Console(file=sys.stderr, highlight=False)


def harmless(text: str) -> str:
    """The text without control characters: servers and files have a word in it, terminals obey some of them."""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "", text)


def say(text: str, style: str = "", *, whole: bool = False) -> None:
    """A line for people. Not markup: names and paths are shown as they are. `whole`: never break it, to copy it."""
    _print(Text(harmless(text), style), whole=whole)


def warn(text: str) -> None:
    """Something to look at, though the command goes on."""
    _print(Text.assemble(("warning: ", "yellow"), harmless(text)))


def _print(text: Text, *, whole: bool = False) -> None:
    console = conversation()
    console.print(text, soft_wrap=whole or not console.is_terminal)


def emit(document: Any) -> None:
    """One JSON document on a line of stdout."""
    click.echo(orjson.dumps(document).decode())


def json_option[Command: Callable[..., Any]](command: Command) -> Command:
    """`--json`: results, and errors too, as one JSON object per line."""
    return click.option(
        "--json", "as_json", is_flag=True, callback=_remember, help="Print JSON, one object per line, for scripts."
    )(command)


def _remember(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    context.meta["qwen_auth.json"] = value
    return value


class Commands(click.Group):
    """The group: commands under headings, and every expected fault as one line and an exit code."""

    headings: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AuthError as error:
            if ctx.meta.get("qwen_auth.json"):
                emit({"error": {"kind": error.kind, "message": str(error), "exit_code": error.exit_code}})
            _print(Text.assemble(("error: ", "bold red"), harmless(str(error))))
            ctx.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            say("stopped")
            ctx.exit(INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in self.headings.items():
            commands = ((name, self.get_command(ctx, name)) for name in names)
            rows = [(name, command.get_short_help_str(70)) for name, command in commands if command]
            with formatter.section(heading):
                formatter.write_dl(rows)
