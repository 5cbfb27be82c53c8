"""The simulator's own tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_gateway.simulator.tokens import count, count_messages, pieces


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello world", ["Hello", " world"]),
        ("Hi, you!", ["Hi", ",", " you", "!"]),
        ("你好 ok", ["你", "好", " ok"]),
        ("a" * 20, ["a" * 16, "a" * 4]),
        ("end\n", ["end", "\n"]),
        ("get_weather", ["get_weather"]),
    ],
)
def test_pieces_are_words_and_marks(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_a_very_long_text_is_estimated() -> None:
    assert count("word " * 100_000) == 125_000


def test_messages_cost_five_tokens_each_and_three_for_the_opening() -> None:
    assert count_messages([{"role": "user", "content": "Hello world"}]) == 2 + 5 + 3
