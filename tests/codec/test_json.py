"""JSON with limits: what is refused is refused in words, and nothing overflows."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.json import DEPTH_LIMIT, BadJSON, dumps, loads, may_be_deep, too_deep

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    assert loads(dumps(value)) == value


@given(st.binary() | st.text(alphabet=st.characters(codec=None)))
def test_no_bytes_raise_anything_but_bad_json(data: bytes | str) -> None:
    with suppress(BadJSON):
        loads(data)


def test_text_is_written_compactly_and_in_utf_8() -> None:
    assert dumps({"text": "你好", "list": [1, 2]}) == '{"text":"你好","list":[1,2]}'.encode()


def test_whole_numbers_of_any_size_survive() -> None:
    assert loads(dumps(2**100)) == 2**100


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"{} {}", b"NaN", b"1e999", b'"\\ud800"', b'"\xff"', b"9" * 5_000, "\ud800", b"[" * 100_000],
)
def test_what_is_not_json_is_refused(data: bytes | str) -> None:
    with pytest.raises(BadJSON):
        loads(data)


def test_a_bad_byte_is_told_with_its_place() -> None:
    with pytest.raises(BadJSON, match="UTF-8"):
        loads(b'["\xff"]')


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"inner": [value]} if levels % 2 else [value]
    return value


def test_depth_is_measured_without_recursion() -> None:
    assert not too_deep(nested(DEPTH_LIMIT))
    assert too_deep(nested(DEPTH_LIMIT + 2))
    assert too_deep(nested(50_000))


@given(VALUES)
def test_what_is_deep_is_seen_in_its_text(value: object) -> None:
    assert may_be_deep(dumps(value), limit=1) or not too_deep(value, limit=1)


def test_wide_is_not_deep() -> None:
    assert not too_deep([[]] * 10_000, limit=2)


def test_plain_values_have_no_depth() -> None:
    assert not too_deep("text", limit=1)
