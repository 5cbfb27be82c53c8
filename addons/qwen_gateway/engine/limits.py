"""Time limits and counts of an exchange, all of them options of the operator."""

from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, unless said otherwise.

    Attributes:
        first: from sending a request to the first content of its answer (of one attempt).
        whole: the same for an answer that comes in one piece (of one attempt).
        idle: silence within an answer that has begun (qwen-code allows 240 s, upstream.md 2.15).
        total: the whole exchange, all attempts and waits.
        attempts: how many attempts an exchange may make.
        hold: how long headers wait for the first content.
        keep_alive: silence after which a stream gets a comment.
        wait: how long a call waits for an account that recovers soon.
        day: the zone whose midnight ends a day's quota (upstream.md 9.7).
        back_off: before the second attempt with the same account; doubled with each further one.
    """

    first: float = 120.0
    whole: float = 600.0
    idle: float = 240.0
    total: float = 900.0
    attempts: int = 4
    hold: float = 10.0
    keep_alive: float = 15.0
    wait: float = 8.0
    back_off: float = 0.5
    day: tzinfo = UTC
