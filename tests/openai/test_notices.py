"""Notices: what the gateway changed, in a header of bounded length."""

from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.openai.notices import Notice, header_value


def test_a_header_names_action_and_parameter_once() -> None:
    notices = [Notice("dropped", "seed", "why"), Notice("clamped", "max_tokens"), Notice("dropped", "seed", "again")]

    assert header_value(notices) == "dropped=seed; clamped=max_tokens"


def test_a_notice_reads_as_a_sentence() -> None:
    assert str(Notice("clamped", "max_tokens", "9 to 5")) == "clamped max_tokens: 9 to 5"
    assert str(Notice("dropped", "seed")) == "dropped seed"


def test_a_long_list_says_how_much_is_missing() -> None:
    value = header_value([Notice("dropped", f"field_{number:04}") for number in range(1_000)])

    assert len(value) < 1_600
    kept = value.count("dropped=")
    assert value.endswith(f"; more={1_000 - kept}")


@given(st.lists(st.builds(Notice, st.just("dropped"), st.text())))
def test_whatever_a_client_calls_its_fields_the_header_is_printable(notices: list[Notice]) -> None:
    value = header_value(notices)

    assert value.isascii()
    assert value.isprintable()
