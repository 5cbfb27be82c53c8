"""Chat completions that are stored: listed, fetched, changed, deleted, with their messages."""

from typing import Any

import pytest
from openai import NotFoundError

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, WEATHER, http, notices, openai
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm

MODEL = "qwen3.7-plus"


@pytest.fixture
def gateway(starter: Starter, upstream: Simulator, sim: Simulator) -> Mitm:
    """One with an empty shelf."""
    return starter("stored-chats", environ=one_account(upstream)).start()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_completion_is_stored_and_fetched(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, *HI]
    async with openai(gateway) as client:
        if stream:
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    model=MODEL, messages=messages, store=True, stream=True
                )
            ]
            name, text = chunks[0].id, "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        else:
            made = await client.chat.completions.create(model=MODEL, messages=messages, store=True)
            name, text = made.id, made.choices[0].message.content or ""
        fetched = await client.chat.completions.retrieve(name)
        told = [message async for message in client.chat.completions.messages.list(name)]

    assert fetched.choices[0].message.content == text
    assert fetched.usage is not None
    assert [(message.role, message.content) for message in told] == [("system", "Be brief."), ("user", "Say hi")]  # type: ignore[comparison-overlap]
    assert "store" not in sim.log[-1].json


async def test_they_are_listed_changed_and_deleted(gateway: Mitm) -> None:
    async with openai(gateway) as client:
        names = []
        for number in range(5):
            made = await client.chat.completions.create(
                model=MODEL if number % 2 else "gpt-4o", messages=HI, store=True, metadata={"n": str(number % 2)}
            )
            names.append(made.id)
        await client.chat.completions.create(model=MODEL, messages=HI)  # not stored
        listed = [row.id async for row in client.chat.completions.list(limit=2)]
        newest = await client.chat.completions.list(limit=2, order="desc")
        odd = [row.id async for row in client.chat.completions.list(metadata={"n": "1"})]
        named = [row.id async for row in client.chat.completions.list(model="gpt-4o")]
        changed = await client.chat.completions.update(names[0], metadata={"n": "9"})
        await client.chat.completions.delete(names[1])
        with pytest.raises(NotFoundError):
            await client.chat.completions.retrieve(names[1])
        with pytest.raises(NotFoundError):
            await client.chat.completions.delete("chatcmpl-none")
        left = [row.id async for row in client.chat.completions.list()]

    assert listed == names
    assert [row.id for row in newest.data] == names[:2:-1]
    assert odd == names[1::2]
    assert named == names[::2]
    assert changed.metadata == {"n": "9"}  # type: ignore[attr-defined]
    assert left == [name for name in names if name != names[1]]


def test_tool_calls_and_parts_are_among_the_messages(gateway: Mitm) -> None:
    messages = [
        {"role": "user", "content": [
            {"type": "text", "text": "get_weather with"}, {"type": "text", "text": "city=Oslo"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "Snow"},
    ]  # fmt: skip
    with http(gateway) as client:
        body = {"model": MODEL, "messages": messages, "tools": [WEATHER], "store": True}
        made = client.post("/v1/chat/completions", json=body).json()
        told = client.get(f"/v1/chat/completions/{made['id']}/messages").json()["data"]

    assert told[0]["content"] == "get_weather with\ncity=Oslo"
    assert len(told[0]["content_parts"]) == 2
    assert told[1]["tool_calls"][0]["id"] == "c1"
    assert told[2]["content"] == "Snow"


async def test_they_outlive_a_restart(gateway: Mitm) -> None:
    async with openai(gateway) as client:
        made = await client.chat.completions.create(model=MODEL, messages=HI, store=True)
    gateway.stop()
    gateway.start()
    async with openai(gateway) as client:
        fetched = await client.chat.completions.retrieve(made.id)

    assert fetched.choices == made.choices


def test_without_a_ledger_the_wish_is_dropped_with_a_notice(starter: Starter, upstream: Simulator) -> None:
    forgetful = starter("unstored", environ=one_account(upstream), options={"qwen_persistence": "false"}).start()
    with http(forgetful) as client:
        made = client.post("/v1/chat/completions", json={"model": MODEL, "messages": HI, "store": True})
        listed = client.get("/v1/chat/completions")

    assert "dropped=store" in notices(made)
    assert listed.json()["error"]["code"] == "storage_disabled"


def test_a_background_call_belongs_to_the_other_path(gateway: Mitm) -> None:
    with http(gateway) as client:
        answer = client.post("/v1/chat/completions", json={"model": MODEL, "input": "Hi", "background": True})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "background"
