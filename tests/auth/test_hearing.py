"""What the pool and the counts take over from other gateways."""

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.pool import Pool, Rest, State
from qwen_auth.spent import Spent
from qwen_auth.windows import HOURS

ME = Account("me", "key", "model-studio-intl", "https://qwen/v1", KeyCredentials("sk-1"))


def pool() -> Pool:
    return Pool([ME], clock=lambda: 100.0)


def test_a_rest_that_was_heard_of_is_kept() -> None:
    heard = pool()
    heard.hear(State("me", "", "resting", 500.0, "too many"))

    assert not heard.usable()
    assert heard.next_recovery() == 500.0
    heard.hear(State("me", "", "healthy"))
    assert heard.usable()


def test_the_longer_rest_counts() -> None:
    heard = pool()
    heard.failed("me", "qwen-plus", Rest("exhausted", 900.0, 900.0, whole_account=True))
    heard.hear(State("me", "", "resting", 500.0))

    assert heard.next_recovery() == 1000.0


def test_what_is_over_or_of_nobody_here_is_not_taken_over() -> None:
    heard = pool()
    heard.hear(State("me", "", "resting", 99.0))
    heard.hear(State("you", "", "resting", 500.0))

    assert heard.usable()
    assert [state.account for state in heard.states()] == ["me"]


def test_counts_of_all_take_the_place_of_ones_own() -> None:
    spent = Spent()
    spent.add("me", 7201.0)
    spent.hear("minute", [("me", 7200, 40), ("me", 7140, 2)])

    assert spent.calls("me", HOURS, 7230.0) == 42
