"""What is measured: one function per question, each giving the figures of one side for one round."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import linear_regression, quantiles
from typing import Any

from benchmark.cost import resident_bytes
from benchmark.sides import Running

MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """How long and how much; `--quick` takes the smaller figures."""

    seconds: float = 4.0  # of every stretch in which figures are taken
    calls: int = 20_000  # of the memory measure
    soak: tuple[int, int, int, float] = (1000, 200, 100, 10.0)  # streams, chunks, ms between them, seconds of ramp


QUICK = Settings(seconds=1.5, calls=2000, soak=(200, 30, 100, 2.0))


@dataclass
class Round:
    """The figures of one side in one round, and everything that went wrong."""

    figures: dict[str, float] = field(default_factory=dict)
    curve: dict[int, float] = field(default_factory=dict)  # calls -> MiB
    problems: Counter[str] = field(default_factory=Counter)


class Load:
    """The load generator, from the side of the one who gives the orders."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def order(self, running: Running, **what: Any) -> dict[str, Any]:
        """Give an order and wait for its figures."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({**what, "port": running.port, "pid": running.pid}) + "\n")
        self.process.stdin.flush()
        if not (line := self.process.stdout.readline()):
            msg = "the load generator has ended"
            raise RuntimeError(msg)
        return json.loads(line)


def percentile(values: list[float], percent: int) -> float:
    """One of the values' percentiles, in their unit; not a number without values."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def measure_json(load: Load, running: Running, settings: Settings) -> Round:
    """Small JSON calls: what one costs, and how many a second go through."""
    result = Round()
    for connections in (1, 16, 64):
        got = load.order(running, do="calls", connections=connections, seconds=settings.seconds)
        result.problems.update(got["problems"])
        result.figures |= {
            f"cpu_{connections}": 1000 * got["cpu"] / max(1, got["count"]),
            f"rate_{connections}": got["count"] / got["seconds"],
            f"p99_{connections}": 1000 * percentile(got["times"], 99),
        }
    return result


def measure_stream(load: Load, running: Running, settings: Settings) -> Round:
    """What one chunk costs while 100 streams flow at 20 ms; their beginning and end are left out."""
    ramp, settle = 2.0, 0.5
    chunks = int((ramp + settle + settings.seconds + 0.5) / 0.020)
    got = load.order(
        running, do="streams", streams=100, chunks=chunks, pace=20, ramp=ramp, settle=settle,
        seconds=settings.seconds, repeat=False,
    )  # fmt: skip
    figures = {
        "cpu": 1e6 * got["cpu"] / max(1, got["count"]),
        "rate": got["count"] / max(0.001, got["seconds"]),
        "busy": 100 * got["cpu"] / max(0.001, got["seconds"]),
        "joined": got["count"] / max(1, got["pieces"]),
    }
    return Round(figures, problems=Counter(got["problems"]))


def measure_ttft(load: Load, running: Running, settings: Settings) -> Round:
    """How long the first chunk takes while 1, 50 or 100 other streams flow at 20 ms, each two seconds long."""
    result = Round()
    for streams in (1, 50, 100):
        chunks = 100 if streams > 1 else 5
        ramp = chunks * 0.020 if streams > 1 else 0.2
        got = load.order(
            running, do="streams", streams=streams, chunks=chunks, pace=20, ramp=ramp, settle=0.0,
            seconds=settings.seconds + 1, repeat=True,
        )  # fmt: skip
        result.problems.update(got["problems"])
        result.figures[f"p50_{streams}"] = 1000 * percentile(got["first"], 50)
        result.figures[f"p99_{streams}"] = 1000 * percentile(got["first"], 99)
    return result


def measure_soak(load: Load, running: Running, settings: Settings) -> Round:
    """A thousand streams at once, begun over ten seconds: errors, lost chunks, first chunks, chunks a second."""
    streams, chunks, pace, ramp = settings.soak
    got = load.order(
        running, do="streams", streams=streams, chunks=chunks, pace=pace, ramp=ramp, settle=0.0,
        seconds=max(1.0, chunks * pace / 1000 - ramp), repeat=False,
    )  # fmt: skip
    figures = {
        "errors": float(sum(got["problems"].values())),
        "lost": float(got["lost"]),
        "p50": 1000 * percentile(got["first"], 50),
        "p99": 1000 * percentile(got["first"], 99),
        "rate": got["count"] / max(0.001, got["seconds"]),
        "cpu": 1e6 * got["cpu"] / max(1, got["count"]),
        "joined": got["count"] / max(1, got["pieces"]),
        "total": got["total"],
    }
    return Round(figures, problems=Counter(got["problems"]))


def measure_memory(load: Load, running: Running, settings: Settings) -> Round:
    """Resident memory before and after many calls, and its slope over the second half of them."""
    result = Round()
    pid = running.pid or 0
    before = resident_bytes(pid)
    steps = 20
    seen = []
    for step in range(1, steps + 1):
        got = load.order(running, do="calls", connections=16, count=settings.calls // steps)
        result.problems.update(got["problems"])
        seen.append((step * settings.calls / steps / 1000, resident_bytes(pid) / 1024))
    result.curve = {0: before / MIB} | {round(1000 * thousands): size / 1024 for thousands, size in seen}
    calls, kib = zip(*seen[steps // 2 :], strict=True)
    result.figures = {
        "before": before / MIB,
        "after": kib[-1] * 1024 / MIB,
        "slope": linear_regression(calls, kib).slope,
        "calls": float(settings.calls),
    }
    return result


def measure_anew(load: Load, running: Running, settings: Settings) -> Round:
    """Resident memory after many calls that had a connection each, 200 at once."""
    count = settings.calls
    got = load.order(running, do="calls", connections=200, count=count, anew=True)
    after = resident_bytes(running.pid or 0) / MIB
    cost = 1000 * got["cpu"] / max(1, got["count"])
    return Round({"after": after, "calls": float(count), "cpu": cost}, problems=Counter(got["problems"]))


type Measure = Callable[[Load, Running, Settings], Round]

# name -> (function, sides that make no sense, whether it is repeated in every round)
# A bare proxy collects a whole answer before it hands it on, so it is no side where streams are measured.
MEASURES: dict[str, tuple[Measure, set[str], bool]] = {
    "json": (measure_json, set(), True),
    "stream": (measure_stream, {"bare", "direct"}, True),
    "ttft": (measure_ttft, {"bare"}, True),
    "soak": (measure_soak, {"bare"}, False),
    "memory": (measure_memory, {"direct"}, False),
    "anew": (measure_anew, {"direct"}, False),
}
