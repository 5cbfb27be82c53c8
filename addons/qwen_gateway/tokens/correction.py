"""What upstreams report teaches how far estimates are off: one factor for each model, in memory only."""

from dataclasses import dataclass

MODELS_LIMIT = 256
"""Models that are remembered: clients choose some of the names."""

TRUST = 500.0
"""Tokens of estimates that count as if they had been right: the first short calls shall not turn everything."""

MEMORY = 400_000.0
"""Estimated tokens after which older ones count half: a model may be exchanged behind its name."""

BOUNDS = (0.25, 4.0)
"""A factor beyond these says that something else is counted."""


@dataclass(slots=True)
class _Sums:
    estimated: float = TRUST
    reported: float = TRUST


class Correction:
    """Factors by model, and by whether a vocabulary counted: the two are off by different factors."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, bool], _Sums] = {}

    def factor(self, model: str, *, counted: bool) -> float:
        """What an estimate is multiplied with; 1 for a model that nothing is known of."""
        sums = self._sums.get((model, counted))
        if sums is None:
            return 1.0
        return min(max(sums.reported / sums.estimated, BOUNDS[0]), BOUNDS[1])

    def learn(self, model: str, estimated: int, reported: int, *, counted: bool) -> None:
        """An upstream reported what it counted."""
        if estimated <= 0 or reported <= 0:
            return
        sums = self._sums.get((model, counted))
        if sums is None:
            if len(self._sums) >= MODELS_LIMIT:
                del self._sums[next(iter(self._sums))]
            sums = self._sums[model, counted] = _Sums()
        sums.estimated += estimated
        sums.reported += reported
        if sums.estimated > MEMORY:
            sums.estimated /= 2
            sums.reported /= 2
