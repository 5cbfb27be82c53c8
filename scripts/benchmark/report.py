"""From figures to a table that a reader understands: medians, ratios, and the budgets that are kept or not."""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from benchmark.measures import Round
from benchmark.sides import SIDES

type Results = dict[str, dict[str, list[Round]]]  # measure -> side -> rounds


@dataclass(frozen=True)
class Column:
    """One figure: its key, its heading, its digits, and the side it is divided by or the difference to, if any."""

    key: str
    title: str
    digits: int = 1
    over: str = ""
    minus: str = ""


@dataclass(frozen=True)
class Budget:
    """A promise about one figure, as the design states it."""

    text: str
    measure: str
    key: str
    sides: tuple[str, ...]
    limit: float
    against: str = ""  # a side
    how: str = "value"  # "value", "ratio" to that side, or "added" to it


TABLES: dict[str, tuple[str, list[Column]]] = {
    "json": (
        "Small JSON calls with 1, 16 and 64 at once",
        [
            Column("cpu_1", "CPU ms/call @1", 2),
            Column("cpu_16", "@16", 2),
            Column("cpu_64", "@64", 2),
            Column("cpu_16", "@16 / bare", 2, "bare"),
            Column("rate_1", "calls/s @1", 0),
            Column("rate_16", "@16", 0),
            Column("rate_64", "@64", 0),
            Column("rate_16", "@16 / bare", 2, "bare"),
            Column("p99_16", "p99 ms @16"),
        ],
    ),
    "stream": (
        "Streams: 100 at once, 20 ms between chunks (5,000 chunks a second are offered)",
        [
            Column("cpu", "CPU µs/chunk"),
            Column("cpu", "/ stream", 2, "stream"),
            Column("rate", "chunks/s", 0),
            Column("busy", "CPU %", 0),
            Column("joined", "chunks/read", 2),
        ],
    ),
    "ttft": (
        "Milliseconds to the first chunk while 1, 50 and 100 streams flow, 20 ms between chunks",
        [
            Column("p50_1", "p50 @1"),
            Column("p99_1", "p99 @1"),
            Column("p50_50", "p50 @50"),
            Column("p99_50", "p99 @50"),
            Column("p50_100", "p50 @100"),
            Column("p99_100", "p99 @100"),
            Column("p50_50", "added p50 @50", minus="direct"),
            Column("p99_50", "p99 @50", minus="direct"),
            Column("p50_100", "p50 @100", minus="direct"),
        ],
    ),
    "soak": (
        "Many streams: all of them at once, begun over a ramp, 100 ms between chunks",
        [
            Column("lost", "lost chunks", 0),
            Column("p50", "first ms p50"),
            Column("p99", "p99"),
            Column("p50", "added p50", minus="direct"),
            Column("rate", "chunks/s", 0),
            Column("cpu", "CPU µs/chunk"),
            Column("joined", "chunks/read", 2),
            Column("total", "seconds"),
        ],
    ),
    "memory": (
        "Resident memory",
        [
            Column("calls", "calls", 0),
            Column("before", "MiB before"),
            Column("after", "MiB after"),
            Column("slope", "KiB per 1,000 calls"),
        ],
    ),
    "anew": (
        "A connection for each call, 200 at once",
        [
            Column("calls", "calls", 0),
            Column("after", "MiB after"),
            Column("cpu", "CPU ms/call", 2),
            Column("cpu", "/ bare", 2, "bare"),
        ],
    ),
}

LAUNCHER, SCRIPT, BOTH = ("launcher",), ("script",), ("script", "launcher")
BUDGETS = [
    Budget("CPU per small JSON call <= 0.7 x bare", "json", "cpu_16", LAUNCHER, 0.7, "bare", "ratio"),
    Budget("CPU per small JSON call <= 1.1 x bare", "json", "cpu_16", SCRIPT, 1.1, "bare", "ratio"),
    Budget("CPU per chunk at 100 streams <= 0.8 x stream", "stream", "cpu", BOTH, 0.8, "stream", "ratio"),
    Budget("first chunk at 50 streams, p50 <= 15 ms added", "ttft", "p50_50", BOTH, 15, "direct", "added"),
    Budget("many streams: no error", "soak", "errors", BOTH, 0),
    Budget("many streams: no lost chunk", "soak", "lost", BOTH, 0),
    Budget("many streams: first chunk p50 <= 250 ms added", "soak", "p50", BOTH, 250, "direct", "added"),
    Budget("resident memory <= 150 MiB", "memory", "after", BOTH, 150),
    Budget("resident memory <= 150 MiB, a connection each", "anew", "after", BOTH, 150),
    Budget("memory slope <= 10 KiB per 1,000 calls", "memory", "slope", BOTH, 10),
]


