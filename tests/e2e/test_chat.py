"""A client that speaks OpenAI chats with Qwen through the reverse listener."""

import asyncio
import base64
import json
import struct
import time
import zlib
from itertools import pairwise
from typing import Any

import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, WEATHER, ahttp, ask, body, error, events, http2, notices, openai, text
from tests.e2e.mitm import Mitm


async def test_an_answer_comes_in_one_piece(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        answer = await client.chat.completions.create(model="qwen3.7-plus", messages=HI)

    assert answer.choices[0].message.content is not None
    assert answer.choices[0].message.content.endswith("You said: “Say hi”")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert sim.log[-1].json["messages"] == HI


async def test_a_stream_arrives_chunk_by_chunk(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.02
    times: list[float] = []
    async with openai(gateway) as client:
        stream = await client.chat.completions.create(model="qwen3-coder-plus", messages=HI, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                times.append(time.monotonic())

    assert len(times) > 10
    # Not in two or three bursts, however busy the machine is: many chunks come after a pause of their own.
    pauses = [after - before for before, after in pairwise(times)]
    assert sum(pause > 0.005 for pause in pauses) > 6


async def test_the_first_chunk_is_there_before_the_upstream_has_finished(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.02
    async with openai(gateway) as client:
        stream = await client.chat.completions.create(model="qwen3.7-plus", messages=HI, stream=True)
        await anext(aiter(stream))
        unfinished = sim.log[-1].ended_at is None
        rest = [chunk async for chunk in stream]

    assert unfinished
    assert rest[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
async def test_http2_clients_are_served_on_the_same_port(gateway: Mitm, stream: bool) -> None:
    async with http2(gateway) as client:
        answer = await client.post("/v1/chat/completions", json=body(stream=stream))

    assert answer.http_version == "HTTP/2"
    assert "connection" not in answer.headers
    assert "transfer-encoding" not in answer.headers
    assert text(answer).endswith("“Say hi”")


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_come_as_reasoning_content(gateway: Mitm, stream: bool) -> None:
    answer = ask(gateway, stream=stream, reasoning_effort="high")

    if stream:
        thoughts = "".join(event["choices"][0]["delta"].get("reasoning_content") or "" for event in events(answer))
    else:
        thoughts = answer.json()["choices"][0]["message"]["reasoning_content"]
    assert thoughts.startswith("The user has sent 1 messages")
    assert "The user has sent" not in text(answer)


def test_no_effort_means_no_thinking(gateway: Mitm, sim: Simulator) -> None:
    answer = ask(gateway, reasoning_effort="none")

    assert sim.log[-1].json["enable_thinking"] is False
    assert not answer.json()["choices"][0]["message"].get("reasoning_content")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_and_its_answer_is_used(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "get_weather with city=Oslo days=3"}]
    async with openai(gateway) as client:
        if stream:
            async with client.chat.completions.stream(model="gpt-4o", messages=messages, tools=[WEATHER]) as first:
                asked = (await first.get_final_completion()).choices[0]
        else:
            asked = (await client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])).choices[
                0
            ]
        assert asked.finish_reason == "tool_calls"
        assert asked.message.tool_calls is not None
        call = asked.message.tool_calls[0]
        messages.append(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.function.name, "arguments": call.function.arguments},
                    }
                ],
            }
        )
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "Snow, -4 degrees"})
        answer = await client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])

    assert json.loads(call.function.arguments) == {"city": "Oslo", "days": 3}
    assert "“Snow, -4 degrees”" in (answer.choices[0].message.content or "")
    sent = sim.log[-1].json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == call.id


