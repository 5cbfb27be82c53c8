"""`list`: the accounts there are."""

from __future__ import annotations

from typing import Any

import click
from rich import box
from rich.table import Table

from qwen_auth.account import Account, redact_url
from qwen_auth.commands.terminal import emit, environment, json_option, out, say, warn
from qwen_auth.loading import load_accounts


@click.command(name="list")
@json_option
def list_accounts(as_json: bool) -> None:
    """Show the accounts, the default one first."""
    accounts = load_accounts(environment(), warn=warn)
    if as_json:
        for account in accounts:
            emit(_describe(account))
        return
    if not accounts:
        say("There are no accounts yet. Add one with `qwen-auth add NAME --plan PLAN`, or set DASHSCOPE_API_KEY.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("ACCOUNT", style="bold", overflow="fold")
    for heading in ("PLAN", "STATE"):
        table.add_column(heading, no_wrap=True)
    table.add_column("ENDPOINT", overflow="fold")
    table.add_column("FROM", style="dim", overflow="fold")
    for account in accounts:
        notes = [account.endpoint]
        if account.models is not None:
            notes.append(f"[dim]only {', '.join(account.models)}[/dim]")
        if account.proxy is not None:
            notes.append(f"[dim]through {redact_url(account.proxy)}[/dim]")
        source = account.source.removeprefix("environment variable ")
        table.add_row(account.name, account.plan, account.credentials.state, "\n".join(notes), source)
    out().print(table)


def _describe(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "kind": account.kind,
        "plan": account.plan,
        "state": account.credentials.state,
        "endpoint": account.endpoint,
        "proxy": redact_url(account.proxy) if account.proxy else None,
        "models": account.models,
        "source": account.source,
    }
