"""When quotas begin anew, and how many calls lie in each span (upstream.md 2.13, 4.7)."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from qwen_auth.spent import Spent, read_spent, windows_path, write_spent
from qwen_auth.windows import CHINA, DAY, HOURS, LIMITS, MINUTE, MONTH, WEEK, WINDOWS, day_zone

FRIDAY = datetime(2026, 11, 20, 15, 30, tzinfo=UTC).timestamp()


def utc(*parts):
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_a_day_ends_at_midnight_utc():
    assert DAY.begin(FRIDAY) == utc(2026, 11, 20)
    assert DAY.reset(FRIDAY) == utc(2026, 11, 21)


def test_the_operator_may_know_another_midnight():
    """upstream.md 9.7: Beijing's, said some."""
    beijing = day_zone(8)

    assert DAY.begin(FRIDAY, beijing) == utc(2026, 11, 19, 16)
    assert DAY.reset(FRIDAY, beijing) == utc(2026, 11, 20, 16)


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        (datetime(2026, 11, 20, 12, tzinfo=CHINA), datetime(2026, 11, 23, tzinfo=CHINA)),
        (datetime(2026, 11, 22, 23, 59, 59, tzinfo=CHINA), datetime(2026, 11, 23, tzinfo=CHINA)),
        (datetime(2026, 11, 23, 0, 0, 0, tzinfo=CHINA), datetime(2026, 11, 30, tzinfo=CHINA)),
        (datetime(2026, 11, 22, 16, 0, 0, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=CHINA)),
    ],
)
def test_a_week_begins_on_monday_in_china_whatever_the_day_is(now, reset):
    assert WEEK.reset(now.timestamp()) == reset.timestamp()
    assert WEEK.reset(now.timestamp(), day_zone(-5)) == reset.timestamp()


@pytest.mark.parametrize("window", [MINUTE, HOURS, MONTH])
def test_rolling_windows_come_back_call_by_call(window):
    assert window.reset(FRIDAY) is None
    assert window.begin(FRIDAY) == FRIDAY - window.length


def test_known_limits_are_those_of_the_contract():
    assert LIMITS["coding-plan"] == {HOURS: 6_000, WEEK: 45_000, MONTH: 90_000}
    assert LIMITS["portal"] == {MINUTE: 60, DAY: 100}


def test_calls_leave_a_rolling_window_one_by_one():
    spent = Spent()
    spent.add("work", FRIDAY)
    spent.add("work", FRIDAY + 3600, 2)

    assert spent.calls("work", HOURS, FRIDAY + 4 * 3600) == 3
    assert spent.calls("work", HOURS, FRIDAY + 5 * 3600 + 120) == 2
    assert spent.calls("work", HOURS, FRIDAY + 6 * 3600 + 120) == 0
    assert spent.calls("work", MONTH, FRIDAY + 6 * 3600) == 3


def test_yesterdays_calls_are_not_todays():
    spent = Spent()
    midnight = utc(2026, 11, 21)
    spent.add("work", midnight - 1)
    spent.add("work", midnight)

    assert spent.calls("work", DAY, midnight - 1) == 2
    assert spent.calls("work", DAY, midnight) == 1
    assert spent.calls("work", WEEK, midnight) == 2


def test_accounts_do_not_share():
    spent = Spent()
    spent.add("work", FRIDAY)

    assert spent.calls("home", MINUTE, FRIDAY) == 0


def test_each_window_is_shown_with_its_limit():
    spent = Spent()
    spent.add("work", FRIDAY, 7)

    uses = {use.window: use for use in spent.uses("work", "coding-plan", FRIDAY)}

    assert [use.calls for use in uses.values()] == [7] * len(WINDOWS)
    assert (uses["5 hours"].limit, uses["5 hours"].reset) == (6_000, None)
    assert (uses["week"].limit, uses["week"].reset) == (45_000, utc(2026, 11, 22, 16))
    assert uses["minute"].limit is None