def picture(side: int = 64) -> str:
    """A PNG as a data URI."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + b"\x80\x20\x20" * side for _ in range(side)))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def test_images_reach_a_model_that_sees(gateway: Mitm, sim: Simulator) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": picture()}}]

    answer = ask(gateway, messages=[{"role": "user", "content": parts}])

    assert "What is it? [image_url]" in text(answer)
    assert sim.log[-1].json["messages"][0]["content"][1]["image_url"]["url"] == picture()


def test_images_for_a_blind_model_are_refused_in_words(gateway: Mitm, sim: Simulator) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": picture()}}]

    answer = ask(gateway, model="qwen3-coder-plus", messages=[{"role": "user", "content": parts}])

    assert answer.status_code == 400
    assert "image" in error(answer)["message"]
    assert sim.log == []


@pytest.mark.parametrize("stream", [False, True])
def test_two_choices_are_two_answers(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    answer = ask(gateway, n=2, stream=stream)

    assert answer.status_code == 200, answer.text
    if stream:
        assert {choice["index"] for event in events(answer) for choice in event["choices"]} == {0, 1}
    else:
        assert [choice["index"] for choice in answer.json()["choices"]] == [0, 1]
        assert answer.json()["usage"]["completion_tokens"] > 40
    assert len(sim.log) == 2
    assert "emulated=n" in notices(answer)


def test_stop_ends_the_answer(gateway: Mitm) -> None:
    answer = ask(gateway, stop=["You said"])

    assert "speaking in place of" in text(answer)
    assert "You said" not in text(answer)


def test_json_comes_back_when_json_is_asked_for(gateway: Mitm) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    messages = [{"role": "user", "content": "city=Oslo days=3"}]

    as_object = ask(gateway, messages=messages, response_format={"type": "json_object"})
    as_schema = ask(
        gateway,
        messages=messages,
        response_format={"type": "json_schema", "json_schema": {"name": "trip", "schema": schema, "strict": True}},
    )

    assert isinstance(json.loads(text(as_object)), dict)
    assert json.loads(text(as_schema)) == {"city": "Oslo", "days": 3}


def test_usage_is_told_when_it_is_asked_for(gateway: Mitm, sim: Simulator) -> None:
    asked = ask(gateway, stream=True, stream_options={"include_usage": True})
    silent = ask(gateway, stream=True)

    assert events(asked)[-1]["usage"]["total_tokens"] > 0
    assert all("usage" not in event for event in events(silent))
    assert all(received.json["stream_options"] == {"include_usage": True} for received in sim.log)


def test_more_tokens_than_the_model_has_are_clamped_with_a_notice(gateway: Mitm, sim: Simulator) -> None:
    answer = ask(gateway, max_completion_tokens=10_000_000)

    assert answer.status_code == 200
    assert sim.log[-1].json["max_tokens"] == 65_536
    assert any(notice.startswith("clamped=max_") for notice in notices(answer))
    assert "clamped max_" in gateway.flow(answer.headers["x-request-id"]).comment


def test_a_ceiling_that_only_the_upstream_knows_is_learned(gateway: Mitm, sim: Simulator) -> None:
    answer = ask(gateway, model="glm-4.7", max_tokens=100_000)

    assert answer.status_code == 200
    assert any(notice.startswith("clamped=max_") for notice in notices(answer))
    assert sim.log[-1].json["max_tokens"] == 16_384


@pytest.mark.parametrize(
    ("asked", "answers", "notice"),
    [
        ("gpt-4o", "qwen3.7-plus", "translated=model"),
        ("gpt-5-codex", "qwen3-coder-plus", "translated=model"),
        ("gpt-4o-mini", "qwen3.5-flash", "translated=model"),
        ("claude-sonnet-5", "qwen3.7-plus", "defaulted=model"),
        ("qwen3.6-plus", "qwen3.6-plus", None),
    ],
)
def test_names_of_models(gateway: Mitm, sim: Simulator, asked: str, answers: str, notice: str | None) -> None:
    answer = ask(gateway, model=asked)

    assert sim.log[-1].json["model"] == answer.headers["x-gateway-model"] == answers
    assert answer.json()["model"] == asked
    assert notices(answer) == ([notice] if notice else [])
    comment = gateway.flow(answer.headers["x-request-id"]).comment
    assert comment.startswith(f"{asked} → {answers} on qwen: finished")
    assert ("model" in comment.split("\n", 2)[2]) is bool(notice)


def test_what_qwen_does_not_know_is_dropped_with_a_notice(gateway: Mitm, sim: Simulator) -> None:
    answer = ask(gateway, service_tier="flex", safety_identifier="someone", verbosity="low", frobnicate=True)

    assert answer.status_code == 200
    assert answer.json()["service_tier"] == "default"
    assert not sim.log[-1].json.keys() & {"service_tier", "safety_identifier", "verbosity", "frobnicate"}
    assert {"dropped=service_tier", "dropped=verbosity", "dropped=frobnicate"} <= set(notices(answer))
    assert "dropped verbosity" in gateway.flow(answer.headers["x-request-id"]).comment


def test_what_must_not_be_dropped_is_refused(gateway: Mitm, sim: Simulator) -> None:
    answer = ask(gateway, logit_bias={"50256": -100})

    assert answer.status_code == 400
    assert error(answer)["param"] == "logit_bias"
    assert error(answer)["code"] == "unsupported_parameter"
    assert sim.log == []


async def test_every_client_has_its_own_conversation_on_one_connection(gateway: Mitm) -> None:
    """Many streams of one HTTP/2 connection do not mix."""

    async def one(number: int) -> None:
        answer = await client.post(
            "/v1/chat/completions",
            json=body(stream=number % 2 == 0, messages=[{"role": "user", "content": f"word{number}"}]),
        )
        assert text(answer).endswith(f"“word{number}”")

    async with http2(gateway) as client:
        await asyncio.gather(*(one(number) for number in range(20)))


async def test_a_connection_serves_one_call_after_another(gateway: Mitm) -> None:
    async with ahttp(gateway) as client:
        for number in range(5):
            answer = await client.post("/v1/chat/completions", json=body(stream=number % 2 == 0))
            assert text(answer).endswith("“Say hi”")

    calls = [flow for flow in gateway.flows() if flow.metadata.get("qwen.client")][-5:]
    assert len({flow.client_conn.id for flow in calls}) == 1
