"""Three challenges in a row stop the calls of an egress; one call goes first when the pause is over."""

from qwen_gateway.engine.breaker import PAUSE, Breaker
from tests.engine.fakes import Clock


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(3):
        assert breaker.wait("e") == 0
        breaker.challenged("e")
    return breaker, clock


def test_two_challenges_are_no_three_and_an_answer_begins_anew() -> None:
    breaker = Breaker(Clock())

    assert [breaker.challenged("e"), breaker.challenged("e")] == [0, 0]
    breaker.passed("e")
    assert [breaker.challenged("e"), breaker.challenged("e"), breaker.challenged("e")] == [0, 0, PAUSE]


def test_an_open_breaker_keeps_calls_away_and_only_those_of_its_egress() -> None:
    breaker, _ = opened()

    assert breaker.wait("e") == PAUSE
    assert breaker.wait("other") == 0


def test_one_probe_passes_when_the_pause_is_over_and_its_answer_closes() -> None:
    breaker, clock = opened()
    clock.now += PAUSE + 1

    assert breaker.wait("e") == 0
    assert breaker.wait("e") > 0
    breaker.passed("e")
    assert breaker.wait("e") == 0


def test_a_challenged_probe_opens_for_twice_as_long() -> None:
    breaker, clock = opened()
    clock.now += PAUSE + 1
    breaker.wait("e")

    assert breaker.challenged("e") == 2 * PAUSE
    assert breaker.wait("e") == 2 * PAUSE


def test_a_probe_that_met_something_else_lets_the_next_one_probe() -> None:
    breaker, clock = opened()
    clock.now += PAUSE + 1
    breaker.wait("e")

    breaker.left("e")

    assert breaker.wait("e") == 0


def test_challenges_that_were_under_way_do_not_lengthen_the_pause() -> None:
    breaker, _ = opened()

    assert breaker.challenged("e") == PAUSE
