"""Counters and histograms that are cheap to add to: what Prometheus reads is made when it asks.

The client library's own take a lock and several calls for each addition. Here all additions come from one thread; the
one that shows them works on copies.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]
"""The values of a metric's labels, in their order."""


class Sums(Collector):
    """A counter: one sum for each combination of labels that was ever added to."""

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self._about = name, text
        self._names = labels
        self._sums: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Add to the sum of these labels."""
        self._sums[labels] = self._sums.get(labels, 0) + amount

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(*self._about, labels=self._names)
        for labels, value in self._sums.copy().items():
            family.add_metric(labels, value)
        yield family


class Spreads(Collector):
    """A histogram: for each combination of labels how many values fell between which bounds, and their sum.

    Args:
        bounds: the largest value of each bucket, in order; one more is for what is beyond.
    """

    def __init__(self, name: str, text: str, bounds: tuple[float, ...], labels: Labels) -> None:
        self._about = name, text
        self._names = labels
        self._bounds = bounds
        self._rows: dict[Labels, list[float]] = {}  # how many in each bucket, then the sum

    def add(self, labels: Labels, value: float) -> None:
        """Put a value into its bucket."""
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = [0] * (len(self._bounds) + 2)
        row[bisect_left(self._bounds, value)] += 1
        row[-1] += value

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(*self._about, labels=self._names)
        names = [floatToGoString(bound) for bound in (*self._bounds, float("inf"))]  # type: ignore[no-untyped-call]
        for labels, row in self._rows.copy().items():
            *counts, total = row
            family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), total)
        yield family
