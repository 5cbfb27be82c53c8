"""Retries as a share of traffic, so that an outage is not multiplied (Envoy's retry budget).

    balance' = min(cap, balance + ratio)   for each call
    balance' = balance - 1                 for each retry that is paid for

Failing over to an account that is well costs nothing; everything else does.
"""


class RetryBudget:
    """What may be spent on retries.

    Args:
        ratio: retries per call in the long run.
        reserve: retries that are there from the start, so that the first call of the day can be retried.
    """

    def __init__(self, ratio: float = 0.15, reserve: float = 5.0) -> None:
        self._ratio = ratio
        self._cap = max(reserve, 20.0)
        self._balance = reserve

    def deposit(self) -> None:
        """A call came in."""
        self._balance = min(self._cap, self._balance + self._ratio)

    def withdraw(self) -> bool:
        """Whether one more retry may be made; it counts as made."""
        if self._balance < 1:
            return False
        self._balance -= 1
        return True
