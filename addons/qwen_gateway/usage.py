"""What calls came to, as a table in the terminal or as JSON: by day, model and account, with costs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from qwen_gateway.prices import Prices

BY = ("day", "model", "account")
"""By what calls are put together."""


@dataclass(slots=True)
class Sum:
    """One line. `cost` counts what has a price; `unpriced` are the models that have none."""

    key: tuple[str, ...]
    calls: int = 0
    failed: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    cost: float = 0.0
    unpriced: set[str] = field(default_factory=set)

    def add(self, row: Mapping[Any, Any], prices: Prices) -> None:
        """Add a row of `ledger.tallies.usage`."""
        self.calls += row["calls"]
        self.failed += int(row["failed"])
        prompt, cached, completion = (int(row[f"{name}_tokens"]) for name in ("prompt", "cached", "completion"))
        self.prompt, self.cached, self.completion = (
            self.prompt + prompt, self.cached + cached, self.completion + completion,
        )  # fmt: skip
        cost = prices.cost(row["model"], prompt, completion, cached)
        if cost is not None:
            self.cost += cost
        elif prompt or completion:
            self.unpriced.add(printable(row["model"]))

    def as_json(self, by: Sequence[str], currency: str) -> dict[str, Any]:
        """The line for programs; a cost only where every model has a price."""
        return {
            **dict(zip(by, self.key, strict=True)),
            "calls": self.calls,
            "failed": self.failed,
            "prompt_tokens": self.prompt,
            "cached_tokens": self.cached,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "cost": None if self.unpriced else round(self.cost, 6),
            "currency": currency or None,
        }


def sum_up(rows: Iterable[Mapping[Any, Any]], by: Sequence[str], prices: Prices) -> list[Sum]:
    """Rows of `ledger.tallies.usage`, put together by some of `BY`; the whole comes last, with no key."""
    found: dict[tuple[str, ...], Sum] = {}
    whole = Sum(())
    for row in rows:
        words = {"day": date(row["day"]), "model": printable(row["model"]), "account": row["account"] or "–"}
        key = tuple(words[name] for name in by)
        found.setdefault(key, Sum(key)).add(row, prices)
        whole.add(row, prices)
    return [*(found[key] for key in sorted(found)), whole]


def printable(name: str) -> str:
    """A name that a client chose, as a terminal may show it."""
    return "".join(char if char.isprintable() else "?" for char in name)


def date(days: int) -> str:
    """A day, counted from 1970, in words."""
    return datetime.fromtimestamp(days * 86_400, UTC).date().isoformat()


def table(sums: Sequence[Sum], by: Sequence[str], prices: Prices) -> Table:
    """For the terminal: what comes first in `by` heads its lines, and columns without a figure are left out."""
    *lines, whole = sums
    drawn = Table(
        show_footer=True, footer_style="bold", header_style="bold", box=None, pad_edge=False, collapse_padding=True
    )
    names = by[1:] or by
    for number, name in enumerate(names):
        title = f"{by[0]} / {name}" if number == 0 and len(by) > 1 else name
        drawn.add_column(title, footer="total" if number == 0 else "", overflow="fold")
    shown = [figure for figure in FIGURES if figure.of(whole) or figure.always]
    for figure in shown:
        drawn.add_column(figure.title, footer=figure.words(whole), justify="right", no_wrap=True)
    if prices.models:
        drawn.add_column(f"cost {prices.currency}".strip(), footer=cost(whole), justify="right", no_wrap=True)
    head = ""
    for line in lines:
        if len(by) > 1 and line.key[0] != head:
            head = line.key[0]
            drawn.add_row(Text(head, "bold"))
        keys = [f"  {line.key[1]}", *line.key[2:]] if len(by) > 1 else list(line.key)
        figures = [figure.words(line) for figure in shown]
        drawn.add_row(*map(Text, keys), *figures, *([cost(line)] if prices.models else []))
    return drawn


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of the table."""

    title: str
    of: Callable[[Sum], int]
    always: bool = True

    def words(self, line: Sum) -> str:
        """The figure in a line; a dash for none."""
        return f"{self.of(line):,}" if self.of(line) else "–"


FIGURES = (
    Figure("calls", lambda line: line.calls),
    Figure("failed", lambda line: line.failed, always=False),
    Figure("tokens in", lambda line: line.prompt),
    Figure("cached", lambda line: line.cached, always=False),
    Figure("out", lambda line: line.completion),
)


def cost(line: Sum) -> str:
    """What is known of it; more than that where a model has no price."""
    known = bool(line.cost) or not line.unpriced
    return f"{'> ' * bool(line.unpriced)}{line.cost:,.4f}" if known else "–"
