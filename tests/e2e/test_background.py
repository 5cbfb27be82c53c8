"""Responses that are made while nobody waits: polled, followed from any event on, cancelled, lost with the gateway."""

import asyncio
import json
import signal
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from qwen_gateway.simulator import Simulator
from tests import referee
from tests.e2e.asking import ahttp, http, openai
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until

MODEL = "qwen3.7-plus"


async def settled(client: AsyncOpenAI, response_id: str) -> Any:
    """The response once it is over."""
    for _ in range(200):
        response = await client.responses.retrieve(response_id)
        if response.status not in ("queued", "in_progress"):
            return response
        await asyncio.sleep(0.05)
    pytest.fail("the response was never over")


async def test_a_response_is_polled(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.01
    async with openai(gateway) as client:
        queued = await client.responses.create(model=MODEL, input="Say hi", background=True)
        done = await settled(client, queued.id)
        second = await client.responses.create(model=MODEL, input="Again", previous_response_id=queued.id)

    assert queued.status == "queued"
    assert queued.output == []
    assert done.status == "completed"
    assert done.output_text.endswith("“Say hi”")
    assert done.background is True
    assert second.status == "completed"


async def test_a_stream_is_followed_from_where_it_was_left(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.01
    async with openai(gateway) as client:
        stream = await client.responses.create(model=MODEL, input="Say hi", background=True, stream=True)
        seen: list[Any] = []
        async for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta" and len(seen) > 30:
                break
        await stream.close()
        response_id = seen[0].response.id
        rest = await client.responses.retrieve(response_id, stream=True, starting_after=seen[-1].sequence_number)
        seen += [event async for event in rest]
        again = [event async for event in await client.responses.retrieve(response_id, stream=True)]

    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert [event.type for event in seen[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert seen[-1].type == "response.completed"
    told = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
    assert told == seen[-1].response.output_text
    assert [event.model_dump() for event in again] == [event.model_dump() for event in seen]
    assert sum(record.path.endswith("/chat/completions") for record in sim.log) == 1


def test_the_whole_stream_is_valid(gateway: Mitm) -> None:
    with http(gateway) as client:
        body = {"model": MODEL, "input": "Say hi", "background": True, "stream": True}
        answer = client.post("/v1/responses", json=body)

    assert referee.check_responses_stream(referee.read_sse(answer.content, done=False)) == []


async def test_a_client_that_leaves_does_not_stop_it(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.02
    async with ahttp(gateway) as client:
        body = {"model": MODEL, "input": "Say hi", "background": True, "stream": True}
        async with client.stream("POST", "/v1/responses", json=body) as answer:
            first = await anext(answer.aiter_bytes())
    response_id = json.loads(first.split(b"data: ", 1)[1].split(b"\n", 1)[0])["response"]["id"]
    async with openai(gateway) as client:
        done = await settled(client, response_id)

    assert done.status == "completed"
    assert not sim.log[0].disconnected


async def test_it_is_cancelled_and_so_is_its_upstream_call(gateway: Mitm, sim: Simulator) -> None:
    sim.script(["stall-mid;after=5"])
    async with openai(gateway) as client:
        queued = await client.responses.create(model=MODEL, input="Say hi", background=True)
        while not sim.log:
            await asyncio.sleep(0.02)
        cancelled = await client.responses.cancel(queued.id)
        again = await client.responses.cancel(queued.id)
        fetched = await client.responses.retrieve(queued.id)
        foreground = await client.responses.create(model=MODEL, input="Say hi")
        with pytest.raises(BadRequestError):
            await client.responses.cancel(foreground.id)

    assert cancelled.status == again.status == fetched.status == "cancelled"
    wait_until(lambda: sim.log[0].disconnected, 5, "the upstream was not told")


async def test_a_failure_is_told_when_it_is_asked_for(gateway: Mitm, sim: Simulator) -> None:
    sim.script([{"fault": "input-too-long", "times": 9}])
    async with openai(gateway) as client:
        queued = await client.responses.create(model=MODEL, input="Say hi", background=True)
        done = await settled(client, queued.id)

    assert done.status == "failed"
    assert done.error is not None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_what_was_in_the_making_when_the_gateway_ended_has_failed(
    starter: Starter, upstream: Simulator, sim: Simulator, number: signal.Signals
) -> None:
    gateway = starter(f"ended-{number}", environ=one_account(upstream), options={"qwen_drain": 1}).start()
    sim.script(["stall-mid;after=5"])
    async with openai(gateway) as client:
        queued = await client.responses.create(model=MODEL, input="Say hi", background=True)
        done = await client.responses.create(model=MODEL, input="Say hi", background=True)
        done = await settled(client, done.id)
    gateway.tell(number)
    gateway.ended(15)
    gateway.start()
    async with openai(gateway) as client:
        lost = await client.responses.retrieve(queued.id)
        kept = await client.responses.retrieve(done.id)
        events = [event async for event in await client.responses.retrieve(done.id, stream=True, starting_after=2)]

    assert lost.status == "failed"
    assert lost.error is not None
    assert "try again" in lost.error.message or "ask again" in lost.error.message
    assert kept == done
    assert [event.sequence_number for event in events] == list(range(3, 3 + len(events)))


async def test_it_must_be_stored(gateway: Mitm) -> None:
    async with openai(gateway) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.responses.create(model=MODEL, input="Hi", background=True, store=False)

    assert caught.value.param == "background"
