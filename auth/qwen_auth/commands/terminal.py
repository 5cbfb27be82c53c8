"""How every command talks: results on stdout, words about them on stderr, JSON for scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import click
import orjson
from rich.console import Console
from rich.text import Text

from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError

INTERRUPTED = 130


def environment() -> Mapping[str, str]:
    """The variables of the process over those of the `.env` file here."""
    return read_environment(os.environ, Path.cwd())


def out() -> Console:
    """The console of results. Made anew each time, so that redirected streams are honoured."""
    return Console(file=sys.stdout, highlight=False)


def say(text: str, style: str = "") -> None:
    """A line for people, on stderr. Not markup: names and paths are shown as they are."""
    Console(file=sys.stderr, highlight=False).print(Text(text, style), soft_wrap=True)


def warn(text: str) -> None:
    """Something to look at, though the command goes on."""
    Console(file=sys.stderr, highlight=False).print(Text.assemble(("warning: ", "yellow"), text), soft_wrap=True)


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
            Console(file=sys.stderr, highlight=False).print(
                Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True
            )
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
