"""`qwen-gateway keys`: make, list and revoke the gateway's own keys. A running gateway follows within a second."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError
from qwen_gateway.callers import digest_of
from qwen_gateway.keys.grants import Limit, grant_of, limits_to_json
from qwen_gateway.keys.ring import new_key
from qwen_gateway.keys.spans import begin_of
from qwen_gateway.ledger import Ledger, LedgerError, LedgerSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from qwen_gateway.ledger.keys import GatewayKey, Spent

NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"


@click.group()
def keys() -> None:
    """Make, list and revoke the keys that callers of the gateway must send.

    As long as there is no key, whoever reaches the gateway may call. Running gateways follow within a second.
    `DATABASE_PATH` and `QWEN_DATABASE_URL` say where the ledger is, as for the gateway.
    """


def limiting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that limit a key."""
    positive, money = click.IntRange(min=1), click.FloatRange(min=0, min_open=True)
    for option in (
        click.option("--model", "models", metavar="NAME", multiple=True, help="Only this model, or pattern; repeat."),
        click.option("--account", "accounts", metavar="NAME", multiple=True, help="Only this account; repeat."),
        click.option("--requests-per-minute", type=positive, metavar="N", help="Calls begun in a minute."),
        click.option("--tokens-per-minute", type=positive, metavar="N", help="Tokens of prompts and answers."),
        click.option("--tokens-per-day", type=positive, metavar="N", help="A budget, until midnight UTC."),
        click.option("--tokens-per-month", type=positive, metavar="N", help="A budget, until the month's end (UTC)."),
        click.option("--money-per-day", type=money, metavar="X", help="The same in the currency of qwen_prices."),
        click.option("--money-per-month", type=money, metavar="X", help="The same for the month."),
        click.option("--days", type=positive, metavar="N", help="The key expires after so many days."),
    ):
        command = option(command)
    return command


@keys.command()
@click.argument("name")
@limiting
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def create(
    name: str,
    models: tuple[str, ...],
    accounts: tuple[str, ...],
    days: int | None,
    as_json: bool,
    **limits: float | None,
) -> None:
    """Make a key and show it, this once."""
    if not re.fullmatch(NAME, name):
        raise click.ClickException(f"{name[:80]!r} is no name for a key: use letters, digits and . _ @ -")
    key, key_id = new_key()
    now = time.time()
    document = limits_to_json({each: most for each, most in limits.items() if most is not None}, models, accounts)
    expires = now + days * 86_400 if days else None

    def add(connection: "Connection") -> str | None:
        from qwen_gateway.ledger import keys as rows  # noqa: PLC0415 - SQLAlchemy takes long to import

        if any(row.name == name and not row.disabled for row in rows.every(connection)):
            return f"there is a key '{name}' already; revoke it first, or choose another name"
        for row in rows.every(connection):
            if row.name == name:  # a revoked one; its history stays under its ID
                rows.change(connection, _renamed(row))
        rows.add(connection, rows.GatewayKey(key_id, digest_of(key).hex(), name, now, document, False, expires))
        return None

    problem = _write(add)
    if problem:
        raise click.ClickException(problem)
    if as_json:
        click.echo(json.dumps({"id": key_id, "name": name, "key": key, "expires_at": _moment(expires), **document}))
        return
    click.echo(key)
    click.echo(f"This is the key '{name}' ({key_id}). It is kept as a hash only and not shown again.", err=True)


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one key a line, for scripts.")
def list_keys(as_json: bool) -> None:
    """Show the keys, their limits and what they used today and this month (UTC)."""
    now = time.time()

    def look(connection: "Connection") -> "list[tuple[GatewayKey, Spent, Spent]]":
        from qwen_gateway.ledger import keys as rows  # noqa: PLC0415

        return [
            (
                row,
                rows.spent_since(connection, row.id, "day", begin_of("day", now)),
                rows.spent_since(connection, row.id, "month", begin_of("month", now)),
            )
            for row in rows.every(connection)
        ]

    found = _read(look)
    if as_json:
        for row, day, month in found:
            click.echo(json.dumps(_described(row, now) | {"today": _spent(day), "this_month": _spent(month)}))
        return
    if not found:
        click.echo("There are no keys: whoever reaches the gateway may call. `qwen-gateway keys create NAME`", err=True)
        return
    for row, day, month in found:
        shown = _described(row, now)
        click.echo(f"{row.name}  {row.id}  {shown['state']}")
        for line in _limits(row):
            click.echo(f"    {line}")
        click.echo(f"    today: {_in_words(day)}; this month: {_in_words(month)}")


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Let a key, by its name or ID, open nothing any more. What it used stays known."""

    def disable(connection: "Connection") -> str | None:
        from qwen_gateway.ledger import keys as rows  # noqa: PLC0415

        every = rows.every(connection)
        row = next((row for row in every if name in (row.id, row.name)), None)
        if row is None:
            return f"there is no key '{name[:80]}'; keys: {', '.join(row.name for row in every) or 'none'}"
        rows.change(connection, replace(row, disabled=True))
        return None

    problem = _write(disable)
    if problem:
        raise click.ClickException(problem)
    click.echo(f"The key '{name}' is revoked; running gateways refuse it within a second or two.", err=True)


def _renamed(row: "GatewayKey") -> "GatewayKey":
    return replace(row, name=f"{row.name}~{row.id}")


def _write[Result](work: "Callable[[Connection], Result]") -> Result:
    return _with(lambda ledger: ledger.database().write(work))


def _read[Result](work: "Callable[[Connection], Result]") -> Result:
    return _with(lambda ledger: ledger.database().read(work))


def _with[Result](work: Callable[[Ledger], Result]) -> Result:
    from qwen_gateway.options import database  # noqa: PLC0415 - mitmproxy is slow to import

    try:
        environ = read_environment(os.environ, Path.cwd())
        ledger = Ledger(LedgerSettings(database(environ.get("DATABASE_PATH", ""), environ)))
        try:
            return work(ledger)
        finally:
            ledger.close()
    except (AuthError, LedgerError) as error:
        raise click.ClickException(str(error)) from None


def _described(row: "GatewayKey", now: float) -> dict[str, Any]:
    expired = row.expires_at is not None and now >= row.expires_at
    return {
        "id": row.id,
        "name": row.name,
        "state": "revoked" if row.disabled else "expired" if expired else "good",
        "created_at": _moment(row.created_at),
        "expires_at": _moment(row.expires_at),
        "used_at": _moment(row.used_at),
        **row.limits,
    }


def _limits(row: "GatewayKey") -> list[str]:
    limits: tuple[Limit, ...] = grant_of(row.id, row.hash, row.name, row.limits).limits
    lines = [str(limit) for limit in limits]
    for what in ("models", "accounts"):
        if what in row.limits:
            lines.append(f"only {what} {', '.join(row.limits[what])}")
    if row.expires_at is not None:
        lines.append(f"until {_moment(row.expires_at)}")
    return lines


def _spent(spent: "Spent") -> Mapping[str, float]:
    tokens = {"prompt_tokens": spent.prompt_tokens, "completion_tokens": spent.completion_tokens}
    return {"calls": spent.calls, **tokens, "money": round(spent.cost, 6)}


def _in_words(spent: "Spent") -> str:
    tokens = spent.prompt_tokens + spent.completion_tokens
    money = f", {spent.cost:,.4f} in money" if spent.cost else ""
    return f"{spent.calls:,} calls, {tokens:,} tokens{money}"


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
