"""The model lists of upstream.md 4.8 and 4.13, and vLLM's tokenize."""

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import HI


async def listed(sim: Simulator, client: httpx.AsyncClient, face: str, key: str = "sk-sim") -> list[dict[str, object]]:
    answer = await client.get(sim.url(face) + "/models", headers={"authorization": f"Bearer {key}"})
    assert answer.json()["object"] == "list"
    data: list[dict[str, object]] = answer.json()["data"]
    return data


async def test_dashscope_lists_every_kind_of_model(sim: Simulator, client: httpx.AsyncClient) -> None:
    ids = {item["id"] for item in await listed(sim, client, "dashscope")}

    assert {"qwen3.7-plus", "text-embedding-v4", "wan2.6-t2i", "ZHIPU/GLM-5.3", "kimi/kimi-k3"} <= ids


async def test_plans_list_their_own(sim: Simulator, client: httpx.AsyncClient) -> None:
    ids = {item["id"] for item in await listed(sim, client, "coding", "sk-sp-sim")}

    assert "qwen3-coder-plus" in ids
    assert "qwen-turbo" not in ids


async def test_the_variants_say_more(sim: Simulator, client: httpx.AsyncClient) -> None:
    own = (await listed(sim, client, "vllm"))[0]
    routed = (await listed(sim, client, "openrouter", "sk-or-sim"))[0]

    assert own["max_model_len"] == 40_960
    assert own["owned_by"] == "vllm"
    assert routed["context_length"] == 1_000_000
    assert "top_provider" in routed


async def test_one_model(sim: Simulator, client: httpx.AsyncClient) -> None:
    known = await client.get(sim.url("ollama") + "/models/qwen3:8b")
    unknown = await client.get(sim.url("ollama") + "/models/none")

    assert known.json()["id"] == "qwen3:8b"
    assert unknown.status_code == 404


async def test_a_list_needs_a_key(sim: Simulator) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(sim.url() + "/models")).status_code == 401


async def test_the_native_list_comes_in_pages(sim: Simulator, client: httpx.AsyncClient) -> None:
    url = sim.url("native") + "/models"
    first = (await client.get(url)).json()
    rest = (await client.get(url, params={"page_no": 2, "page_size": 20})).json()

    assert first["success"] is True
    assert len(first["output"]["models"]) == 20
    assert len(rest["output"]["models"]) == first["output"]["total"] - 20
    assert first["output"]["models"][0].keys() >= {"model", "provider"}


@pytest.mark.parametrize("path", ["models/limits", "models/permissions"])
async def test_native_lists_of_limits_and_permissions(sim: Simulator, client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{sim.url('native')}/{path}")

    assert answer.json()["success"] is True


async def test_native_errors_are_flat(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await client.get(sim.url("native") + "/models", headers={"authorization": "Bearer sk-wrong"})

    assert answer.status_code == 401
    assert answer.json()["code"] == "InvalidApiKey"


async def test_vllm_counts_tokens(sim: Simulator, client: httpx.AsyncClient) -> None:
    url = sim.base_url + "/vllm/tokenize"
    prompt = (await client.post(url, json={"model": "Qwen/Qwen3-32B", "prompt": "Hello world"})).json()
    messages = (await client.post(url, json={"model": "Qwen/Qwen3-32B", "messages": HI})).json()

    assert prompt["count"] == len(prompt["tokens"]) == 2
    assert prompt["max_model_len"] == 40_960
    assert messages["count"] == 2 + 5 + 3
