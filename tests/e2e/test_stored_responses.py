"""Responses that are kept: referred to, fetched, listed, deleted; also after a restart, and for their owner only."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from openai import BadRequestError, NotFoundError

from qwen_gateway.simulator import Simulator
from tests import referee
from tests.e2e.asking import WEATHER, http, openai
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm
from tests.ledger.conftest import postgres

__all__ = ["postgres"]

FLAT: Any = {"type": "function", **WEATHER["function"]}
MODEL = "qwen3.7-plus"


@pytest.fixture(scope="module")
def keeping(starter: Starter, upstream: Simulator) -> Mitm:
    """A gateway of its own, for it is started again."""
    return starter("keeping", environ=one_account(upstream)).start()


def said(sim: Simulator) -> list[tuple[str, Any]]:
    """What the upstream was told."""
    return [(message["role"], message["content"]) for message in sim.log[-1].json["messages"]]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_second_turn_goes_on_from_the_first(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    async with openai(gateway) as client:
        if stream:
            async with client.responses.stream(model=MODEL, input="Say hi", instructions="Be brief.") as told:
                first: Any = await told.get_final_response()
        else:
            first = await client.responses.create(model=MODEL, input="Say hi", instructions="Be brief.")
        second = await client.responses.create(model=MODEL, input="Again", previous_response_id=first.id)
        third = await client.responses.create(model=MODEL, input="And now", previous_response_id=second.id)

    assert third.previous_response_id == second.id
    assert said(sim) == [
        ("user", "Say hi"), ("assistant", first.output_text),
        ("user", "Again"), ("assistant", second.output_text),
        ("user", "And now"),
    ]  # fmt: skip


async def test_a_tool_round_needs_no_more_than_the_output(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        first = await client.responses.create(model=MODEL, input="get_weather with city=Oslo days=3", tools=[FLAT])
        (call,) = [item for item in first.output if item.type == "function_call"]
        given: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "Snow"}]
        second = await client.responses.create(model=MODEL, input=given, previous_response_id=first.id, tools=[FLAT])

    assert "“Snow”" in second.output_text
    assert [role for role, _ in said(sim)] == ["user", "assistant", "tool"]
    assert sim.log[-1].json["messages"][1]["reasoning_content"]


async def test_items_are_referred_to_by_id_as_the_ai_sdk_does(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        first = await client.responses.create(model=MODEL, input="Say hi")
        references: Any = [{"type": "item_reference", "id": item.id} for item in first.output]
        given: Any = [{"role": "user", "content": "Say hi"}, *references, {"role": "user", "content": "Again"}]
        await client.responses.create(model=MODEL, input=given)

    assert said(sim) == [("user", "Say hi"), ("assistant", first.output_text), ("user", "Again")]
    assert sim.log[-1].json["messages"][1]["reasoning_content"].startswith("The user has sent")


async def test_what_is_not_there_is_never_gone_on_without(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        unstored = await client.responses.create(model=MODEL, input="Say hi", store=False)
        calls = len(sim.log)
        for previous in ("resp_0000", unstored.id):
            with pytest.raises(BadRequestError) as previous_error:
                await client.responses.create(model=MODEL, input="Hi", previous_response_id=previous)
            assert previous_error.value.code == "previous_response_not_found"
        reference: Any = [{"type": "item_reference", "id": unstored.output[0].id}, {"role": "user", "content": "Hi"}]
        with pytest.raises(NotFoundError) as item_error:
            await client.responses.create(model=MODEL, input=reference)
        assert item_error.value.code == "item_not_found"
        with pytest.raises(NotFoundError):
            await client.responses.retrieve(unstored.id)

    assert len(sim.log) == calls


async def test_a_response_is_fetched_and_deleted(gateway: Mitm) -> None:
    async with openai(gateway) as client:
        made = await client.responses.create(model=MODEL, input="Say hi", metadata={"topic": "demo"})
        fetched = await client.responses.retrieve(made.id)
        await client.responses.delete(made.id)
        with pytest.raises(NotFoundError):
            await client.responses.retrieve(made.id)
        with pytest.raises(BadRequestError):
            await client.responses.create(model=MODEL, input="Hi", previous_response_id=made.id)
        with pytest.raises(NotFoundError):
            await client.responses.delete(made.id)

    assert fetched == made


async def test_input_items_come_page_by_page(gateway: Mitm) -> None:
    given: Any = [{"role": "user" if n % 2 else "assistant", "content": f"line {n}"} for n in range(1, 8)]
    async with openai(gateway) as client:
        made = await client.responses.create(model=MODEL, input=given)
        seen = [item async for item in client.responses.input_items.list(made.id, limit=3, order="asc")]
        newest = await client.responses.input_items.list(made.id, limit=2)

    assert [item.content[0].text for item in seen] == [f"line {n}" for n in range(1, 8)]  # type: ignore[union-attr]
    assert [item.content[0].text for item in newest.data] == ["line 7", "line 6"]  # type: ignore[union-attr]
    assert newest.has_more


def test_every_kind_of_item_is_given_out_as_openai_describes_it(gateway: Mitm) -> None:
    given = [
        {"role": "developer", "content": "Rules"},
        {"role": "user", "content": [{"type": "input_text", "text": "See"}, {"type": "input_text", "text": "this"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "x"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "blue"}]},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"},
        {"role": "assistant", "content": "Well"},
        {"role": "user", "content": "So?"},
    ]
    tools = [
        {"type": "function", "name": "look", "parameters": {"type": "object"}},
        {"type": "custom", "name": "patch"},
    ]
    with http(gateway) as client:
        made = client.post("/v1/responses", json={"model": MODEL, "input": given, "tools": tools}).json()
        answer = client.get(f"/v1/responses/{made['id']}/input_items?order=asc&limit=100")

    assert answer.status_code == 200
    referee.assert_valid(answer.json(), "response.items")
    assert [item["type"] for item in answer.json()["data"]] == [item.get("type", "message") for item in given]


async def test_everything_outlives_a_restart(keeping: Mitm, sim: Simulator) -> None:
    async with openai(keeping) as client:
        first = await client.responses.create(model=MODEL, input="Say hi")
    keeping.stop()
    keeping.start()
    async with openai(keeping) as client:
        assert await client.responses.retrieve(first.id) == first
        second = await client.responses.create(model=MODEL, input="Again", previous_response_id=first.id)

    assert second.status == "completed"
    assert said(sim)[:2] == [("user", "Say hi"), ("assistant", first.output_text)]


async def test_a_response_is_for_the_key_that_made_it(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("owned", environ=one_account(upstream) | {"QWEN_GATEWAY_KEYS": "sk-alice sk-bob"}).start()
    async with openai(gateway, key="sk-alice") as alice, openai(gateway, key="sk-bob") as bob:
        made = await alice.responses.create(model=MODEL, input="Say hi")
        assert (await alice.responses.retrieve(made.id)).id == made.id
        with pytest.raises(NotFoundError):
            await bob.responses.retrieve(made.id)
        with pytest.raises(BadRequestError):
            await bob.responses.create(model=MODEL, input="Hi", previous_response_id=made.id)
        with pytest.raises(NotFoundError):
            await bob.responses.delete(made.id)


async def test_two_gateways_on_one_postgresql_go_on_from_each_other(
    starter: Starter, upstream: Simulator, sim: Simulator, postgres: str
) -> None:
    environ = one_account(upstream) | {"QWEN_DATABASE_URL": postgres}
    one, other = starter("first-of-two", environ=environ).start(), starter("second-of-two", environ=environ).start()
    async with openai(one) as here, openai(other) as there:
        first = await here.responses.create(model=MODEL, input="Say hi")
        second = await until(lambda: there.responses.create(model=MODEL, input="Go on", previous_response_id=first.id))
        fetched = await until(lambda: here.responses.retrieve(second.id))
        conversation = await here.conversations.create()
        await there.responses.create(model=MODEL, input="In it", conversation=conversation.id)
        queued = await here.responses.create(model=MODEL, input="Later", background=True)
        while (made := await until(lambda: there.responses.retrieve(queued.id))).status in ("queued", "in_progress"):
            await asyncio.sleep(0.05)
    one.stop()  # their database is dropped next
    other.stop()

    assert fetched == second
    assert made.status == "completed"
    assert said(sim)[-1] == ("user", "Later")


async def until[Found](ask: Callable[[], Awaitable[Found]]) -> Found:
    """What the other gateway finds, once the first one's last batch is written."""
    for _ in range(100):
        try:
            return await ask()
        except (BadRequestError, NotFoundError):
            await asyncio.sleep(0.05)
    return await ask()


