"""Minutes, days and months of UTC."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.keys.purse import SPANS
from qwen_gateway.keys.spans import Span, begin_of, end_of


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("span", "now", "begins", "ends"),
    [
        ("minute", (2026, 11, 21, 12, 34, 56), (2026, 11, 21, 12, 34), (2026, 11, 21, 12, 35)),
        ("day", (2026, 12, 31, 23, 59, 59), (2026, 12, 31), (2027, 1, 1)),
        ("month", (2026, 12, 31, 23, 59, 59), (2026, 12, 1), (2027, 1, 1)),
        ("month", (2028, 2, 29, 1), (2028, 2, 1), (2028, 3, 1)),
    ],
)
def test_each_begins_and_ends(span: Span, now: tuple[int, ...], begins: tuple[int, ...], ends: tuple[int, ...]) -> None:
    assert begin_of(span, utc(*now)) == utc(*begins)
    assert end_of(span, begin_of(span, utc(*now))) == utc(*ends)


@given(st.sampled_from(SPANS), st.floats(0, 4e9))
def test_every_moment_lies_in_its_span_and_the_next_one_follows(span: Span, now: float) -> None:
    begins = begin_of(span, now)
    ends = end_of(span, begins)

    assert begins <= now < ends
    assert begin_of(span, ends) == ends
