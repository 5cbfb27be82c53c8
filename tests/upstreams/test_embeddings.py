"""Embeddings in the words of hosts, and their answers read back (upstream.md 4.10)."""

import base64
import json
import struct
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Delta, Fault, Usage, Vector
from qwen_gateway.openai.embeddings_request import parse_embeddings
from qwen_gateway.openai.errors import BadRequest, NotFound, Unsupported
from qwen_gateway.upstreams.embedding_models import embedding_facts, resolve_embedding
from qwen_gateway.upstreams.embeddings import Batch, EmbeddingsBody, encode_embeddings
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.models import Naming
from qwen_gateway.upstreams.parameters import Policy

ANY = Naming({})


def encode(
    host: str = "dashscope", model: str = "text-embedding-v4", policy: Policy = "standard", **fields: Any
) -> tuple[Any, list[str]]:
    call = parse_embeddings(json.dumps({"model": model, "input": "hello", **fields}).encode())
    found = encode_embeddings(call, Batch(0, ["hello"]), model, flavour(host), policy)
    return json.loads(found.body), [f"{notice.action}={notice.param}" for notice in found.notices]


def decode(body: bytes, *, first: int = 0, count: int = 2) -> list[Delta]:
    decoder = EmbeddingsBody(first, count)
    assert [decoder.feed(body[place : place + 1]) for place in range(len(body))] == [[]] * len(body)
    return decoder.close()


def answer(*rows: Any, **more: Any) -> bytes:
    return json.dumps({"object": "list", "data": list(rows), "model": "m", **more}).encode()


def row(index: int | None, *values: float) -> dict[str, Any]:
    return {"object": "embedding", "embedding": list(values)} | ({} if index is None else {"index": index})


def test_numbers_are_asked_for_whatever_the_client_wants() -> None:
    sent, _ = encode(encoding_format="base64")
    assert sent == {"model": "text-embedding-v4", "input": ["hello"], "encoding_format": "float"}


@pytest.mark.parametrize(
    ("name", "length", "notice"),
    [
        ("text-embedding-3-small", 1536, ["defaulted=dimensions"]),
        ("text-embedding-ada-002", 1536, ["defaulted=dimensions"]),
        ("text-embedding-3-large", 2048, ["clamped=dimensions"]),
        ("text-embedding-v4", None, []),
    ],
)
def test_an_openai_name_has_vectors_of_its_length(name: str, length: int | None, notice: list[str]) -> None:
    call = parse_embeddings(json.dumps({"model": name, "input": "hello"}).encode())
    found = encode_embeddings(call, Batch(0, ["hello"]), "text-embedding-v4", flavour("dashscope"), "standard")
    assert json.loads(found.body).get("dimensions") == length
    assert [f"{one.action}={one.param}" for one in found.notices] == notice


def test_a_length_that_the_model_does_not_make_is_refused_with_those_it_makes() -> None:
    with pytest.raises(BadRequest, match="64, 128, 256, 512, 768, 1024, 1536, 2048"):
        encode(dimensions=100)


def test_the_one_length_of_an_old_model_is_not_sent() -> None:
    assert "dimensions" not in encode(model="text-embedding-v2", dimensions=1536)[0]


def test_other_hosts_get_any_length() -> None:
    assert encode("vllm", "m", dimensions=100)[0]["dimensions"] == 100


def test_parameters_that_nobody_knows_are_told() -> None:
    assert encode(user="me", frob=1)[1] == ["withheld=user", "dropped=frob"]
    assert encode("vllm", "m", truncate_prompt_tokens=8)[0]["truncate_prompt_tokens"] == 8
    with pytest.raises(Unsupported):
        encode(policy="strict", frob=1)