def middle(results: Results, measure: str, side: str, key: str) -> float | None:
    """The median of a figure over the rounds."""
    rounds = results.get(measure, {}).get(side, [])
    return median(r.figures[key] for r in rounds) if rounds else None


def cell(results: Results, measure: str, side: str, column: Column) -> str:
    """One figure of the table."""
    value = middle(results, measure, side, column.key)
    costs = column.key.startswith(("cpu", "busy"))
    if value is None or (side == "direct" and (costs or column.over or column.minus)):
        return "-"
    if other := column.over or column.minus:
        base = middle(results, measure, other, column.key)
        if not base:
            return "-"
        value = value / base if column.over else value - base
    return f"{value:,.{column.digits}f}"


def table(results: Results, measure: str) -> str:
    """One measure, a line per side."""
    title, columns = TABLES[measure]
    sides = [side for side in SIDES if side in results[measure]]
    rows = [["", *(column.title for column in columns), "errors"]]
    for side in sides:
        wrong = sum((r.problems for r in results[measure][side]), Counter()).total()
        rows.append([side, *(cell(results, measure, side, c) for c in columns), str(wrong)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    rounds = max(map(len, results[measure].values()))
    return "\n".join([f"{title}; {'medians of ' if rounds > 1 else ''}{rounds} round{'s' * (rounds > 1)}", *lines])


def curve(results: Results) -> str:
    """Resident memory as the calls go by, a column per side."""
    curves = {side: rounds[0].curve for side, rounds in results.get("memory", {}).items() if rounds[0].curve}
    if not curves:
        return ""
    lines = [f"{'calls':>9}" + "".join(f"{side:>10}" for side in curves)]
    for calls in next(iter(curves.values())):
        lines.append(f"{calls:>9,}" + "".join(f"{found.get(calls, float('nan')):>10.1f}" for found in curves.values()))
    return "\n".join(["Resident memory in MiB, by calls made", *lines])


def problems(results: Results) -> str:
    """What went wrong, in the words of the load generator."""
    lines = [
        f"  {measure}, {side}: {count} x {problem}"
        for measure, sides in results.items()
        for side, rounds in sides.items()
        for problem, count in sum((r.problems for r in rounds), Counter()).most_common(5)
    ]
    return "\n".join(["Errors:", *lines]) if lines else ""


def verdicts(results: Results) -> list[tuple[str, str, float, bool]]:
    """Every budget that was measured: its text, the side, the figure, and whether it is kept."""
    found = []
    for budget in BUDGETS:
        for side in budget.sides:
            value = middle(results, budget.measure, side, budget.key)
            base = middle(results, budget.measure, budget.against, budget.key) if budget.against else 0.0
            if value is None or base is None:
                continue
            figure = value / base if budget.how == "ratio" else value - base
            found.append((budget.text, side, figure, figure <= budget.limit))
    return found


def report(results: Results) -> str:
    """Everything, for the terminal."""
    parts = [table(results, measure) for measure in TABLES if results.get(measure)]
    parts.append(curve(results))
    judged = [
        f"  {'kept    ' if kept else 'NOT KEPT'}  {text} ({side}: {figure:.2f})"
        for text, side, figure, kept in verdicts(results)
    ]
    if judged:
        parts.append("\n".join(["Budgets:", *judged]))
    parts.append(problems(results))
    legend = "\n".join(
        f"  {side.name:9} {side.what}" for side in SIDES.values() if any(side.name in r for r in results.values())
    )
    return "\n\n".join(part for part in [*parts, f"Sides:\n{legend}"] if part)