def at_limit(spent, window, begin, span):
    """As many calls as a Coding Plan allows in the window, evenly over a span of seconds."""
    limit = LIMITS["coding-plan"][window]
    for number in range(limit):
        spent.add("work", begin + span * number / limit)


@pytest.mark.parametrize(("window", "bucket"), [(HOURS, 60), (MONTH, 3600)])
def test_a_full_rolling_window_has_room_when_its_first_call_leaves(window, bucket):
    spent = Spent()
    at_limit(spent, window, FRIDAY, window.length / 2)
    spent.add("work", FRIDAY - window.length, 7)  # older ones are no matter

    for passed in (0.5, 0.75):
        reset = spent.reset("work", "coding-plan", window, FRIDAY + window.length * passed)
        assert 0 < reset - (FRIDAY + window.length) <= bucket


def test_a_month_that_was_used_up_before_tells_of_the_last_one_only():
    """45,000 calls of the old month, 90,000 of the new one that began on FRIDAY: thirty days after that."""
    spent = Spent()
    spent.add("work", FRIDAY - 86_400, 45_000)
    at_limit(spent, MONTH, FRIDAY, 20 * 86_400)

    reset = spent.reset("work", "coding-plan", MONTH, FRIDAY + 20 * 86_400)

    assert 0 < reset - (FRIDAY + MONTH.length) <= 3600


@pytest.mark.parametrize(("calls", "known"), [(5_399, False), (5_400, True), (5_990, True)])
def test_what_other_programs_used_up_nobody_here_knows(calls, known):
    spent = Spent()
    spent.add("work", FRIDAY, calls)

    assert (spent.reset("work", "coding-plan", HOURS, FRIDAY + 60) is not None) is known
    assert spent.reset("work", "dashscope", HOURS, FRIDAY + 60) is None
    assert spent.reset("work", "coding-plan", HOURS, FRIDAY + HOURS.length + 61) is None


@pytest.mark.parametrize("window", [DAY, WEEK])
def test_a_fixed_window_begins_anew_whoever_used_it(window):
    assert Spent().reset("work", "coding-plan", window, FRIDAY) == window.reset(FRIDAY)


def test_days_and_weeks_are_exact_for_random_calls():
    generator = random.Random(3)
    spent = Spent()
    times = [FRIDAY - generator.uniform(0, 20 * 86_400) for _ in range(2_000)]
    for time in times:
        spent.add("work", time)

    for window in (DAY, WEEK):
        assert spent.calls("work", window, FRIDAY) == sum(time >= window.begin(FRIDAY) for time in times)


def test_counts_survive_a_restart_and_add_up(tmp_path):
    first = Spent()
    first.add("work", FRIDAY, 5)
    write_spent(tmp_path, first.to_json(FRIDAY))
    second = Spent()
    second.add("work", FRIDAY + 1, 2)

    read_spent(tmp_path, second)

    assert second.calls("work", HOURS, FRIDAY + 2) == 7
    assert second.calls("work", MONTH, FRIDAY + 2) == 7
    assert windows_path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_what_no_window_can_hold_is_forgotten():
    spent = Spent()
    spent.add("work", FRIDAY)
    later = FRIDAY + timedelta(days=32).total_seconds()

    assert json.loads(spent.to_json(later)) == {"version": 1, "minutes": {"work": {}}, "hours": {"work": {}}}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"minutes": 1, "hours": {}}', b'{"minutes": {"a": {"x": 1}}}']
)
def test_a_file_that_is_something_else_is_told_and_counts_nothing(tmp_path, content):
    windows_path(tmp_path).write_bytes(content)
    told = []
    spent = Spent()

    read_spent(tmp_path, spent, told.append)

    assert spent.to_json(FRIDAY) == Spent().to_json(FRIDAY)
    assert len(told) == 1
    assert "windows.json" in told[0]
