"""`list` and `counts`: what there is, how it does, and what it did today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from qwen_auth.account import Account, redact_url
from qwen_auth.commands.terminal import Outside, emit, environment, json_option, out, say, warn
from qwen_auth.commands.words import from_now, moment, span
from qwen_auth.counts import RequestCounts
from qwen_auth.loading import load_accounts
from qwen_auth.oauth import OAuthCredentials, closed_tier
from qwen_auth.qwen_store import qwen_directory
from qwen_auth.rests import Resting, read_rests
from qwen_auth.store import gateway_home
from qwen_auth.web.accounts import expiry_of

_COLOURS = {"fresh": "green", "stale": "green", "expired": "yellow"}


@click.command(name="list")
@json_option
@click.pass_obj
def list_accounts(outside: Outside, *, as_json: bool) -> None:
    """Show the accounts, the default one first."""
    environ = environment()
    now = outside.clock.wall()
    accounts = load_accounts(environ, warn=warn)
    counts = RequestCounts(qwen_directory(environ) / "request_counts.json", warn=warn).today()
    rests = read_rests(gateway_home(environ), now, warn)
    rows = [
        _describe(account, counts[account.name].requests if account.name in counts else 0, rests, now)
        for account in accounts
    ]
    if as_json:
        for row in rows:
            emit(row)
        return
    if not accounts:
        say("There are no accounts yet. Add one with `qwen-auth add NAME --plan PLAN`, or set DASHSCOPE_API_KEY.")
        return
    _print(rows, now)
    for notice in dict.fromkeys(row["notice"] for row in rows if row["notice"]):
        say("")
        say(notice, "yellow")


@click.command()
@json_option
def counts(as_json: bool) -> None:
    """Show what each account did today (UTC)."""
    tallies = RequestCounts(qwen_directory(environment()) / "request_counts.json", warn=warn).today()
    if as_json:
        for name, tally in sorted(tallies.items()):
            emit({"name": name} | asdict(tally) | {"cache_types": sorted(tally.cache_types)})
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("ACCOUNT", style="bold")
    for heading in ("CALLS", "TOKENS IN", "CACHED", "TOKENS OUT", "SEARCHES"):
        table.add_column(heading, justify="right")
    for name, tally in sorted(tallies.items()):
        figures = (
            tally.requests,
            tally.input_tokens,
            tally.cache_read_tokens,
            tally.output_tokens,
            tally.web_search_requests,
        )
        table.add_row(name, *(f"{figure:,}" for figure in figures))
    if tallies:
        out().print(table)
    else:
        say("Nothing was counted today.")
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    say(f"Counting begins anew at midnight UTC, in {span((midnight - now).total_seconds())}.", "dim")


def _describe(account: Account, requests: int, rests: Iterable[Resting], now: float) -> dict[str, Any]:
    credentials = account.credentials
    resting = [rest for rest in rests if rest.account == account.name]
    whole = next((rest for rest in resting if not rest.model), None)
    login = credentials if isinstance(credentials, OAuthCredentials) else None
    expiry = expiry_of(account)
    return {
        "name": account.name,
        "kind": account.kind,
        "plan": account.plan,
        "state": credentials.state,
        "expires_at": moment(expiry) if expiry is not None else None,
        "expires_in": round(login.remaining if login else expiry - now) if expiry is not None else None,
        "endpoint": account.endpoint,
        "requests_today": requests,
        "resting": [asdict(rest) for rest in resting],
        "next_recovery": moment(whole.until) if whole and whole.until is not None else None,
        "proxy": redact_url(account.proxy) if account.proxy else None,
        "models": account.models,
        "source": account.source,
        "notice": closed_tier(account.endpoint) if login else _session_notice(account, now),
    }


def _session_notice(account: Account, now: float) -> str | None:
    """What the owner of a browser session should know before it bites."""
    expiry = expiry_of(account)
    if account.kind != "web" or expiry is None or expiry > now:
        return None
    return (
        f"The session of {account.name} has expired. The gateway tries to renew it by its cookies with the next call; "
        f"if that fails, capture it again: `qwen-auth add {account.name} --web --from-curl --replace`."
    )


def _print(rows: list[dict[str, Any]], now: float) -> None:
    """Two lines each: what changes, and below it what does not."""
    cells = [("ACCOUNT", "PLAN", "STATE", "EXPIRES", "CALLS TODAY", "RECOVERS")]
    for row in rows:
        whole = next((rest for rest in row["resting"] if not rest["model"]), None)
        expires = "never" if row["expires_in"] is None else from_now(row["expires_in"])
        recovers = "–" if whole is None else "by hand" if whole["until"] is None else from_now(whole["until"] - now)
        state = whole["status"] if whole else row["state"]
        cells.append((row["name"], row["plan"], state, expires, str(row["requests_today"]), recovers))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in cells]
    console = out()
    console.print(Text("  ".join(lines[0]), "bold"), soft_wrap=True)
    for line, row in zip(lines[1:], rows, strict=True):
        styles = ("bold", "", _COLOURS.get(line[2].strip(), "red"), "", "", "")
        parts = [Text(cell, style) for cell, style in zip(line, styles, strict=True)]
        console.print(Text("  ").join(parts), soft_wrap=True)
        console.print(Text(f"    {' · '.join(_details(row, now))}", "dim"), soft_wrap=True)


def _details(row: dict[str, Any], now: float) -> list[str]:
    details = [row["endpoint"]]
    if row["models"] is not None:
        details.append(f"only {', '.join(row['models'])}")
    if row["proxy"] is not None:
        details.append(f"through {row['proxy']}")
    for rest in row["resting"]:
        model = f"{rest['model']}: " if rest["model"] else ""
        long = "" if rest["until"] is None else f" for {span(rest['until'] - now)}"
        details.append(f"{model}{rest['status']}{long} ({rest['reason']})")
    return [*details, row["source"]]
