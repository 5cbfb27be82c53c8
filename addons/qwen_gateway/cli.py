"""The command `qwen-gateway`: start the gateway with or without mitmweb, or the demo."""

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError
from qwen_auth.loading import load_accounts
from qwen_gateway.keys_command import keys
from qwen_gateway.records_command import export, usage
from qwen_gateway.upstreams.kinds import ENCODERS
from qwen_gateway.version import __version__

NO_ACCOUNT = """No account is configured, so there is nothing to call Qwen with.

  Add one:    {auth} add work --plan model-studio-intl
              (the key is asked for; `{auth} plans` lists the plans)
  or set:     DASHSCOPE_API_KEY=sk-…, also in a .env file

  Just look:  {gateway} demo
              (the same as scripts/run --demo: a simulator answers)
"""

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["-h", "--help"]}


def listening(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command that listens has."""
    for option in (
        click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True, help="Address to listen on."),
        click.option("--port", envvar="PORT", default=8080, show_default=True, help="Port to listen on."),
        click.option("-q", "--quiet", is_flag=True, help="No line for each call."),
        click.option("--tune/--no-tune", default=True, help="Leave out what a gateway does not need of mitmproxy."),
    ):
        command = option(command)
    return command


class Commands(click.Group):
    """Options that are not listed are mitmproxy's, and belong to the command that runs in the terminal."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0].startswith("-"):
            return terminal.name, terminal, args
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, invoke_without_command=True, context_settings=PASS_ON)
@click.version_option(__version__, prog_name="qwen-gateway")
@listening
@click.pass_context
def main(context: click.Context, host: str, port: int, quiet: bool, tune: bool) -> None:
    """Any OpenAI client on Qwen.

    Without a command the gateway runs in the terminal; `web` adds mitmweb, `demo` needs no account.
    Options that are not listed go to mitmproxy, e.g. `--set qwen_policy=strict`.
    """
    if context.invoked_subcommand is None:
        serve("dump", host, port, context.args, quiet=quiet, tune=tune)


@main.command("run", context_settings=PASS_ON)
@listening
@click.pass_context
def terminal(context: click.Context, /, **here: Any) -> None:
    """Run in the terminal, as without a command."""
    before = context.parent.params if context.parent else {}
    given = {
        name: value
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        else before.get(name, value)
        for name, value in here.items()
    }
    serve("dump", given["host"], given["port"], context.args, quiet=given["quiet"], tune=given["tune"])


@main.command(context_settings=PASS_ON)
@listening
@click.option("--web-port", default=8081, show_default=True, help="Port of mitmweb.")
@click.pass_context
def web(context: click.Context, host: str, port: int, web_port: int, quiet: bool, tune: bool) -> None:
    """Run with mitmweb, to watch every call."""
    serve("web", host, port, ["--web-port", str(web_port), *context.args], quiet=quiet, tune=tune)


@main.command(context_settings=PASS_ON)
@listening
@click.option("--web-port", default=8081, show_default=True, help="Port of mitmweb.")
@click.option("--pace", default=0.06, show_default=True, help="Seconds between the simulator's words.")
@click.pass_context
def demo(context: click.Context, host: str, port: int, web_port: int, pace: float, quiet: bool, tune: bool) -> None:
    """Run with mitmweb and a simulator that stands for Qwen: no account, no network."""
    from qwen_gateway.demo import simulator  # noqa: PLC0415
    from qwen_gateway.launcher import start  # noqa: PLC0415

    port, web_port = free_port(host, port), free_port("127.0.0.1", web_port)
    try:
        with simulator(pace, shown("qwen-auth")):
            extra = ["--web-port", str(web_port), *context.args]
            start("web", host=host, port=port, extra=extra, tune=tune, quiet=quiet)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None


@main.command(context_settings=PASS_ON)
@click.option("--host", envvar="HOST", default="127.0.0.1", help="The address that would be listened on.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="An option, as when running.")
def check(host: str, settings: tuple[str, ...]) -> None:
    """Look at accounts, options and files, and send nothing. Exit code 1: something must be mended, 3: no account."""
    from qwen_gateway.check import look  # noqa: PLC0415 - mitmproxy is slow to import

    findings = look(os.environ, Path.cwd(), host, settings)
    for finding in findings:
        colour = {"ok": "green", "warning": "yellow", "error": "red"}[finding.level]
        click.echo(f"{click.style(f'{finding.level:<8}', fg=colour)} {finding.text}")
    errors = sum(finding.level == "error" for finding in findings)
    if errors:
        click.echo(f"{errors} of these must be mended.")
        sys.exit(3 if any(finding.no_account for finding in findings) and errors == 1 else 1)
    click.echo("The configuration is valid.")


main.add_command(keys)
main.add_command(export)
main.add_command(usage)


def serve(kind: str, host: str, port: int, extra: list[str], *, quiet: bool, tune: bool) -> None:
    """Start, or say what is missing; exit code 3 without an account."""
    try:
        accounts = load_accounts(read_environment(os.environ, Path.cwd()), warn=lambda _: None)
    except AuthError as error:
        raise click.ClickException(str(error)) from None
    if not any(account.kind in ENCODERS for account in accounts):
        click.echo(NO_ACCOUNT.format(auth=shown("qwen-auth"), gateway=shown("qwen-gateway")), err=True)
        sys.exit(3)
    from qwen_gateway.launcher import start  # noqa: PLC0415 - mitmproxy is slow to import; first say what is missing

    start(kind, host=host, port=port, extra=extra, tune=tune, quiet=quiet)


def shown(command: str) -> str:
    """The command as it can be typed here: by its path when it is not on PATH, as in a checkout."""
    if shutil.which(command):
        return command
    beside = Path(sys.executable).parent / command
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)


def run() -> None:
    """The console script. `HOST` and `PORT` may stand in a `.env` file; the host runs without its debugging checks."""
    try:
        written = read_environment({}, Path.cwd())
    except AuthError as error:
        raise SystemExit(str(error)) from None
    for name in ("HOST", "PORT"):
        if written.get(name):
            os.environ.setdefault(name, written[name])
    if "--no-tune" not in sys.argv and not sys.flags.optimize and sys.platform != "win32" and sys.executable:
        # mitmproxy checks the type of every field of every message and of every event, unless told not to.
        os.execv(sys.executable, [sys.executable, "-O", "-m", "qwen_gateway", *sys.argv[1:]])  # noqa: S606 - ourselves
    main(prog_name="qwen-gateway")


def free_port(host: str, port: int) -> int:
    """The port, or one of the next twenty when it is taken: a demo shall come up."""
    for candidate in range(port, port + 20):
        with socket.socket() as probe:
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return candidate
    return port
