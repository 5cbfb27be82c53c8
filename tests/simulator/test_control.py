"""Scripts and the control endpoints."""

import httpx
import pytest

from qwen_gateway.simulator import FAULTS, Simulator
from tests.simulator.asking import ask


async def test_a_script_is_consumed_one_call_at_a_time(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.script(["throttling", "ok", "internal-error;message=oops"])

    assert [(await ask(sim, client)).status_code for _ in range(4)] == [429, 200, 500, 200]


async def test_an_entry_may_wait_for_a_key_or_a_path(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.script([{"fault": "throttling", "key": "sk-sim.b"}, {"fault": "internal-error", "path": "/embeddings"}])

    assert (await ask(sim, client, key="sk-sim.a")).status_code == 200
    assert (await ask(sim, client, key="sk-sim.b")).status_code == 429
    assert (await client.post(sim.url() + "/embeddings", json={})).status_code == 500
    assert (await ask(sim, client, key="sk-sim.b")).status_code == 200


async def test_an_entry_may_be_taken_several_times(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.script([{"fault": "throttling", "times": 2, "params": {"retry_after": 5}}])

    answers = [await ask(sim, client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "5"


async def test_a_script_from_outside(sim: Simulator, client: httpx.AsyncClient) -> None:
    script = sim.base_url + "/__sim__/script"
    added = await client.post(script, json=["throttling", {"fault": "stall-mid", "params": {"seconds": 0}}])

    assert added.json() == {"waiting": 2}
    assert (await ask(sim, client)).status_code == 429
    assert (await client.get(script)).json() == {"waiting": 1}
    await client.post(sim.base_url + "/__sim__/reset")
    assert (await client.get(script)).json() == {"waiting": 0}


@pytest.mark.parametrize("entry", ["nonsense", {"falt": "throttling"}, 7, {"fault": "throttling", "params": {"x": 1}}])
async def test_a_script_with_a_mistake_is_refused_whole(
    sim: Simulator, client: httpx.AsyncClient, entry: object
) -> None:
    answer = await client.post(sim.base_url + "/__sim__/script", json=["throttling", entry])

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert (await ask(sim, client)).status_code == 200


async def test_a_header_comes_before_the_script_and_the_key(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.script(["throttling"])

    assert (await ask(sim, client, key="sk-sim-internal-error", fault="model-unavailable")).status_code == 503
    assert (await ask(sim, client, key="sk-sim-internal-error")).status_code == 429
    assert (await ask(sim, client, key="sk-sim-internal-error")).status_code == 500


async def test_the_table_of_faults_can_be_read(sim: Simulator, client: httpx.AsyncClient) -> None:
    table = (await client.get(sim.base_url + "/__sim__/faults")).json()

    assert table.keys() == FAULTS.keys()
    assert table["drop-after"]["params"] == {"after": 3, "reset": 0}


async def test_the_pace_can_be_set(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await client.post(sim.base_url + "/__sim__/settings", json={"pace": 0.001})
    await ask(sim, client, stream=True)

    received = sim.log[-1]
    assert answer.json()["pace"] == 0.001
    assert received.ended_at is not None
    assert received.answered_at is not None
    assert received.ended_at - received.answered_at >= 0.001 * received.chunks


async def test_an_unknown_control_names_those_there_are(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await client.get(sim.base_url + "/__sim__/nothing")

    assert answer.status_code == 404
    assert "POST script" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/nowhere", 404, b""),
        ("GET", "/coding/v1/nothing", 404, b""),
        ("GET", "/vllm/v1/nothing", 404, b""),
        ("POST", "/compatible-mode/v1/nothing", 404, b'"code":"NotFound"'),
        ("GET", "/compatible-mode/v1/chat/completions", 405, b'"code":"Method Not Allowed"'),
        ("GET", "/compatible-mode/v1/responses", 405, b'"code":"Method Not Allowed"'),
    ],
)
async def test_wrong_paths(
    sim: Simulator, client: httpx.AsyncClient, method: str, path: str, status: int, body: bytes
) -> None:
    key = "sk-sp-sim" if path.startswith("/coding") else "sk-sim"
    answer = await client.request(method, sim.base_url + path, headers={"authorization": f"Bearer {key}"})

    assert answer.status_code == status
    assert body in answer.content
    assert bool(body) is bool(answer.content)
