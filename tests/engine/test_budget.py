"""Retries as a share of traffic."""

from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.engine.budget import RetryBudget


def test_the_first_calls_of_the_day_can_be_tried_again() -> None:
    budget = RetryBudget(reserve=5)

    assert [budget.withdraw() for _ in range(6)] == [True] * 5 + [False]


def test_calls_earn_retries() -> None:
    budget = RetryBudget(ratio=0.25, reserve=0)
    for _ in range(4):
        assert not budget.withdraw()
        budget.deposit()

    assert budget.withdraw()
    assert not budget.withdraw()


def test_a_quiet_day_does_not_save_up_a_storm() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget.deposit()

    assert sum(budget.withdraw() for _ in range(1_000)) == 20


@given(st.lists(st.booleans(), max_size=500))
def test_retries_never_exceed_their_share(steps: list[bool]) -> None:
    budget = RetryBudget(ratio=0.15, reserve=5)
    retries = sum(budget.withdraw() for step in steps if step or budget.deposit())

    assert retries <= 5 + 0.15 * len(steps)
