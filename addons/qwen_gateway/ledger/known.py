"""What gateways tell each other about accounts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """The state of one account for one model ("": for all); `until` in seconds since the epoch."""

    account: str
    model: str
    status: str
    until: float
    reason: str = ""
    cause: str = ""
    code: str = ""
    failures: int = 0
