"""`qwen-gateway export` and `qwen-gateway usage`: the ledger in files and in figures. A gateway may run meanwhile."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError
from qwen_auth.store import gateway_home
from qwen_gateway.codec.json import dumps
from qwen_gateway.ledger import LedgerError, shapes
from qwen_gateway.ledger.asked import OUTCOMES, Filter, parse
from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.prices import BadPrices, read_prices

if TYPE_CHECKING:
    from qwen_gateway.ledger.database import Database

AGO = re.compile(r"(\d{1,6})([mhdw])")

WIDE = 240
"""Columns of a table that goes to a file or a program: nothing is cut off."""

SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def filtering(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose among exchanges."""
    for option in (
        click.option("--since", default="", metavar="WHEN", help="From then on: 2026-11-21, a time, or 7d, 12h ago."),
        click.option("--until", default="", metavar="WHEN", help="Before then."),
        click.option("--model", default="", help="Asked for or used."),
        click.option("--account", default=""),
        click.option("--session", default="", metavar="ID"),
        click.option("--outcome", default="", type=click.Choice(["", *OUTCOMES]), metavar="WORD"),
        click.option("--database", default="", metavar="FILE", help="Another ledger than the gateway's own."),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--format", "kind", type=click.Choice(["jsonl", "har"]), default="jsonl", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file, for its owner alone; else the terminal.")
@filtering
def export(kind: str, output: Path | None, **asked: str) -> None:
    """Every exchange, the oldest first: a JSON object a line, or an HTTP Archive (HAR 1.2).

    What it holds is what was said: prompts and answers.
    """
    from qwen_gateway import har  # noqa: PLC0415
    from qwen_gateway.ledger import tallies  # noqa: PLC0415

    with opened(asked) as (database, given), sink(output) as out:
        exchanges = tallies.exchanges(database, given)
        pieces = har.document(exchanges) if kind == "har" else lines(exchanges)
        for piece in pieces:
            out.write(piece)


@click.command()
@click.option("--by", default="day,model,account", show_default=True, help="What calls are put together by.")
@click.option("--prices", envvar="QWEN_PRICES", type=click.Path(path_type=Path), help="prices.json of another place.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@filtering
def usage(by: str, prices: Path | None, as_json: bool, **asked: str) -> None:
    """Calls, tokens and costs by day (UTC), model and account.

    Costs are those of prices.json in the gateway's home; what has no price there is not counted.
    """
    from rich.console import Console  # noqa: PLC0415

    from qwen_gateway import usage as sums  # noqa: PLC0415
    from qwen_gateway.ledger import tallies  # noqa: PLC0415

    names = [name.strip() for name in by.split(",") if name.strip()]
    if not names or len(set(names)) < len(names) or not set(names) <= set(sums.BY):
        raise click.BadParameter(f"'{by[:80]}' is not made of {', '.join(sums.BY)}.", param_hint="--by")
    file = prices or gateway_home(environment()) / "prices.json"
    try:
        known = read_prices(file)
    except BadPrices as error:
        raise click.ClickException(f"{error}.") from None
    with opened(asked) as (database, given):
        found = sums.sum_up(database.read(lambda connection: tallies.usage(connection, given)), names, known)
    *rows, whole = found
    if as_json:
        whole_json = whole.as_json((), known.currency)
        click.echo(
            dumps({"by": names, "data": [row.as_json(names, known.currency) for row in rows], "total": whole_json})
        )
        return
    if not rows:
        click.echo("No call is in the ledger that fits.")
        return
    Console(width=None if sys.stdout.isatty() else WIDE).print(sums.table(found, names, known))
    if whole.unpriced:
        click.echo(f"\nWithout a price in {file}: {', '.join(sorted(whole.unpriced))}.")


def lines(exchanges: Any) -> Iterator[bytes]:
    """Exchanges in the shapes of the HTTP API, one a line."""
    for request, attempts, response in exchanges:
        whole = shapes.whole_request(request, attempts)
        yield dumps(whole | {"response": shapes.whole_response(response) if response else None}) + b"\n"


@contextmanager
def opened(asked: dict[str, str]) -> Iterator[tuple["Database", Filter]]:
    """The ledger, and which of its exchanges are meant."""
    from qwen_gateway.ledger.database import Database  # noqa: PLC0415 - SQLAlchemy takes long to import

    file = asked.pop("database")
    try:
        pairs = [(name, ago(value) if name in ("since", "until") else value) for name, value in asked.items() if value]
        given, _ = parse(pairs)
    except BadRequest as error:
        raise click.ClickException(error.message) from None
    environ = environment()
    where = file or environ.get("QWEN_DATABASE_URL", "") or environ.get("DATABASE_PATH", "")
    where = where or str(gateway_home(environ) / "ledger.db")
    if "://" not in where and not Path(where).expanduser().exists():
        raise click.ClickException(f"There is no ledger at {where} yet; a gateway makes it with its first call.")
    try:
        database = Database(where)
        try:
            yield database, given
        finally:
            database.close()
    except LedgerError as error:
        raise click.ClickException(f"{error}.") from None


def ago(value: str) -> str:
    """`7d` as the time that was seven days ago; all else as it is."""
    found = AGO.fullmatch(value)
    return f"{time.time() - int(found[1]) * SECONDS[found[2]]:.3f}" if found else value


def environment() -> dict[str, str]:
    """What the gateway itself would see."""
    try:
        return read_environment(os.environ, Path.cwd())
    except AuthError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def sink(file: Path | None) -> Iterator[BinaryIO]:
    """Where an export goes. A reader who has seen enough (`| head`) is no failure."""
    if file is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            yield out
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written ({error.strerror}).") from None
