"""`qwen-auth`: the operator's accounts, from the terminal."""

from __future__ import annotations

from typing import ClassVar

import click

from qwen_auth.commands import keys, show
from qwen_auth.commands.terminal import Commands


class _Accounts(Commands):
    headings: ClassVar = {
        "Accounts with an API key": ("add", "plans"),
        "All accounts": ("list", "remove"),
    }


@click.group(cls=_Accounts, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
def cli() -> None:
    """The accounts that qwen-gateway calls Qwen with.

    Keys are kept in $QWEN_GATEWAY_HOME (default ~/.qwen-gateway), readable by you alone. Accounts
    also come from the environment or a .env file: DASHSCOPE_API_KEY, BAILIAN_CODING_PLAN_API_KEY,
    BAILIAN_TOKEN_PLAN_API_KEY, or QWEN_API_KEY with QWEN_BASE_URL.

    \b
    Begin:   qwen-auth add work --plan model-studio-intl
    Look:    qwen-auth list

    \b
    Exit codes: 0 done, 1 fault, 2 wrong use, 3 no such account, 4 needs login,
    5 the upstream said no, 6 the upstream was not reached, 130 stopped.
    """


for command in (keys.add, keys.remove, keys.plans, show.list_accounts):
    cli.add_command(command)


def main() -> None:
    """The console script."""
    cli(prog_name="qwen-auth")


if __name__ == "__main__":
    main()
