"""The Responses face (upstream.md 4.11)."""

import json
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator

TOOL = {"type": "function", "name": "get_time", "parameters": {"type": "object", "properties": {}}}


async def create(sim: Simulator, client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    body = {"model": "qwen3.7-plus", "input": "Say hi", **fields}
    return await client.post(sim.url() + "/responses", json=body)


def parsed(answer: httpx.Response) -> list[dict[str, Any]]:
    """The payloads of the stream, with the other lines checked."""
    made = []
    for number, block in enumerate(answer.text.strip("\n").split("\n\n")):
        id_line, event, comment, data = block.split("\n")
        payload = json.loads(data.removeprefix("data:"))
        assert id_line == f"id:{number + 1}"
        assert event == "event:" + payload["type"]
        assert comment.startswith(":HTTP_STATUS/")
        assert payload["sequence_number"] == number
        made.append(payload)
    return made


async def test_a_response_is_stored_and_can_be_continued(sim: Simulator, client: httpx.AsyncClient) -> None:
    first = (await create(sim, client)).json()
    stored = (await client.get(f"{sim.url()}/responses/{first['id']}")).json()
    items = (await client.get(f"{sim.url()}/responses/{first['id']}/input_items")).json()
    second = (await create(sim, client, previous_response_id=first["id"])).json()

    assert first["status"] == "completed"
    assert [item["type"] for item in first["output"]] == ["reasoning", "message"]
    assert stored == first
    assert items["data"][0]["content"] == "Say hi"
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]


async def test_a_response_can_be_deleted(sim: Simulator, client: httpx.AsyncClient) -> None:
    url = f"{sim.url()}/responses/{(await create(sim, client)).json()['id']}"

    assert (await client.delete(url)).json()["deleted"] is True
    assert (await client.get(url)).status_code == 404
    assert (await client.delete(url)).status_code == 404


async def test_a_response_lives_seven_days(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.clock = lambda: 1_790_000_000.0
    url = f"{sim.url()}/responses/{(await create(sim, client)).json()['id']}"

    sim.clock = lambda: 1_790_000_000.0 + 7 * 86_400 - 1
    assert (await client.get(url)).status_code == 200
    sim.clock = lambda: 1_790_000_000.0 + 7 * 86_400
    assert (await client.get(url)).status_code == 404


async def test_a_stream_has_its_own_lines_and_no_done(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await create(sim, client, stream=True)

    payloads = parsed(answer)
    kinds = [payload["type"] for payload in payloads]
    text = "".join(payload["delta"] for payload in payloads if payload["type"] == "response.output_text.delta")
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert "response.reasoning_text.delta" in kinds
    assert text == payloads[-1]["response"]["output"][1]["content"][0]["text"]
    assert "[DONE]" not in answer.text


async def test_a_bad_model_fails_inside_the_stream(sim: Simulator, client: httpx.AsyncClient) -> None:
    stream = await create(sim, client, model="none", stream=True)
    whole = await create(sim, client, model="none")

    assert stream.status_code == 200
    assert [payload["type"] for payload in parsed(stream)] == ["response.failed"]
    assert whole.status_code == 404
    assert whole.json().keys() == {"code", "message", "request_id"}


async def test_tools_are_flat(sim: Simulator, client: httpx.AsyncClient) -> None:
    called = (await create(sim, client, input="get_time", tools=[TOOL])).json()["output"][-1]
    streamed = parsed(await create(sim, client, input="get_time", tools=[TOOL], stream=True))
    nested = await create(sim, client, tools=[{"type": "function", "function": TOOL}])
    again = [
        {"role": "user", "content": "get_time"},
        called,
        {"type": "function_call_output", "call_id": called["call_id"], "output": "noon"},
    ]
    answered = (await create(sim, client, input=again, tools=[TOOL])).json()

    assert called["type"] == "function_call"
    assert called["name"] == "get_time"
    assert not any("arguments.delta" in payload["type"] for payload in streamed)
    assert nested.status_code == 400
    assert "noon" in answered["output"][-1]["content"][0]["text"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"previous_response_id": "resp_none"}, "Not found previous_response_id: resp_none"),
        ({"previous_response_id": "a", "conversation": "b"}, "Mutually exclusive parameters"),
        ({"reasoning": {"effort": "huge"}}, "'huge' is not one of ['none', 'minimal', "),
        ({"max_output_tokens": 15}, "Range of max_output_tokens should be [16, "),
        ({"model": "qwen-max"}, "Agent capabilities are not enabled for the current model"),
        ({"input": []}, "'input' must be"),
    ],
)
async def test_a_broken_rule_is_flat(
    sim: Simulator, client: httpx.AsyncClient, fields: dict[str, Any], message: str
) -> None:
    answer = await create(sim, client, **fields)

    assert answer.status_code == 400
    assert message in answer.json()["message"]
    assert answer.json()["code"] == "InvalidParameter"


async def test_what_it_does_not_know_is_echoed_and_ignored(sim: Simulator, client: httpx.AsyncClient) -> None:
    form = {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}
    body = (await create(sim, client, text=form, metadata={"a": "b"}, store=False)).json()

    assert body["text"] == form
    assert body["metadata"] == {"a": "b"}
    assert body["output"][-1]["content"][0]["text"].endswith("“Say hi”")
    assert (await client.get(f"{sim.url()}/responses/{body['id']}")).status_code == 404


async def test_max_output_tokens_leaves_a_response_incomplete(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = (await create(sim, client, max_output_tokens=16)).json()

    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["usage"]["output_tokens"] == 16


async def test_errors_of_keys_are_flat_too(sim: Simulator, client: httpx.AsyncClient) -> None:
    headers = {"authorization": "Bearer sk-sim-throttling"}
    answer = await client.post(sim.url() + "/responses", json={}, headers=headers)

    assert answer.status_code == 429
    assert answer.json()["code"] == "Throttling"
