"""Sealed text opens for whoever sealed it, for the same purpose, unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.openai.sealing import KEY, Seal

ONE, OTHER = Seal(lambda: b"1" * KEY), Seal(lambda: b"2" * KEY)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_again(text: str) -> None:
    assert ONE.open(ONE.seal(text, "reasoning"), "reasoning") == text


def test_the_text_cannot_be_seen() -> None:
    assert "hello" not in ONE.seal("hello", "reasoning")
    assert ONE.seal("hello", "reasoning") != ONE.seal("hello", "reasoning")


@pytest.mark.parametrize("sealed", ["", "qgw1.", "qgw1.AAAA", "qgw1.not base64", "gAAAAABo", "qgw1.é"])
def test_what_is_not_sealed_does_not_open(sealed: str) -> None:
    assert ONE.open(sealed, "reasoning") is None


def test_neither_another_key_nor_another_purpose_nor_a_change_opens() -> None:
    sealed = ONE.seal("hello", "reasoning")

    assert OTHER.open(sealed, "reasoning") is None
    assert ONE.open(sealed, "compaction") is None
    assert ONE.open(sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1], "reasoning") is None


def test_the_key_is_not_shown() -> None:
    assert repr(ONE) == "Seal()"
