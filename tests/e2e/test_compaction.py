"""Long conversations: counted before they are sent, compacted into a sealed summary, and gone on from it."""

import json
from typing import Any

import pytest
from openai import BadRequestError

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import http, openai
from tests.e2e.mitm import Mitm

MODEL = "qwen3.7-plus"
TALK: list[Any] = [
    {"role": "user", "content": "My name is Ann."},
    {"role": "assistant", "content": "Hello Ann."},
    {"role": "user", "content": "Remember the number 42."},
    {"role": "assistant", "content": "I do."},
]


async def test_a_conversation_is_compacted_and_gone_on_from(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        compacted = await client.responses.compact(model=MODEL, input=TALK, instructions="Be brief.")
        asked = sim.log[-1].json["messages"]
        given: Any = [*(item.model_dump(exclude_none=True) for item in compacted.output), *TALK[:1]]
        answer = await client.responses.create(model=MODEL, input=given)
        sent = sim.log[-1].json["messages"]
        again = await client.responses.compact(model=MODEL, input=given)
        last: Any = [*(item.model_dump(exclude_none=True) for item in again.output), *TALK[:1]]
        await client.responses.create(model=MODEL, input=last)

    assert compacted.object == "response.compaction"
    assert [item.type for item in compacted.output] == ["compaction"]
    assert "summary" in asked[-1]["content"]
    assert [message["content"] for message in sent[:2]] == ["My name is Ann.", "Remember the number 42."]
    assert "your own summary" in sent[2]["content"]
    assert asked[-1]["content"][:40] in sent[2]["content"]  # what the simulated model answered with
    assert answer.status == "completed"
    words = ["My name is Ann.", "Remember the number 42.", "My name is Ann."]
    assert [message["content"] for message in sim.log[-1].json["messages"][:3]] == words


async def test_stored_turns_are_compacted_as_well(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        first = await client.responses.create(model=MODEL, input="Say hi")
        compacted = await client.responses.compact(model=MODEL, previous_response_id=first.id)

    assert [item.type for item in compacted.output] == ["compaction"]
    assert [message["role"] for message in sim.log[-1].json["messages"]] == ["user", "assistant", "user"]


async def test_a_summary_that_does_not_open_is_never_gone_on_without(gateway: Mitm, sim: Simulator) -> None:
    foreign: Any = [{"type": "compaction", "encrypted_content": "gAAAAABo"}, *TALK[:1]]
    async with openai(gateway) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.responses.create(model=MODEL, input=foreign)

    assert caught.value.code == "invalid_encrypted_content"
    assert not sim.log


def test_without_a_summary_nothing_looks_compacted(gateway: Mitm, sim: Simulator) -> None:
    sim.script([{"fault": "finish", "params": {"reason": "length"}}])
    with http(gateway) as client:
        answer = client.post("/v1/responses/compact", json={"model": MODEL, "input": TALK})

    assert answer.status_code == 502
    assert "summary" in answer.json()["error"]["message"]


async def test_the_tokens_of_an_input_are_counted_without_a_call(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        short = await client.responses.input_tokens.count(model=MODEL, input="Hi")
        long = await client.responses.input_tokens.count(model=MODEL, input=TALK * 50, instructions="Be brief.")
        calls = len(sim.log)
        first = await client.responses.create(model=MODEL, input="Say hi " * 100)
        more = await client.responses.input_tokens.count(model=MODEL, input="Hi", previous_response_id=first.id)

    assert calls == 0
    assert 0 < short.input_tokens < more.input_tokens
    assert long.input_tokens > 500


def test_what_cannot_be_counted_is_refused(gateway: Mitm) -> None:
    with http(gateway) as client:
        answers = [
            client.post(f"/v1/responses/{path}", content=json.dumps({"model": MODEL}))
            for path in ("input_tokens", "compact")
        ]

    assert [answer.status_code for answer in answers] == [400, 400]