def test_without_a_ledger_it_is_said_that_nothing_is_kept(
    starter: Starter, upstream: Simulator, sim: Simulator
) -> None:
    gateway = starter("forgetful", environ=one_account(upstream), options={"qwen_persistence": "false"}).start()
    with http(gateway) as client:
        made = client.post("/v1/responses", json={"model": MODEL, "input": "Hi", "store": True})
        fetched = client.get(f"/v1/responses/{made.json()['id']}")
        again = client.post(
            "/v1/responses", json={"model": MODEL, "input": "Hi", "previous_response_id": made.json()["id"]}
        )

    assert "dropped=store" in made.headers["x-gateway-notice"]
    assert fetched.json()["error"]["code"] == "storage_disabled"
    assert again.json()["error"]["code"] == "previous_response_not_found"
    assert not list(gateway.home.glob("*.db"))


def test_two_ways_of_referring_exclude_each_other(gateway: Mitm) -> None:
    with http(gateway) as client:
        body = {"model": MODEL, "input": "Hi", "previous_response_id": "resp_1", "conversation": "conv_1"}
        answer = client.post("/v1/responses", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "mutually_exclusive_parameters"


def test_a_page_that_makes_no_sense_is_refused(gateway: Mitm) -> None:
    with http(gateway) as client:
        made = client.post("/v1/responses", json={"model": MODEL, "input": "Hi"}).json()
        answers: list[httpx.Response] = [
            client.get(f"/v1/responses/{made['id']}/input_items?{query}")
            for query in ("limit=0", "limit=x", "order=up", "after=msg_none")
        ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert [json.loads(answer.content)["error"]["param"] for answer in answers] == ["limit", "limit", "order", "after"]
