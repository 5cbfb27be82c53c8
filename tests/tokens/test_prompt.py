"""What of a call becomes tokens."""

import pytest

from qwen_gateway.tokens.prompt import OPENING, PER_MESSAGE, PER_PICTURE, measure, texts
from tests.tokens.samples import asked


def test_four_bytes_are_a_token_and_messages_have_surroundings() -> None:
    found = measure(asked("x" * 400, "y" * 40).body)
    assert found.tokens == 100 + 10 + 2 * PER_MESSAGE + OPENING


def test_a_letter_of_three_bytes_is_not_a_quarter_of_a_token() -> None:
    assert measure(asked("世" * 400).body).tokens == 300 + PER_MESSAGE + OPENING


def test_every_text_that_a_model_reads_is_counted() -> None:
    call = asked(
        {"role": "system", "content": [{"type": "text", "text": "part"}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "thought",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "result"},
        tools=[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    )
    found = list(texts(call.body))
    assert "part" in found
    assert "thought" in found
    assert "result" in found
    assert any("sky" in text for text in found)
    assert any('"parameters"' in text for text in found)


def test_a_picture_is_a_guess_and_its_bytes_are_no_text() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    found = measure(asked({"role": "user", "content": [{"type": "text", "text": "what?"}, picture]}).body)
    assert found.pictures == 1
    assert found.tokens == 2 + PER_PICTURE + PER_MESSAGE + OPENING


@pytest.mark.parametrize(
    ("field", "tokens"),
    [("prompt", "a" * 40), ("input", ["a" * 20, "b" * 20]), ("input", [7] * 10), ("prompt", [[7] * 5, [8] * 5])],
)
def test_bodies_of_other_surfaces_are_measured_as_well(field: str, tokens: object) -> None:
    assert measure({field: tokens}).tokens == 10


def test_nothing_that_a_body_may_hold_raises() -> None:
    strange = [None, 1, "x", [], [None], [[1]], {"content": 3}, {"content": [1, {"text": 2}], "tool_calls": [None]}]
    for value in strange:
        measure({"messages": value, "prompt": value, "input": value, "tools": value})
        measure({"messages": [value]})
