"""Which account serves a call, and which ones rest. Time is a number."""

import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.pool import HOMES, STRATEGIES, NoAccount, Pool, Rest, Strategy

MODEL = "qwen3.7-plus"
OTHER = "qwen3-coder-plus"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def account(name: str, key: str = "", **more: Any) -> Account:
    credentials = KeyCredentials(key or f"sk-{name}")
    return Account(name, "key", "model-studio-intl", f"https://{name}.test/v1", credentials, **more)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pool_of(clock: Clock, *names: str, strategy: Strategy = "fill-first") -> Pool:
    return Pool([account(name) for name in names], strategy=strategy, clock=clock)


def rest(seconds: float = 5, ceiling: float = 120, **more: Any) -> Rest:
    return Rest("resting", seconds, ceiling, cause="throttle", reason="throttle: too fast", **more)


def picked(pool: Pool, **more: Any) -> str:
    return pool.pick(MODEL, **more).account.name


def blocked(pool: Pool, model: str = MODEL) -> NoAccount:
    with pytest.raises(NoAccount) as nobody:
        pool.pick(model)
    return nobody.value


class TestResting:
    def test_a_rested_account_is_not_picked(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")

        pool.failed("a", MODEL, rest())

        assert picked(pool) == "b"

    def test_it_rests_for_that_model_only(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest())

        assert pool.pick(OTHER).account.name == "a"
        pool.failed("a", MODEL, rest(whole_account=True))
        assert pool.pick(OTHER).account.name == "b"

    def test_a_hint_is_believed(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(hint=42))

        assert blocked(pool).retry_at == clock.now + 42
        clock.now += 42
        assert picked(pool) == "a"

    def test_a_hint_is_believed_up_to_a_ceiling(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(hint=1e9, ceiling=120))

        assert blocked(pool).retry_at == clock.now + 120

    @pytest.mark.parametrize("hint", [0, -5])
    def test_a_hint_of_nothing_is_no_rest(self, clock: Clock, hint: float) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(hint=hint))

        assert picked(pool) == "a"

    def test_without_a_hint_rests_grow(self, clock: Clock) -> None:
        pool, lengths = pool_of(clock, "a"), []
        for _ in range(7):
            pool.failed("a", MODEL, rest(5, 120))
            until = blocked(pool).retry_at or 0
            lengths.append(until - clock.now)
            clock.now = until
            pool.pick(MODEL)

        assert lengths == [5, 10, 20, 40, 80, 120, 120]

    def test_a_guess_never_grows_to_the_ceiling_of_a_hint(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        for _ in range(40):
            pool.failed("a", MODEL, rest(900, 31 * 86_400, longest=3_600))
            until = blocked(pool).retry_at or 0
            assert until - clock.now <= 3_600
            clock.now = until
            pool.pick(MODEL)

    def test_success_forgets(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(5))
        clock.now += 5
        pool.pick(MODEL)
        pool.succeeded("a", MODEL)
        pool.failed("a", MODEL, rest(5))

        assert blocked(pool).retry_at == clock.now + 5

    def test_many_failures_at_once_are_one_event(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        for _ in range(200):
            pool.failed("a", MODEL, rest(5))

        assert blocked(pool).retry_at == clock.now + 5

    def test_a_longer_hint_among_them_counts(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(5))
        pool.failed("a", MODEL, rest(5, hint=60))
        pool.failed("a", MODEL, rest(5, hint=10))

        assert blocked(pool).retry_at == clock.now + 60

    def test_old_success_does_not_end_a_younger_rest(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest(60))
        pool.succeeded("a", MODEL)

        assert picked(pool) == "b"

    def test_a_bad_request_rests_nobody(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        for _ in range(100):
            pool.pick(MODEL)
            pool.failed("a", MODEL, None)

        assert picked(pool) == "a"
        assert pool.pick(MODEL).healthy

    def test_news_of_unknown_accounts_is_ignored(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.failed("gone", MODEL, rest())
        pool.succeeded("gone", MODEL)

        assert [state.account for state in pool.states()] == ["a"]


class TestHalfOpen:
    @pytest.fixture
    def pool(self, clock: Clock) -> Pool:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(5))
        clock.now += 5
        return pool

    def test_exactly_one_call_goes_first(self, pool: Pool) -> None:
        choice = pool.pick(MODEL)

        assert not choice.healthy
        assert "probing" in choice.why
        assert "probing" in str(blocked(pool))

    def test_others_are_told_to_come_back_soon(self, pool: Pool, clock: Clock) -> None:
        pool.pick(MODEL)

        assert blocked(pool).retry_at == clock.now + 1

    def test_success_lets_all_in(self, pool: Pool) -> None:
        pool.pick(MODEL)
        pool.succeeded("a", MODEL)

        assert [pool.pick(MODEL).healthy for _ in range(5)] == [True] * 5

    def test_failure_rests_it_longer(self, pool: Pool, clock: Clock) -> None:
        pool.pick(MODEL)
        pool.failed("a", MODEL, rest(5))

        assert blocked(pool).retry_at == clock.now + 10

    def test_a_probe_that_says_nothing_of_the_account_lets_the_next_one_go(self, pool: Pool) -> None:
        pool.pick(MODEL)
        pool.failed("a", MODEL, None)

        assert not pool.pick(MODEL).healthy

    def test_a_probe_that_never_reports_is_forgotten(self, pool: Pool, clock: Clock) -> None:
        pool.pick(MODEL)
        clock.now += 120

        assert picked(pool) == "a"

    def test_an_account_in_doubt_is_not_preferred_for_a_failover(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest(5))
        clock.now += 5
        pool.pick(MODEL)

        assert picked(pool) == "b"


class TestTheOnlyAccount:
    def test_it_rests_for_a_passing_fault_after_three(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        for _ in range(2):
            pool.failed("a", MODEL, rest(1, 10, transient=True))
            assert not pool.pick(MODEL).healthy
        pool.failed("a", MODEL, rest(1, 10, transient=True))

        assert blocked(pool)

    def test_it_rests_at_once_when_told_how_long(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(1, 10, transient=True, hint=3))

        assert blocked(pool).retry_at == clock.now + 3

    def test_one_of_many_rests_at_once(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest(1, 10, transient=True))

        assert picked(pool) == "b"

    @pytest.mark.parametrize("status", ["resting", "exhausted", "needs-login", "excluded", "disabled"])
    def test_no_failure_rests_it_for_good(self, clock: Clock, status: Any) -> None:
        pool = pool_of(clock, "a")
        for _ in range(50):
            pool.failed("a", MODEL, Rest(status, 60, 600, whole_account=True))
            clock.now = blocked(pool).retry_at or float("nan")
            assert picked(pool) == "a"


class TestByHand:
    def test_a_disabled_account_stays_away(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.disable("a")
        clock.now += 1e9

        assert picked(pool) == "b"
        assert pool.states()[0].status == "disabled"
        assert [one.name for one in pool.serving()] == ["b"]

    def test_reset_forgets_everything(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(60))
        pool.disable("a")
        pool.reset("a")

        assert pool.pick(MODEL).healthy

    def test_all_disabled_is_told_with_the_remedy(self, clock: Clock) -> None:
        pool = pool_of(clock, "a")
        pool.disable("a")

        problem = blocked(pool)

        assert problem.retry_at is None
        assert "disabled by hand" in str(problem)

    def test_a_wanted_account_that_is_disabled_names_the_command(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.disable("a")

        with pytest.raises(NoAccount, match="reset a"):
            pool.pick(MODEL, wanted="a")


class TestStrategies:
    @pytest.mark.parametrize(
        ("strategy", "order"),
        [
            ("single", "aaaaaa"),
            ("fill-first", "aaaaaa"),
            ("round-robin", "abcabc"),
            ("least-used", "abcabc"),
            ("sticky", "abcabc"),
        ],
    )
    def test_each_has_its_order(self, clock: Clock, strategy: Strategy, order: str) -> None:
        pool = pool_of(clock, "a", "b", "c", strategy=strategy)

        assert "".join(picked(pool) for _ in order) == order

    def test_single_never_uses_another(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b", strategy="single")
        pool.failed("a", MODEL, rest(60))

        assert blocked(pool)
        assert pool.pick(MODEL, wanted="b").account.name == "b"

    def test_a_turn_goes_to_the_next_in_order_whoever_is_away(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b", "c", strategy="round-robin")
        order = [picked(pool)]
        pool.failed("b", MODEL, rest(60))
        order += [picked(pool) for _ in range(4)]

        assert order == ["a", "c", "a", "c", "a"]

    def test_tried_accounts_are_left_out(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")

        assert picked(pool, tried={"a"}) == "b"
        with pytest.raises(NoAccount, match="was tried"):
            pool.pick(MODEL, tried={"a", "b"})

    @pytest.mark.parametrize("strategy", ["round-robin", "least-used", "sticky"])
    def test_a_conversation_stays_where_it_lives(self, clock: Clock, strategy: Strategy) -> None:
        pool = pool_of(clock, "a", "b", "c", strategy=strategy)
        homes = {name: picked(pool, stickiness=name) for name in ("x", "y", "z")}

        assert sorted(homes.values()) == ["a", "b", "c"]
        for name in ("z", "x", "y", "x"):
            assert picked(pool, stickiness=name) == homes[name]

    def test_it_moves_when_its_home_rests_and_then_stays(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b", strategy="sticky")
        assert picked(pool, stickiness="x") == "a"
        pool.failed("a", MODEL, rest(5))

        assert picked(pool, stickiness="x") == "b"
        clock.now += 60
        assert picked(pool, stickiness="x") == "b"

    def test_old_conversations_are_forgotten(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b", strategy="sticky")
        for number in range(HOMES + 50):
            pool.pick(MODEL, stickiness=str(number))

        assert len(pool._homes) == HOMES

    def test_the_wanted_account_is_taken_whatever_the_strategy(self, clock: Clock) -> None:
        for strategy in STRATEGIES:
            assert picked(pool_of(clock, "a", "b", strategy=strategy), wanted="b") == "b"

    def test_an_unknown_wanted_account_is_told(self, clock: Clock) -> None:
        with pytest.raises(NoAccount, match="there is no account 'nobody'; accounts: a"):
            pool_of(clock, "a").pick(MODEL, wanted="nobody")


class TestModels:
    def test_an_account_limited_to_models_serves_only_those(self, clock: Clock) -> None:
        pool = Pool([account("a", models=(OTHER,)), account("b")], strategy="fill-first", clock=clock)

        assert picked(pool) == "b"
        assert pool.pick(OTHER).account.name == "a"
        with pytest.raises(NoAccount, match=f"limited to {OTHER}"):
            pool.pick(MODEL, tried={"b"})

    def test_each_account_may_have_another_name_for_the_model(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        names = {"a": None, "b": "x"}

        assert pool.pick(lambda one: names[one.name]).account.name == "b"
        pool.failed("b", "x", rest(60))
        with pytest.raises(NoAccount, match="'a' has no such model"):
            pool.pick(lambda one: names[one.name])


class TestReplacing:
    def test_what_is_known_stays_with_accounts_that_stay(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest(60))
        pool.replace([account("a"), account("c")])

        assert picked(pool) == "c"

    @pytest.mark.parametrize("mended", [account("a", key="sk-new"), account("a", proxy="http://p:3128")])
    def test_a_mended_account_starts_afresh(self, clock: Clock, mended: Account) -> None:
        pool = pool_of(clock, "a")
        pool.failed("a", MODEL, rest(600, whole_account=True))
        pool.replace([mended])

        assert pool.pick(MODEL).healthy

    def test_a_new_account_does_not_get_all_the_calls(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b", strategy="least-used")
        for _ in range(100):
            pool.pick(MODEL)
        pool.replace([account("a"), account("b"), account("c")])

        found = [picked(pool) for _ in range(30)]

        assert max(found.count(name) for name in "abc") <= 11

    def test_no_account_is_told_with_the_remedy(self, clock: Clock) -> None:
        with pytest.raises(NoAccount, match="qwen-auth add"):
            Pool([], clock=clock).pick(MODEL)


class TestTelling:
    def test_states_show_ended_rests_as_healthy(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest(5))

        assert [(one.account, one.model, one.status) for one in pool.states()] == [
            ("a", "", "healthy"),
            ("a", MODEL, "resting"),
            ("b", "", "healthy"),
        ]
        clock.now += 5
        assert {one.status for one in pool.states()} == {"healthy"}

    def test_usable_and_the_next_recovery(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        assert pool.usable()
        assert pool.next_recovery() is None
        pool.failed("a", MODEL, rest(60, whole_account=True))
        pool.failed("b", MODEL, rest(30, whole_account=True))

        assert not pool.usable()
        assert pool.next_recovery() == clock.now + 30

    def test_the_recovery_for_a_model(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest(60))
        assert pool.recovery(MODEL) is None
        pool.failed("b", MODEL, rest(30))

        assert pool.recovery(MODEL) == clock.now + 30
        assert pool.recovery(MODEL, wanted="a") == clock.now + 60
        assert pool.recovery(OTHER) is None
        assert pool.recovery(lambda _: None) is None

    def test_the_message_names_each_account_and_why(self, clock: Clock) -> None:
        pool = pool_of(clock, "a", "b")
        pool.failed("a", MODEL, rest(60))
        pool.failed("b", MODEL, rest(30))

        assert str(blocked(pool)) == (
            "no account is usable: 'a' is resting for 60 s (throttle: too fast); "
            "'b' is resting for 30 s (throttle: too fast)"
        )


def test_a_thousand_rests_end_when_they_were_said_to() -> None:
    """Recovery within a second of what was advertised, up to the ceiling (openai-surface.md, figure 5)."""
    dice = random.Random(20_261_121)
    for _ in range(1_000):
        clock = Clock()
        pool = pool_of(clock, *"abc"[: dice.randint(1, 3)], strategy=dice.choice(STRATEGIES))
        ceiling = dice.choice([120, 600, 86_400, 31 * 86_400])
        hint = dice.uniform(0.1, 40 * 86_400)
        for one in pool.accounts:
            pool.failed(one.name, MODEL, rest(5, ceiling, hint=hint, whole_account=dice.random() < 0.5))
        advertised = blocked(pool).retry_at or 0

        assert abs(advertised - (clock.now + max(1.0, min(hint, ceiling)))) <= 1
        clock.now = max(clock.now, clock.now + min(hint, ceiling)) - 0.05
        assert blocked(pool)
        clock.now += 0.05 + 1
        assert not pool.pick(MODEL).healthy


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pick", "fail", "bad", "well", "wait", "disable", "reset", "replace"]),
        st.sampled_from("abc"),
        st.floats(0, 200),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from(STRATEGIES))
def test_whatever_happens_every_account_comes_back(steps: list[tuple[str, str, float]], strategy: Strategy) -> None:
    clock = Clock()
    pool = pool_of(clock, "a", "b", "c", strategy=strategy)
    for step, name, number in steps:
        match step:
            case "pick":
                with suppress(NoAccount):
                    pool.pick(MODEL, stickiness=name, tried={name} if number > 100 else ())
            case "fail":
                pool.failed(name, MODEL, rest(number, 120, transient=number > 50, whole_account=number > 150))
            case "bad":
                pool.failed(name, MODEL, None)
            case "well":
                pool.succeeded(name, MODEL)
            case "wait":
                clock.now += number
            case "disable":
                pool.disable(name)
            case "reset":
                pool.reset(name)
            case _:
                pool.replace([account(one) for one in "abc" if one != name or number > 100])
    pool.replace([account(name) for name in "abc"])
    pool._disabled.clear()
    clock.now += 1_000

    assert pool.pick(MODEL).account.name in "abc"
