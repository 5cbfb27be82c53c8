"""Usage in OpenAI's form."""

from qwen_gateway.codec.deltas import Usage
from qwen_gateway.openai.usage import add, estimate, usage_object


def test_the_details_are_always_there() -> None:
    assert usage_object(Usage(3, 2, 5)) == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def test_known_details_are_kept_and_others_stay_away() -> None:
    """upstream.md 4.9: what DashScope tells of its cache."""
    cache = {"cached_tokens": 4, "text_tokens": 9, "cache_type": "ephemeral", "cache_creation": {"x": 1}}

    details = usage_object(Usage(9, 0, 9, {**cache, "cache_creation_input_tokens": 2}))["prompt_tokens_details"]

    assert details == {"cached_tokens": 4, "audio_tokens": 0, "text_tokens": 9, "cache_write_tokens": 2}


def test_details_are_whole_numbers() -> None:
    odd = {"cached_tokens": "4", "text_tokens": 2.0, "audio_tokens": True, "image_tokens": -3}

    details = usage_object(Usage(9, 0, 9, odd))["prompt_tokens_details"]

    assert details == {"cached_tokens": 0, "audio_tokens": 0, "text_tokens": 2, "image_tokens": 0}
    assert all(type(value) is int for value in details.values())


def test_several_answers_add_up() -> None:
    total = add(
        [Usage(10, 1, 11, {"cached_tokens": 3}), Usage(10, 2, 12, {"cached_tokens": 4}, {"reasoning_tokens": 1})]
    )

    assert (total.prompt, total.completion, total.total) == (20, 3, 23)
    assert total.prompt_details == {"cached_tokens": 7}
    assert total.completion_details == {"reasoning_tokens": 1}


def test_adding_leaves_the_parts_alone() -> None:
    part = Usage(1, 1, 2, {"cached_tokens": 1})

    add([part, part])

    assert part.prompt_details == {"cached_tokens": 1}


def test_an_estimate_adds_up() -> None:
    guess = estimate(b"x" * 40, 20)

    assert (guess.prompt, guess.completion, guess.total) == (10, 5, 15)
    assert estimate(b"", 0).total == 1
