"""Embeddings keep the rules of upstream.md 4.10."""

import base64
import math
import struct
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import error


async def embed(sim: Simulator, client: httpx.AsyncClient, fault: str = "ok", **fields: Any) -> httpx.Response:
    body = {"model": "text-embedding-v4", "input": "hello", **fields}
    return await client.post(sim.url() + "/embeddings", json=body, headers={"x-sim-fault": fault})


async def test_vectors_depend_on_the_text_alone(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = (await embed(sim, client, input=["a", "b", "a"])).json()

    vectors = [item["embedding"] for item in body["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert len(vectors[0]) == 1024
    assert math.isclose(sum(value * value for value in vectors[0]), 1)
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize("dimensions", [2048, 1536, 1024, 768, 512, 256, 128, 64])
async def test_dimensions(sim: Simulator, client: httpx.AsyncClient, dimensions: int) -> None:
    body = (await embed(sim, client, dimensions=dimensions)).json()

    assert len(body["data"][0]["embedding"]) == dimensions


async def test_base64_holds_the_same_numbers(sim: Simulator, client: httpx.AsyncClient) -> None:
    numbers = (await embed(sim, client, dimensions=64)).json()["data"][0]["embedding"]
    packed = (await embed(sim, client, dimensions=64, encoding_format="base64")).json()["data"][0]["embedding"]

    assert struct.unpack("<64f", base64.b64decode(packed)) == pytest.approx(numbers)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"input": ["x"] * 11},
            "Value error, batch size is invalid, it should not be larger than 10.: input.contents",
        ),
        ({"input": [1, 2]}, "Value error, contents is neither str nor list of str.: input.contents"),
        ({"input": [[1, 2]]}, "Value error, contents is neither str nor list of str.: input.contents"),
        ({"input": []}, "Value error, contents can not be empty"),
        ({"input": None}, "Value error, contents is neither str nor list of str.: input.contents"),
        ({"dimensions": 100}, "dimension should be one of"),
        ({"model": "text-embedding-v3", "dimensions": 2048}, "dimension should be one of"),
        ({"encoding_format": "binary"}, "'binary' is not one of"),
        ({"input": "word " * 8_193}, "Range of input length should be [1, 8192]"),
    ],
)
async def test_a_broken_rule(sim: Simulator, client: httpx.AsyncClient, fields: dict[str, Any], message: str) -> None:
    answer = await embed(sim, client, **fields)

    assert answer.status_code == 400
    assert message in error(answer)["message"]


async def test_older_models_take_more_rows(sim: Simulator, client: httpx.AsyncClient) -> None:
    assert (await embed(sim, client, model="text-embedding-v2", input=["x"] * 25)).status_code == 200


async def test_an_unknown_model(sim: Simulator, client: httpx.AsyncClient) -> None:
    assert (await embed(sim, client, model="text-embedding-3-small")).status_code == 404


async def test_items_may_come_out_of_order(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = (await embed(sim, client, "embeddings-shuffled, embeddings-total-only", input=["a", "b", "c"])).json()

    assert [item["index"] for item in body["data"]] == [1, 0, 2]
    assert body["usage"] == {"total_tokens": 3}


async def test_a_chat_model_does_not_embed_and_an_embedding_model_does_not_chat(
    sim: Simulator, client: httpx.AsyncClient
) -> None:
    chat = {"model": "text-embedding-v4", "messages": [{"role": "user", "content": "x"}]}
    refused = await client.post(sim.url() + "/chat/completions", json=chat)

    assert error(refused)["code"] == "model_not_supported"
    assert (await embed(sim, client, model="qwen-plus")).status_code == 404


async def test_ollama_embeds(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = {"model": "qwen3-embedding:8b", "input": "x"}
    answer = await client.post(sim.url("ollama") + "/embeddings", json=body)

    assert len(answer.json()["data"][0]["embedding"]) == 4096