def test_vectors_come_in_any_order_and_know_their_row() -> None:
    deltas = decode(answer(row(1, 2.0), row(0, 1.0), usage={"total_tokens": 7}), first=10)
    assert [(delta.row, delta.values) for delta in deltas if isinstance(delta, Vector)] == [(11, [2.0]), (10, [1.0])]
    assert [delta.prompt for delta in deltas if isinstance(delta, Usage)] == [7]


def test_vectors_without_an_index_stand_in_order() -> None:
    deltas = decode(answer(row(None, 1.0), row(None, 2.0)))
    assert [delta.row for delta in deltas if isinstance(delta, Vector)] == [0, 1]


def test_base64_is_read_as_well() -> None:
    packed = base64.b64encode(struct.pack("<2f", 1.0, -0.5)).decode()
    deltas = decode(answer({"index": 0, "embedding": packed}), count=1)
    assert [delta.values for delta in deltas if isinstance(delta, Vector)] == [[1.0, -0.5]]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no body"),
        (b"<html>", "not JSON"),
        (b"[]", "0 vectors came for 2 inputs"),
        (answer(row(0, 1.0)), "1 vectors came for 2 inputs"),
        (answer(row(0, 1.0), row(0, 2.0)), "vectors came for 2 inputs"),
        (answer(row(0, 1.0), row(2, 2.0)), "1 vectors"),
        (answer(row(0, 1.0), row(1)), "1 vectors"),
        (answer(row(0, 1.0), {"index": 1, "embedding": ["x"]}), "1 vectors"),
        (answer(row(0, 1.0), {"index": 1, "embedding": "***"}), "1 vectors"),
        (answer(row(0, 1.0), {"index": 1, "embedding": "abcd"}), "1 vectors"),
        (answer(row(0, 1.0), {"index": 1, "embedding": None}), "1 vectors"),
        (b'{"error": {"message": "No.", "code": "Throttling"}}', "No."),
    ],
)
def test_what_is_no_answer_is_a_fault(body: bytes, says: str) -> None:
    [fault] = decode(body)
    assert isinstance(fault, Fault)
    assert says in fault.message


@pytest.mark.parametrize(
    ("host", "name", "known", "model"),
    [
        ("dashscope", "text-embedding-3-small", None, "text-embedding-v4"),
        ("dashscope", "text-embedding-v3", None, "text-embedding-v3"),
        ("dashscope", "Text-Embedding-V3", ["text-embedding-v3"], "text-embedding-v3"),
        ("vllm", "anything", None, "anything"),
        ("vllm", "my-model", ["my-model"], "my-model"),
        ("ollama", "text-embedding-3-small", ["qwen3:8b", "qwen3-embedding:8b"], "qwen3-embedding:8b"),
        ("dashscope", "mine", None, "text-embedding-v2"),
    ],
)
def test_which_model_embeds(host: str, name: str, known: list[str] | None, model: str) -> None:
    found, _ = resolve_embedding(name, Naming({"mine": "text-embedding-v2"}), flavour(host), known)
    assert found == model


@pytest.mark.parametrize(
    ("host", "name", "known"),
    [
        ("dashscope", "gpt-4o", None),
        ("ollama", "qwen3-embedding:4b", ["qwen3-embedding:8b"]),
        ("ollama", "text-embedding-3-small", ["qwen3:8b"]),
        ("portal", "text-embedding-v4", None),
        ("coding-plan", "text-embedding-v4", None),
    ],
)
def test_no_other_model_answers_instead(host: str, name: str, known: list[str] | None) -> None:
    with pytest.raises(NotFound) as refused:
        resolve_embedding(name, ANY, flavour(host), known)
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("host", "model", "rows"),
    [
        ("dashscope", "text-embedding-v4", 10),
        ("dashscope", "text-embedding-v1", 25),
        ("dashscope", "text-embedding-v9", 10),
        ("vllm", "text-embedding-v4", 128),
    ],
)
def test_how_many_inputs_a_call_takes(host: str, model: str, rows: int) -> None:
    assert embedding_facts(model, flavour(host)).rows == rows
