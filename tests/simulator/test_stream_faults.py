"""Faults in the events and the bytes of a stream."""

import json

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import WEATHER, ask, deltas, events, text

ENDING = "“Say hi”"


async def test_no_done(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="no-done", stream=True)

    assert text(answer).endswith(ENDING)
    assert "[DONE]" not in answer.text


async def test_only_done(sim: Simulator, client: httpx.AsyncClient) -> None:
    assert (await ask(sim, client, fault="only-done", stream=True)).text == "data: [DONE]\n\n"


async def test_no_content(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="no-content", stream=True)

    assert text(answer) == text(answer, "reasoning_content") == ""
    assert events(answer)[-1]["choices"][0]["finish_reason"] == "stop"


async def test_empty_stream(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="empty-stream", stream=True)

    assert answer.status_code == 200
    assert answer.content == b""


async def test_no_finish(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="no-finish", stream=True)

    assert {chunk["choices"][0]["finish_reason"] for chunk in events(answer)} == {None}


async def test_finish_with_another_reason(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="finish;reason=content_filter")

    assert answer.json()["choices"][0]["finish_reason"] == "content_filter"


async def test_usage_null(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="usage-null", stream=True, stream_options={"include_usage": True})

    assert events(answer)[-1]["choices"] == []
    assert events(answer)[-1]["usage"] is None


async def test_usage_in_finish(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="usage-in-finish", stream=True, stream_options={"include_usage": True})

    assert events(answer)[-1]["choices"][0]["finish_reason"] == "stop"
    assert events(answer)[-1]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("fault", "pieces"), [("repeated-ids", "repeat"), ("omitted-ids", "omit"), ("whole-tool-call", "whole")]
)
async def test_tool_calls_are_cut_in_other_ways(
    sim: Simulator, client: httpx.AsyncClient, fault: str, pieces: str
) -> None:
    messages = [{"role": "user", "content": "get_weather city=Oslo days=2"}]
    answer = await ask(sim, client, fault=fault, stream=True, tools=[WEATHER], messages=messages)

    calls = [delta["tool_calls"][0] for delta in deltas(answer) if "tool_calls" in delta]
    ids, names = {call.get("id") for call in calls[1:]}, {call["function"].get("name") for call in calls[1:]}
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Oslo", "days": 2}
    assert {"repeat": (1, {"get_weather"}), "omit": (1, {None}), "whole": (0, set())}[pieces] == (len(ids), names)


async def test_invalid_arguments(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_weather"}]
    answer = await ask(sim, client, fault="invalid-arguments", tools=[WEATHER], messages=messages)

    call = answer.json()["choices"][0]["message"]["tool_calls"][0]
    with pytest.raises(json.JSONDecodeError):
        json.loads(call["function"]["arguments"])


async def test_invalid_json_chunk(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="invalid-json-chunk", stream=True)

    assert 'data: {"choices":[{"delta":{"content":"broken\n\n' in answer.text
    assert answer.text.endswith("[DONE]\n\n")


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_stay_in_the_content(sim: Simulator, client: httpx.AsyncClient, stream: bool) -> None:
    answer = await ask(sim, client, "vllm", fault="think-in-content", stream=stream)
    closing = await ask(sim, client, "vllm", fault="think-closing-only", stream=True)

    content = text(answer) if stream else answer.json()["choices"][0]["message"]["content"]
    assert content.startswith("<think>\nThe user")
    assert "\n</think>\n\n" in content
    assert content.endswith(ENDING)
    assert "<think>" not in text(closing)
    assert "</think>" in text(closing)


async def test_tool_calls_stay_in_the_content(sim: Simulator, client: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "get_weather city=Oslo days=2"}]
    json = await ask(sim, client, fault="tool-call-in-content", tools=[WEATHER], messages=messages)
    xml = await ask(sim, client, fault="tool-call-xml-in-content", tools=[WEATHER], messages=messages)

    assert json.json()["choices"][0]["finish_reason"] == "stop"
    assert json.json()["choices"][0]["message"]["content"] == (
        '<tool_call>\n{"name":"get_weather","arguments":{"city":"Oslo","days":2}}\n</tool_call>'
    )
    assert xml.json()["choices"][0]["message"]["content"] == (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n"
        "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>"
    )


async def test_thoughts_in_another_field(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, "vllm", fault="thought-field;name=reasoning_content", stream=True)

    assert text(answer, "reasoning_content")
    assert not text(answer, "reasoning")


async def test_huge_answers(sim: Simulator, client: httpx.AsyncClient) -> None:
    long = await ask(sim, client, fault="long-answer;words=5000", stream=True)
    chunk = await ask(sim, client, fault="huge-chunk;bytes=3000000", stream=True, enable_thinking=False)

    assert text(long).split()[-1] == "word4999"
    assert max(len(delta["content"]) for delta in deltas(chunk)) == 3_000_000


@pytest.mark.parametrize("fault", ["comments", "unknown-events", "bytewise", "ragged", "joined", "gzip"])
async def test_the_same_stream_in_other_bytes(sim: Simulator, client: httpx.AsyncClient, fault: str) -> None:
    plain = await ask(sim, client, stream=True, max_tokens=8, thinking_budget=1)
    answer = await ask(sim, client, fault=fault, stream=True, max_tokens=8, thinking_budget=1)

    assert text(answer) == text(plain)
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(("fault", "end"), [("crlf", "\r\n"), ("cr", "\r")])
async def test_other_line_ends(sim: Simulator, client: httpx.AsyncClient, fault: str, end: str) -> None:
    plain = await ask(sim, client, stream=True)
    answer = await ask(sim, client, fault=fault, stream=True)

    assert answer.text.endswith(f"data: [DONE]{end}{end}")
    assert answer.text.count(end) == plain.text.count("\n")
    assert "\n" not in answer.text.replace(end, "")


async def test_data_without_a_space(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="no-space", stream=True)

    assert answer.text.startswith("data:{")
    assert "data: " not in answer.text


async def test_faults_can_be_combined(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.state.pace = 0.001
    client.timeout = httpx.Timeout(0.2)
    fault = "think-in-content, joined, stall-mid;after=2, crlf"

    with pytest.raises(httpx.ReadTimeout):
        await ask(sim, client, fault=fault, stream=True)
    assert sim.log[-1].chunks == 1
    assert sim.log[-1].faults == ["think-in-content", "joined", "stall-mid", "crlf"]


@pytest.mark.parametrize(
    "fault", ["bytewise", "ragged", "crlf", "no-space", "drop-mid-json;after=90", "drop-mid-chunk;after=90"]
)
async def test_faults_of_bytes_leave_the_time_between_words(
    sim: Simulator, client: httpx.AsyncClient, fault: str
) -> None:
    sim.state.pace = 0.001
    answer = await ask(sim, client, fault=fault, stream=True, max_tokens=2, thinking_budget=1)

    assert "[DONE]" in answer.text


async def test_comments_carry_their_text(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="comments", stream=True)

    assert answer.text.startswith(": OPENROUTER PROCESSING\n\ndata: {")


async def test_writes_are_counted_as_they_were_made(sim: Simulator, client: httpx.AsyncClient) -> None:
    await ask(sim, client, fault="joined", stream=True)
    joined = sim.log[-1]
    answer = await ask(sim, client, fault="bytewise", stream=True, max_tokens=1, thinking_budget=1)

    assert joined.chunks == 1
    assert sim.log[-1].chunks == sim.log[-1].sent == len(answer.content)
