"""Thoughts in the text become thoughts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import Delta, Finish, Text, Thought
from qwen_gateway.upstreams.decoders import ChatAnswer
from qwen_gateway.upstreams.stages import Staged
from qwen_gateway.upstreams.thoughts import ThoughtsInText
from tests.upstreams.services import answer, bytewise, decoded, random_cuts, whole


def told(deltas: list[Delta]) -> tuple[str, str]:
    """Thoughts and text."""
    thoughts = "".join(delta.text for delta in deltas if isinstance(delta, Thought))
    return thoughts, "".join(delta.text for delta in deltas if isinstance(delta, Text))


def read(*pieces: str) -> tuple[str, str]:
    stage = ThoughtsInText()
    return told([delta for piece in [*map(Text, pieces), Finish("stop")] for delta in stage.feed([piece])])


def staged(pieces: list[bytes]) -> tuple[str, str]:
    return told(decoded(pieces, Staged(ChatAnswer(), [ThoughtsInText()])))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("cut", [whole, bytewise])
def test_they_are_what_a_parser_makes_of_them(stream: bool, cut: object) -> None:
    parsed = told(decoded([answer("ok", "vllm", stream=stream)[1]]))
    raw = answer("think-in-content", "vllm", stream=stream)[1]

    assert parsed[0]
    assert staged(cut(raw)) == parsed  # type: ignore[operator]


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_however_the_stream_is_cut(data: st.DataObject) -> None:
    raw = answer("think-in-content", "vllm")[1]
    assert staged(data.draw(random_cuts(raw))) == told(decoded([answer("ok", "vllm")[1]]))


def test_the_closing_tag_alone_will_do_in_one_piece() -> None:
    raw = answer("think-closing-only", "vllm", stream=False)[1]
    assert staged([raw]) == told(decoded([answer("ok", "vllm", stream=False)[1]]))


@pytest.mark.parametrize("text", ["\n<think>\na < b </thin\n\nc\n</think>\n\nText <think>x</think>"])
def test_letter_by_letter(text: str) -> None:
    assert read(*text) == read(text) == ("a < b </thin\n\nc", "Text <think>x</think>")


@pytest.mark.parametrize(
    ("pieces", "thoughts", "text"),
    [
        (["Plain <think>x</think>"], "", "Plain <think>x</think>"),
        (["Write </think> at the end."], "", "Write </think> at the end."),
        (["<thin"], "", "<thin"),
        (["  "], "", "  "),
        (["<think>never closed", " more "], "never closed more ", ""),
        (["<think></think>Hi"], "", "Hi"),
        (["<think>a</think>", "  ", "\n Hi"], "a", "Hi"),
    ],
)
def test_edges(pieces: list[str], thoughts: str, text: str) -> None:
    assert read(*pieces) == (thoughts, text)


def test_a_host_that_tells_thoughts_apart_is_left_alone() -> None:
    stage = ThoughtsInText()
    deltas: list[Delta] = [Thought("t"), Text("<think>x</think>")]
    assert stage.feed(deltas) == deltas
