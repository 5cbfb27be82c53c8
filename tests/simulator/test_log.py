"""What the simulator remembers of its clients."""

import asyncio
import time

import httpx

from qwen_gateway.simulator import Simulator
from qwen_gateway.simulator.log import KEPT, Log
from tests.simulator.asking import HI, ask


async def test_a_request_is_logged_whole(sim: Simulator, client: httpx.AsyncClient) -> None:
    before = time.time()
    await ask(sim, client, "coding", key="sk-sp-sim.one", stream=True)

    received = sim.log[0]
    assert received.method == "POST"
    assert received.path == "/coding/v1/chat/completions"
    assert received.face == "coding"
    assert received.key == "sk-sp-sim.one"
    assert received.header("Content-Type") == "application/json"
    assert received.json["messages"] == HI
    assert received.status == 200
    assert received.http_version == "1.1"
    assert received.complete_at is not None
    assert received.answered_at is not None
    assert received.ended_at is not None
    assert before <= received.at <= received.complete_at <= received.answered_at <= received.ended_at
    assert received.sent > received.chunks > 10
    assert not received.disconnected


async def test_a_client_that_leaves_is_noted_at_once(sim: Simulator, client: httpx.AsyncClient) -> None:
    url, body = sim.url() + "/chat/completions", {"model": "qwen3.7-plus", "messages": HI, "stream": True}
    headers = {"x-sim-fault": "slow;chunk=0.01"}
    async with client.stream("POST", url, json=body, headers=headers) as answer:
        await anext(answer.aiter_raw())
    left = time.time()
    await asyncio.sleep(0.05)

    received = sim.log[-1]
    assert received.disconnected_at is not None
    assert received.disconnected_at - left < 0.5
    assert received.ended_at is None
    assert not sim.connections[0].open


async def test_the_log_is_an_endpoint_too(sim: Simulator, client: httpx.AsyncClient) -> None:
    await ask(sim, client, fault="throttling")
    log = (await client.get(sim.base_url + "/__sim__/log")).json()
    connections = (await client.get(sim.base_url + "/__sim__/connections")).json()

    assert len(log) == 1
    assert log[0]["json"]["model"] == "qwen3.7-plus"
    assert log[0]["faults"] == ["throttling"]
    assert log[0]["status"] == 429
    assert log[0]["disconnected"] is False
    assert connections[0]["open"] is True
    assert connections[0]["requests"] == 1


async def test_a_reset_forgets_requests_and_keeps_connections(sim: Simulator, client: httpx.AsyncClient) -> None:
    await ask(sim, client)
    await client.post(sim.base_url + "/__sim__/reset")

    assert sim.log == []
    assert [connection.open for connection in sim.connections] == [True]


async def test_a_body_that_is_no_json_is_kept_as_text(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await client.post(sim.url() + "/chat/completions", content=b"a=1&b=2")
    log = (await client.get(sim.base_url + "/__sim__/log")).json()

    assert answer.status_code == 400
    assert log[0]["body"] == "a=1&b=2"
    assert sim.log[0].form == {"a": "1", "b": "2"}


def test_a_long_log_forgets_the_oldest() -> None:
    log = Log()
    connection = log.connect("1.1", tls=False)
    for number in range(KEPT + 5):
        log.receive(connection, "GET", f"/{number}", [])

    assert len(log.received) == KEPT
    assert log.received[0].path == "/5"
    assert log.received[-1].number == connection.requests == KEPT + 5
