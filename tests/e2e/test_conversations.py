"""Conversations: made, grown by responses, listed, changed and deleted; for their owner, also after a restart."""

from typing import Any

import pytest
from openai import BadRequestError, NotFoundError

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import WEATHER, http, openai
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm

MODEL = "qwen3.7-plus"
FLAT: Any = {"type": "function", **WEATHER["function"]}


def words(items: Any) -> list[str]:
    """What messages say."""
    return [item.content[0].text for item in items if item.type == "message"]


async def test_a_conversation_is_made_changed_and_deleted(gateway: Mitm) -> None:
    async with openai(gateway) as client:
        made = await client.conversations.create(metadata={"topic": "demo"})
        fetched = await client.conversations.retrieve(made.id)
        changed = await client.conversations.update(made.id, metadata={"topic": "other"})
        deleted = await client.conversations.delete(made.id)
        with pytest.raises(NotFoundError):
            await client.conversations.retrieve(made.id)
        with pytest.raises(NotFoundError):
            await client.conversations.update(made.id, metadata={})

    assert fetched == made
    assert made.metadata == {"topic": "demo"}
    assert changed.metadata == {"topic": "other"}
    assert deleted.deleted


async def test_items_are_added_listed_and_removed(gateway: Mitm) -> None:
    lines: list[Any] = [{"type": "message", "role": "user", "content": f"line {n}"} for n in range(5)]
    async with openai(gateway) as client:
        made = await client.conversations.create(items=lines[:2])
        added = await client.conversations.items.create(made.id, items=lines[2:])
        oldest = [item async for item in client.conversations.items.list(made.id, limit=2, order="asc")]
        newest = await client.conversations.items.list(made.id, limit=2)
        one = await client.conversations.items.retrieve(added.data[0].id or "", conversation_id=made.id)
        await client.conversations.items.delete(added.data[0].id or "", conversation_id=made.id)
        left = [item async for item in client.conversations.items.list(made.id, order="asc")]
        with pytest.raises(NotFoundError):
            await client.conversations.items.retrieve(added.data[0].id or "", conversation_id=made.id)
        with pytest.raises(BadRequestError):
            await client.conversations.items.create(made.id, items=[{"type": "item_reference", "id": "x"}])

    assert words(oldest) == [f"line {n}" for n in range(5)]
    assert words(newest.data) == ["line 4", "line 3"]
    assert words([one]) == ["line 2"]
    assert words(left) == ["line 0", "line 1", "line 3", "line 4"]


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_go_on_in_it_and_make_it_grow(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    async with openai(gateway) as client:
        made = await client.conversations.create(items=[{"type": "message", "role": "user", "content": "I am Ann."}])
        if stream:
            async with client.responses.stream(model=MODEL, input="Say hi", conversation=made.id) as told:
                first: Any = await told.get_final_response()
        else:
            first = await client.responses.create(model=MODEL, input="Say hi", conversation={"id": made.id})
        second = await client.responses.create(model=MODEL, input="Again", conversation=made.id)
        items = [item async for item in client.conversations.items.list(made.id, order="asc")]

    assert first.conversation.id == made.id
    assert words(items) == ["I am Ann.", "Say hi", first.output_text, "Again", second.output_text]
    sent = [message["content"] for message in sim.log[-1].json["messages"]]
    assert sent == ["I am Ann.", "Say hi", first.output_text, "Again"]


async def test_a_tool_round_within_a_conversation(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        made = await client.conversations.create()
        first = await client.responses.create(
            model=MODEL, input="get_weather with city=Oslo days=3", conversation=made.id, tools=[FLAT]
        )
        (call,) = [item for item in first.output if item.type == "function_call"]
        given: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "Snow"}]
        second = await client.responses.create(model=MODEL, input=given, conversation=made.id, tools=[FLAT])
        items = [item async for item in client.conversations.items.list(made.id, order="asc")]

    assert "“Snow”" in second.output_text
    assert [item.type for item in items if item.type != "reasoning"] == [
        "message", "function_call", "function_call_output", "message",
    ]  # fmt: skip


async def test_one_that_is_not_there_is_never_gone_on_without(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.responses.create(model=MODEL, input="Hi", conversation="conv_none")

    assert caught.value.param == "conversation"
    assert not sim.log


async def test_it_outlives_a_restart_and_is_for_its_owner(
    starter: Starter, upstream: Simulator, sim: Simulator
) -> None:
    gateway = starter("conversing", environ=one_account(upstream) | {"QWEN_GATEWAY_KEYS": "sk-alice sk-bob"}).start()
    async with openai(gateway, key="sk-alice") as alice:
        made = await alice.conversations.create()
        first = await alice.responses.create(model=MODEL, input="Say hi", conversation=made.id)
    gateway.stop()
    gateway.start()
    async with openai(gateway, key="sk-alice") as alice, openai(gateway, key="sk-bob") as bob:
        items = [item async for item in alice.conversations.items.list(made.id, order="asc")]
        with pytest.raises(NotFoundError):
            await bob.conversations.retrieve(made.id)
        with pytest.raises(NotFoundError):
            await bob.conversations.items.list(made.id)
        with pytest.raises(NotFoundError):
            await bob.conversations.delete(made.id)
        with pytest.raises(NotFoundError):
            await bob.responses.create(model=MODEL, input="Hi", conversation=made.id)

    assert words(items) == ["Say hi", first.output_text]


def test_without_a_body_a_conversation_is_empty(gateway: Mitm) -> None:
    with http(gateway) as client:
        answer = client.post("/v1/conversations")

    assert answer.status_code == 200
    assert answer.json()["metadata"] == {}
