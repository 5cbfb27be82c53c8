"""`qwen-auth`: the operator's accounts, from the terminal."""

from __future__ import annotations

import io
import signal
import sys
from typing import ClassVar

import click

from qwen_auth.commands import keys, login, show, upkeep
from qwen_auth.commands.terminal import Commands, Outside


class _Accounts(Commands):
    headings: ClassVar = {
        "Accounts with an API key, or a browser session": ("add", "plans"),
        "Accounts with a Qwen login": ("login", "refresh", "import"),
        "All accounts": ("list", "test", "counts", "remove"),
    }


@click.group(cls=_Accounts, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.pass_context
def cli(context: click.Context) -> None:
    """The accounts that qwen-gateway calls Qwen with.

    \b
      qwen-auth add work --plan model-studio-intl     store an API key
      qwen-auth test work                             does it answer?
      qwen-auth list                                  all accounts, and how they do

    A browser session of chat.qwen.ai is an account too: `qwen-auth add me --web --from-curl`, or QWEN_TOKEN
    with QWEN_COOKIES.

    Keys are kept in $QWEN_GATEWAY_HOME (default ~/.qwen-gateway), readable by you alone. Accounts
    also come from the environment or a .env file: DASHSCOPE_API_KEY, BAILIAN_CODING_PLAN_API_KEY,
    BAILIAN_TOKEN_PLAN_API_KEY, or QWEN_API_KEY with QWEN_BASE_URL. Qwen logins are shared with
    qwen-code in ~/.qwen.

    \b
    Exit codes: 0 done, 1 fault, 2 wrong use, 3 no such account, 4 needs login,
    5 the upstream said no, 6 the upstream was not reached, 130 stopped.
    """
    context.obj = context.obj or Outside()


for command in (
    keys.add,
    keys.plans,
    keys.remove,
    login.login,
    upkeep.refresh,
    upkeep.import_logins,
    upkeep.test,
    show.list_accounts,
    show.counts,
):
    cli.add_command(command)


def main() -> None:
    """The console script. A polite kill ends it as Ctrl-C does: locks are given back, the cursor is shown."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode shows question marks, not a traceback
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cli(prog_name="qwen-auth")


if __name__ == "__main__":
    main()
