"""Stops calls to a site that challenges them: its bot defence looks at the address they come from (upstream.md 3.11).

====================  ==============================================================================
closed                calls pass; challenges in a row are counted, an answer begins the count anew
open                  after three no call passes for a minute, twice as long after each failed probe
half open             then one call passes; what it meets opens or closes the breaker
====================  ==============================================================================

One breaker for each *egress*: a site as it is reached from one address. Challenges go on and get harder where calls do.
"""

from collections.abc import Callable
from dataclasses import dataclass

THRESHOLD = 3
PAUSE, LONGEST = 60.0, 1800.0
"""Seconds: the first pause is RF's (3.11)."""

PROBE_LIMIT = 120.0
"""Seconds after which a probe that never reported no longer keeps the next one away."""


@dataclass(slots=True)
class _Egress:
    challenges: int = 0
    pause: float = 0.0
    until: float = 0.0
    probing_since: float | None = None


class Breaker:
    """All breakers of one engine. The clock gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, _Egress] = {}

    def wait(self, egress: str) -> float:
        """Seconds until a call may pass; 0 when this one may, which is the probe where the breaker was open."""
        known = self._known.get(egress)
        if known is None or not known.until:
            return 0.0
        now = self._clock()
        if now < known.until:
            return known.until - now
        if known.probing_since is not None and now < known.probing_since + PROBE_LIMIT:
            return 1.0
        known.probing_since = now
        return 0.0

    def challenged(self, egress: str) -> float:
        """A call met a challenge; seconds for which the egress rests, 0 while the breaker stays closed."""
        known = self._known.setdefault(egress, _Egress())
        known.challenges += 1
        probing, known.probing_since = known.probing_since is not None, None
        now = self._clock()
        if known.until and not probing and now < known.until:
            return known.until - now  # it was under way when the breaker opened
        if not probing and known.challenges < THRESHOLD:
            return 0.0
        known.pause = min(known.pause * 2, LONGEST) if known.pause else PAUSE
        known.until = now + known.pause
        return known.pause

    def passed(self, egress: str) -> None:
        """A call was answered."""
        self._known.pop(egress, None)

    def left(self, egress: str) -> None:
        """A call ended without an answer and without a challenge: the next one may probe."""
        if known := self._known.get(egress):
            known.probing_since = None
