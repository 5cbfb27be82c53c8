"""From a verdict to a rest for the account and an error for the client."""

from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.pool import NoAccount, State
from qwen_auth.spent import Spent
from qwen_auth.windows import HOURS, LIMITS, MONTH, Window
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.engine.consequences import error_of, error_of_states, rest_of
from qwen_gateway.upstreams.verdicts import VERDICTS
from tests import referee
from tests.engine.fakes import START, account

EACH = pytest.mark.parametrize("name", VERDICTS)


@EACH
def test_a_rest_is_what_the_table_says(name: str) -> None:
    verdict = VERDICTS[name]

    rest = rest_of(verdict, Fault(0, "", "No."), START)

    if verdict.effect == "none":
        assert rest is None
    else:
        assert rest is not None
        assert (rest.seconds, rest.ceiling, rest.cause) == (verdict.rest, verdict.ceiling, name)
        assert rest.whole_account == verdict.whole_account


def test_the_upstreams_hint_counts() -> None:
    rest = rest_of(VERDICTS["throttle"], Fault(429, "", "No.", retry_after=7), START)

    assert rest is not None
    assert rest.hint == 7


@EACH
def test_every_error_is_valid_and_says_what_to_do(name: str) -> None:
    error = error_of(VERDICTS[name], Fault(0, "", "No"), account=account("a"), retry_after=3)

    referee.assert_valid(error.body(), "error")
    assert error.status == VERDICTS[name].status
    assert error.message.startswith("Upstream: No.")
    if name not in ("auth_dead", "wrong_plan"):  # these say it by the look of the key
        assert VERDICTS[name].advice in error.message


@pytest.mark.parametrize(("seconds", "again"), [(None, False), (0.5, True), (5, True), (5.1, False), (3_600, False)])
def test_clients_try_again_only_when_it_is_soon(seconds: float | None, again: bool) -> None:
    assert error_of(VERDICTS["throttle"], Fault(429, "", "No.", retry_after=seconds)).should_retry is again


def test_faults_of_the_client_are_left_to_its_library() -> None:
    assert error_of(VERDICTS["bad_request"], Fault(400, "", "No.")).should_retry is None


def test_a_key_of_another_plan_is_explained() -> None:
    mixed = Account("a", "key", "coding-plan", "https://coding-intl.dashscope.aliyuncs.com/v1", KeyCredentials("sk-x"))

    error = error_of(VERDICTS["wrong_plan"], Fault(401, "", "invalid access token or token expired"), account=mixed)

    assert "begin with sk-sp-" in error.message
    assert "sk-x" not in error.message


def test_nothing_said_is_told_by_the_status() -> None:
    assert "HTTP 502" in error_of(VERDICTS["overload"], Fault(502, "", "")).message


class TestNoAccount:
    def test_the_first_recovery_is_told(self) -> None:
        states = [
            State("a", "", "exhausted", START + 600, "quota_window: …", "quota_window"),
            State("b", "", "resting", START + 20, "throttle: …", "throttle"),
        ]

        error = error_of_states(NoAccount("no account is usable", START + 20, states), START)

        assert (error.status, error.code, error.retry_after) == (429, "rate_limit_exceeded", 20)
        assert error.message == "No account is usable. Please try again in 20s."
        assert error.should_retry is False

    def test_no_recovery_is_no_promise(self) -> None:
        error = error_of_states(NoAccount("there is no account", None, []), START)

        assert (error.status, error.code, error.retry_after, error.should_retry) == (503, "no_account", None, False)


CHINA = timezone(timedelta(hours=8))
MONDAY = datetime(2026, 11, 23, tzinfo=CHINA)


def hint(message: str, now: float) -> float | None:
    """How long an account rests when a plan's window is used up."""
    rest = rest_of(VERDICTS["quota_window"], Fault(429, "insufficient_quota", message), now)
    assert rest is not None
    return rest.hint


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (MONDAY, 7 * 86_400),
        (MONDAY - timedelta(seconds=1), 1),
        (datetime(2026, 11, 21, 12, tzinfo=CHINA), 36 * 3_600),
        (datetime(2026, 11, 22, 16, tzinfo=UTC), 7 * 86_400),
    ],
)
def test_a_week_ends_on_monday_in_china(now: datetime, seconds: float) -> None:
    """upstream.md 4.7: until Monday 00:00 UTC+8."""
    assert hint("week allocated quota exceeded", now.timestamp()) == seconds


@given(st.floats(1_700_000_000, 2_000_000_000))
def test_a_week_is_never_longer_than_a_week(now: float) -> None:
    left = hint("Quota exhausted: week allocated quota exceeded.", now)

    assert left is not None
    assert 0 < left <= 7 * 86_400


@pytest.mark.parametrize("message", ["hour allocated quota exceeded", "month allocated quota exceeded"])
def test_other_windows_end_when_nobody_can_know(message: str) -> None:
    assert hint(message, START) is None


@pytest.mark.parametrize(("message", "window"), [("hour", HOURS), ("month", MONTH), ("Quota exhausted: hour", HOURS)])
def test_they_end_when_the_calls_of_this_gateway_leave_them(message: str, window: Window) -> None:
    """upstream.md 4.7: 6,000 in five rolling hours, 90,000 in a month."""
    spent = Spent()
    spent.add("a", START - 600, LIMITS["coding-plan"][window])
    fault = Fault(429, "insufficient_quota", f"{message} allocated quota exceeded.")

    rest = rest_of(VERDICTS["quota_window"], fault, START, partial(spent.reset, "a", "coding-plan"))

    assert rest is not None
    assert rest.hint == pytest.approx(window.length - 600, abs=3_600 if window is MONTH else 60)
    assert rest.hint <= rest.ceiling


def test_a_quota_of_the_minute_is_no_window_of_the_plan() -> None:
    rest = rest_of(VERDICTS["throttle_tokens"], Fault(429, "insufficient_quota", "hour allocated quota"), START)

    assert rest is not None
    assert rest.hint is None
