"""Which key opens which face, and how key names ask for faults."""

import httpx
import pytest

from qwen_gateway.simulator import Key, Limits, Simulator
from tests.simulator.asking import ask, error


@pytest.mark.parametrize(
    ("face", "key"),
    [
        ("dashscope", "sk-sim"),
        ("dashscope", "sk-sim.another"),
        ("dashscope", "sk-ws-H.sim"),
        ("beijing", "sk-sim"),
        ("workspace", "sk-ws-H.sim"),
        ("coding", "sk-sp-sim"),
        ("token-plan", "sk-sp-sim.another"),
        ("vllm", "anything"),
        ("ollama", "anything"),
        ("openrouter", "sk-or-anything"),
    ],
)
async def test_the_right_key(sim: Simulator, client: httpx.AsyncClient, face: str, key: str) -> None:
    assert (await ask(sim, client, face, key=key)).status_code == 200


@pytest.mark.parametrize(
    ("face", "key", "status", "message"),
    [
        ("dashscope", "sk-wrong", 401, "Incorrect API key provided."),
        ("dashscope", "sk-sp-sim", 403, "invalid api-key"),
        ("coding", "sk-sim", 401, "invalid access token or token expired"),
        ("token-plan", "sk-sim", 401, "invalid access token or token expired"),
        ("coding", "sk-wrong", 401, "invalid access token or token expired"),
        ("beijing", "sk-ws-H.sim", 401, "Access denied: the workspace is not authorized."),
        ("openrouter", "sk-wrong", 401, "User not found."),
        ("dashscope", "sk-beijing", 401, "Incorrect API key provided."),
        ("coding", "sk-token", 401, "invalid access token or token expired"),
        ("coding", "sk-expired", 401, "invalid access token or token expired"),
        ("dashscope", "sk-poor", 400, "Access denied, please make sure your account is in good standing."),
    ],
)
async def test_the_wrong_key(
    sim: Simulator, client: httpx.AsyncClient, face: str, key: str, status: int, message: str
) -> None:
    sim.keys |= {
        "sk-beijing": Key(region="beijing"),
        "sk-token": Key(plan="token"),
        "sk-expired": Key(plan="coding", expired=True),
        "sk-poor": Key(balance="arrearage"),
    }
    answer = await ask(sim, client, face, key=key)

    assert answer.status_code == status
    assert error(answer)["message"] == message


async def test_a_key_opens_its_own_region(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.keys["sk-beijing"] = Key(region="beijing")

    assert (await ask(sim, client, "beijing", key="sk-beijing")).status_code == 200


async def test_no_key_at_all(sim: Simulator) -> None:
    async with httpx.AsyncClient() as client:
        missing = await client.get(sim.url() + "/models")
        strange = await client.get(sim.url() + "/models", headers={"authorization": "Basic eDp5"})
        own = await client.get(sim.url("vllm") + "/models")

    assert missing.status_code == 401
    assert error(missing)["code"] is None
    assert error(missing)["message"].startswith("You didn't provide an API key.")
    assert error(strange)["message"] == "No API-key provided."
    assert own.status_code == 200


async def test_a_key_may_be_entitled_to_some_models_only(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.keys["sk-some"] = Key(models=frozenset({"qwen-plus"}))

    assert (await ask(sim, client, key="sk-some", model="qwen-plus")).status_code == 200
    refused = await ask(sim, client, key="sk-some")
    assert refused.status_code == 403
    assert error(refused)["code"] == "AccessDenied.Unpurchased"


async def test_a_key_name_can_carry_a_fault_and_a_label(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, key="sk-sim-throttling.second")
    plan = await ask(sim, client, "coding", key="sk-sp-sim-week-quota")

    assert error(answer)["code"] == "Throttling"
    assert error(plan)["message"] == "week allocated quota exceeded"


async def test_a_key_of_the_table_can_have_a_fault(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.keys["sk-bad"] = Key(fault="throttling")

    assert (await ask(sim, client, key="sk-bad")).status_code == 429


async def test_a_fault_nobody_knows_is_told_loudly(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, key="sk-sim-nonsense")
    wrong = await ask(sim, client, fault="throttling;colour=red")

    assert answer.status_code == wrong.status_code == 500
    assert "knows no fault 'nonsense'; it knows: ok, " in answer.text
    assert "fault 'throttling' has no parameter 'colour'" in wrong.text


async def test_keys_can_be_set_from_outside(sim: Simulator, client: httpx.AsyncClient) -> None:
    keys = {"sk-a": {"rpm": 1, "account": "shared"}, "sk-b": {"limits": {"rpm": 1}, "models": ["qwen-plus"]}}
    answer = await client.post(sim.base_url + "/__sim__/keys", json=keys)

    assert answer.json() == {"keys": ["sk-a", "sk-b"]}
    assert sim.keys["sk-a"] == Key(account="shared", limits=Limits(rpm=1))
    assert sim.keys["sk-b"].models == {"qwen-plus"}
