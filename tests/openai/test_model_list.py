"""The objects of `/v1/models`."""

import pytest

from qwen_gateway.openai.errors import NotFound
from qwen_gateway.openai.model_list import find_model, model_list, model_object
from tests import referee


def test_a_model_is_what_openai_says() -> None:
    referee.assert_valid(model_object("qwen3.7-plus", 1_790_000_000, "qwen"), "model")


def test_extras_never_replace_what_is_required() -> None:
    made = model_object("qwen3.7-plus", 1, "qwen", {"context_length": 5, "id": "other"})

    assert made["id"] == "qwen3.7-plus"
    assert made["context_length"] == 5


def test_the_first_of_equal_names_stays() -> None:
    models = model_list([model_object("a", 1, "x"), model_object("b", 1, "x"), model_object("a", 2, "y")])

    assert [(model["id"], model["created"]) for model in models["data"]] == [("a", 1), ("b", 1)]
    referee.assert_valid(models, "models")


def test_a_model_is_found_by_its_name() -> None:
    models = model_list([model_object("a", 1, "x")])

    assert find_model(models, "a")["id"] == "a"


def test_an_unknown_model_is_told_with_the_remedy() -> None:
    with pytest.raises(NotFound, match="GET /v1/models") as missing:
        find_model(model_list([]), "a" * 500)

    assert missing.value.code == "model_not_found"
    assert len(missing.value.message) < 200
    referee.assert_valid(missing.value.body(), "error")
