"""A client that speaks OpenAI has its texts embedded by Qwen."""

import asyncio
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from qwen_gateway.simulator.embeddings import embed
from qwen_gateway.simulator.keys import Key
from tests.e2e.asking import ahttp, error, http, notices, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm

V4 = "text-embedding-v4"


def post(gateway: Mitm, **fields: Any) -> httpx.Response:
    with http(gateway) as client:
        return client.post("/v1/embeddings", json={"model": V4, "input": "hello", **fields})


async def test_the_official_library_gets_the_vectors(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        answer = await client.embeddings.create(model="text-embedding-3-small", input=["hello", "there"])

    assert [row.index for row in answer.data] == [0, 1]
    assert answer.data[1].embedding == pytest.approx(embed("there", 1536), abs=1e-6)
    assert answer.model == "text-embedding-3-small"
    assert sim.log[-1].json["model"] == V4


@pytest.mark.parametrize("fault", ["ok", "embeddings-shuffled", "embeddings-total-only"])
def test_many_inputs_are_many_calls_and_one_answer(gateway: Mitm, sim: Simulator, fault: str) -> None:
    texts = [f"text number {number}" for number in range(37)]
    sim.script([{"fault": fault, "times": 4}])
    answer = post(gateway, input=texts, dimensions=64)

    rows = answer.json()["data"]
    assert [row["index"] for row in rows] == list(range(37))
    assert [row["embedding"] for row in rows] == [pytest.approx(embed(text, 64)) for text in texts]
    assert [len(received.json["input"]) for received in sim.log] == [10, 10, 10, 7]
    single = post(gateway, input=texts[0]).json()["usage"]["total_tokens"]
    assert answer.json()["usage"]["total_tokens"] == 37 * single
    assert "emulated=input" in notices(answer)


def test_a_batch_that_fails_is_asked_for_again(gateway: Mitm, sim: Simulator) -> None:
    sim.script(["ok", "internal-error", "ok"])
    answer = post(gateway, input=["x"] * 25)

    assert answer.status_code == 200
    assert len(answer.json()["data"]) == 25
    assert len(sim.log) == 4
    assert len(gateway.attempts(answer.headers["x-request-id"])) == 1


def test_one_wrong_input_is_the_whole_calls_error(gateway: Mitm, sim: Simulator) -> None:
    answer = post(gateway, input=["fine"] * 12 + ["word " * 9_000])

    assert answer.status_code == 400
    assert "Range of input length" in error(answer)["message"]


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"input": [[1, 2, 3]]}, 400, "check_embedding_ctx_length=False"),
        ({"model": "gpt-4o"}, 404, "no embedding model"),
        ({"dimensions": 100}, 400, "64, 128"),
        ({"input": []}, 400, "empty"),
    ],
)
def test_what_cannot_be_is_said(gateway: Mitm, sim: Simulator, fields: dict[str, Any], status: int, says: str) -> None:
    answer = post(gateway, **fields)

    assert answer.status_code == status
    assert says in error(answer)["message"]
    assert sim.log == []


async def test_a_client_that_leaves_ends_the_calls(gateway: Mitm, sim: Simulator) -> None:
    sim.script([{"fault": "stall-headers", "times": 9}])
    async with ahttp(gateway) as client:
        asked = asyncio.create_task(client.post("/v1/embeddings", json={"model": V4, "input": ["x"] * 45}))
        while len(sim.log) < 4:
            await asyncio.sleep(0.02)
        asked.cancel()
        for received in sim.log:
            while received.disconnected_at is None:
                await asyncio.sleep(0.02)
    assert len(sim.log) == 4


def test_only_accounts_with_the_same_model_take_over(starter: Starter, sim: Simulator) -> None:
    gateway = starter("embedding-accounts", options={"qwen_strategy": "fill-first"})
    sim.keys["sk-other"] = Key(fault="internal-error")
    gateway.add_account("bad", "sk-other", sim.url())
    gateway.add_account("own", "sk-own", sim.url("vllm"), plan="vllm")
    gateway.add_account("good", "sk-sim", sim.url())
    with gateway:
        answer = post(gateway)
        assert answer.status_code == 200
        assert answer.headers["x-gateway-account"] == "good"
        assert {received.key for received in sim.log if received.method == "POST"} == {"sk-other", "sk-sim"}


def test_an_operator_without_embeddings_is_told_plainly(starter: Starter, sim: Simulator) -> None:
    gateway = starter(
        "no-embeddings",
        environ={"QWEN_API_KEY": "sk-sp-x", "QWEN_PLAN": "coding-plan", "QWEN_BASE_URL": sim.url("coding")},
    )
    with gateway:
        answer = post(gateway)
        assert answer.status_code == 404
        assert "coding-plan has no embeddings" in error(answer)["message"]
        assert sim.log == []
