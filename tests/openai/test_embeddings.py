"""Embeddings calls as clients write them, and the object they get."""

import base64
import json
import struct
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Usage, Vector
from qwen_gateway.openai.embeddings_object import EmbeddingsObject
from qwen_gateway.openai.embeddings_request import EmbeddingsCall, parse_embeddings
from qwen_gateway.openai.errors import BadRequest
from tests import referee


def parse(**fields: Any) -> EmbeddingsCall:
    return parse_embeddings(json.dumps({"model": "text-embedding-3-small", "input": "hello", **fields}).encode())


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("hello", ["hello"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
        (["a", [1]], ["a", [1]]),
    ],
)
def test_every_form_of_input_is_a_list(given: Any, inputs: Any) -> None:
    assert parse(input=given).inputs == inputs


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": []}, "input", "empty array"),
        ({"input": ""}, "input", "empty"),
        ({"input": ["a", ""]}, "input[1]", "empty"),
        ({"input": ["a", 1]}, "input[1]", "not int"),
        ({"input": {"a": 1}}, "input", "not dict"),
        ({"input": [-1]}, "input[0]", "not int"),
        ({"input": None}, "input", "not NoneType"),
        ({"dimensions": 0}, "dimensions", "1"),
        ({"encoding_format": "binary"}, "encoding_format", "binary"),
        ({"model": " "}, "model", "blank"),
    ],
)
def test_what_cannot_be_embedded_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as refused:
        parse(**fields)
    assert refused.value.param == param


def test_vectors_are_put_in_order_whatever_batch_comes_first() -> None:
    writer = EmbeddingsObject(parse(input=["a", "b", "c"]))
    writer.write([Vector(2, [3.0], 1), Usage(4, 0, 4, choice=1)])
    writer.write([Vector(1, [2.0]), Vector(0, [1.5]), Usage(5, 0, 5)])

    answer = json.loads(writer.end())

    referee.assert_valid(answer, "embeddings")
    assert [(row["index"], row["embedding"]) for row in answer["data"]] == [(0, [1.5]), (1, [2.0]), (2, [3.0])]
    assert answer["usage"] == {"prompt_tokens": 9, "total_tokens": 9}
    assert answer["model"] == "text-embedding-3-small"


def test_base64_is_little_endian_floats() -> None:
    writer = EmbeddingsObject(parse(encoding_format="base64"))
    writer.write([Vector(0, [1.0, -0.5])])

    row = json.loads(writer.end())["data"][0]

    assert struct.unpack("<2f", base64.b64decode(row["embedding"])) == (1.0, -0.5)


def test_an_upstream_that_counts_nothing_is_estimated() -> None:
    writer = EmbeddingsObject(parse(input="word " * 40))
    writer.write([Vector(0, [1.0])])

    assert json.loads(writer.end())["usage"]["total_tokens"] > 20
