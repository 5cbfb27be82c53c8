"""Clients of the Responses API, with the official library and as Codex writes it, against a real process."""

import json
import stat
from typing import Any

import httpx
import pytest
from openai import BadRequestError

from qwen_gateway.simulator import Simulator
from tests import referee
from tests.e2e.asking import HI, WEATHER, ahttp, http, http2, notices, openai
from tests.e2e.codex import Parser, turn, user
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until

FLAT: Any = {"type": "function", **WEATHER["function"]}
SEALED: Any = ["reasoning.encrypted_content"]


def respond(gateway: Mitm, given: Any = "Say hi", path: str = "/v1/responses", **fields: Any) -> httpx.Response:
    with http(gateway) as client:
        return client.post(path, json={"model": "qwen3.7-plus", "input": given, **fields})


def events(answer: httpx.Response) -> list[Any]:
    """The events of a stream; the referee has read it already."""
    return [event.json for event in referee.read_sse(answer.content, done=False)]


async def test_a_response_comes_in_one_piece(gateway: Mitm, sim: Simulator) -> None:
    async with openai(gateway) as client:
        response = await client.responses.create(model="gpt-5", input="Say hi", instructions="Be brief.")

    assert response.output_text.endswith("“Say hi”")
    assert (response.status, response.model, response.error) == ("completed", "gpt-5", None)
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert sim.log[-1].path.endswith("/chat/completions")
    assert [message["role"] for message in sim.log[-1].json["messages"]] == ["system", "user"]


async def test_a_response_is_streamed_and_its_end_repeats_it(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.003
    async with openai(gateway) as client:
        stream = client.responses.stream(model="qwen3.7-plus", input="Say hi", reasoning={"effort": "high"})
        async with stream as told:
            seen = [event async for event in told]
            final = await told.get_final_response()

    deltas = [event.delta for event in seen if event.type == "response.output_text.delta"]
    assert len(deltas) > 5
    assert final.output_text == "".join(deltas)
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens > 0


async def test_http2_clients_get_the_same_events(gateway: Mitm) -> None:
    async with http2(gateway) as client:
        answer = await client.post("/v1/responses", json={"model": "qwen3.7-plus", "input": "Say hi", "stream": True})

    assert answer.http_version == "HTTP/2"
    assert events(answer)[-1]["type"] == "response.completed"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_and_its_answer_is_used(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    given: list[Any] = [{"role": "user", "content": "get_weather with city=Oslo days=3"}]
    async with openai(gateway) as client:
        if stream:
            async with client.responses.stream(model="gpt-5", input=given, tools=[FLAT]) as told:
                first: Any = await told.get_final_response()
        else:
            first = await client.responses.create(model="gpt-5", input=given, tools=[FLAT], include=SEALED)
        calls = [item for item in first.output if item.type == "function_call"]
        given += first.output
        given += [{"type": "function_call_output", "call_id": calls[0].call_id, "output": "Snow, -4 degrees"}]
        second = await client.responses.create(model="gpt-5", input=given, tools=[FLAT])

    assert json.loads(calls[0].arguments) == {"city": "Oslo", "days": 3}
    assert "“Snow, -4 degrees”" in second.output_text
    sent = sim.log[-1].json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["reasoning_content"].startswith("The user has sent")
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == calls[0].call_id


async def test_structured_output_is_parsed_by_the_library(gateway: Mitm) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form: Any = {"type": "json_schema", "name": "place", "schema": schema, "strict": True}
    async with openai(gateway) as client:
        response = await client.responses.create(model="gpt-5", input="city=Oslo", text={"format": form})

    assert "city" in json.loads(response.output_text)


async def test_an_answer_that_is_cut_off_says_so(gateway: Mitm) -> None:
    async with openai(gateway) as client:
        response = await client.responses.create(model="qwen3-coder-plus", input="Say hi", max_output_tokens=3)

    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


async def test_what_is_wrong_is_told_with_the_clients_own_names(gateway: Mitm) -> None:
    parts: Any = [{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}]
    async with openai(gateway) as client:
        with pytest.raises(BadRequestError) as malformed:
            await client.responses.create(model="gpt-5", input=[{"role": "user", "content": parts}])
        with pytest.raises(BadRequestError) as unknown:
            await client.responses.create(model="gpt-5", input="Hi", tools=[{"type": "code_interpreter"}])  # type: ignore[list-item, arg-type]

    assert malformed.value.param == "input[0].content[0]"
    assert "code_interpreter" in unknown.value.message


def test_a_chat_body_is_told_where_to_go(gateway: Mitm) -> None:
    with http(gateway) as client:
        answer = client.post("/v1/responses", json={"model": "gpt-5", "messages": HI})

    assert answer.status_code == 400
    assert "/v1/chat/completions" in answer.json()["error"]["message"]


def test_an_upstreams_error_before_the_first_event_is_an_http_error(gateway: Mitm, sim: Simulator) -> None:
    sim.script([{"fault": "input-too-long", "times": 9}])

    answer = respond(gateway, stream=True)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


async def test_a_stream_that_breaks_ends_in_a_failed_response(gateway: Mitm, sim: Simulator) -> None:
    sim.script(["drop-after;after=3"])
    sim.state.pace = 0.003
    async with openai(gateway) as client:
        stream = await client.responses.create(model="qwen3.7-plus", input="Say hi", stream=True)
        seen = [event async for event in stream]

    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error is not None
    assert "broke off" in seen[-1].response.error.message


async def test_a_client_that_leaves_takes_its_upstream_call_with_it(gateway: Mitm, sim: Simulator) -> None:
    sim.script(["stall-mid;after=5"])
    async with ahttp(gateway) as client:
        body = {"model": "qwen3.7-plus", "input": "Say hi", "stream": True}
        async with client.stream("POST", "/v1/responses", json=body) as answer:
            async for _ in answer.aiter_bytes():
                break

    wait_until(lambda: sim.log[0].disconnected, 5, "the upstream was not told")


@pytest.mark.parametrize("stream", [False, True])
def test_arguments_that_reach_the_client_are_json_or_the_response_has_failed(
    gateway: Mitm, sim: Simulator, stream: bool
) -> None:
    sim.script([{"fault": "invalid-arguments", "times": 9}])

    answer = respond(gateway, "get_weather with city=Oslo days=3", stream=stream, tools=[FLAT])

    response = events(answer)[-1]["response"] if stream else answer.json()
    if response["status"] == "completed":
        calls = [item for item in response["output"] if item["type"] == "function_call"]
        assert calls
        assert all(isinstance(json.loads(call["arguments"]), dict) for call in calls)
    else:
        assert response["status"] == "failed"
        assert response["error"]["message"]
        assert gateway.flow(answer.headers["x-request-id"]).comment.split("\n")[0].endswith(": failed")


def test_silence_is_filled_with_comments(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("patient", environ=one_account(upstream), options={"qwen_hold": 1, "qwen_keep_alive": 1}).start()
    sim.script([{"fault": "slow", "params": {"first": 2.5}}])

    answer = respond(gateway, stream=True)

    assert answer.content.startswith(b": keep-alive")
    assert events(answer)[-1]["type"] == "response.completed"


@pytest.mark.parametrize(("model", "new_models"), [("gpt-5.3-codex", False), ("gpt-5.5", True)])
def test_codex_has_a_conversation_with_tools(gateway: Mitm, sim: Simulator, model: str, new_models: bool) -> None:
    told: list[str] = []

    def ask(*items: Any) -> Parser:
        with http(gateway) as client:
            headers = {"accept": "text/event-stream", "originator": "codex_cli_rs", "session_id": "0199f0a0"}
            body = turn(*items, new_models=new_models, model=model)
            answer = client.post("/v1/responses", json=body, headers=headers)
        assert answer.status_code == 200
        told.extend(notices(answer))
        return Parser(events(answer))

    history: list[Any] = [user("shell with command=ls")]
    first = ask(*history)
    call = first.items[-1]
    assert (call["type"], call["name"]) == ("function_call", "shell")
    history += [*first.items, {"type": "function_call_output", "call_id": call["call_id"], "output": "README.md"}]
    history += [user("apply_patch with input=*** Begin Patch")]
    second = ask(*history)
    patch = second.items[-1]
    assert (patch["type"], patch["name"]) == ("custom_tool_call", "apply_patch")
    history += [*second.items, {"type": "custom_tool_call_output", "call_id": patch["call_id"], "output": "Done"}]
    third = ask(*history)

    assert "“Done”" in third.text
    assert third.completed is not None
    assert third.completed["usage"]["input_tokens"] > 0
    sent = sim.log[-1].json
    assert {tool["function"]["name"] for tool in sent["tools"]} >= {"shell", "apply_patch", "mcp__mail__list_mail"}
    if model == "gpt-5.5":  # a model that thinks and searches answers
        thoughts = [message["reasoning_content"] for message in sent["messages"] if "reasoning_content" in message]
        assert thoughts == [first.summary, second.summary]
        assert sent["enable_search"] is True
    else:
        assert "dropped=tools[4]" in told


def test_codex_gets_on_without_a_web_search(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("vllm", environ=one_account(upstream) | {"QWEN_PLAN": "vllm"}).start()

    with http(gateway) as client:
        answer = client.post("/v1/responses", json=turn(user("Say hi")) | {"model": "qwen3.7-plus"})

    assert answer.status_code == 200
    assert "dropped=tools[4]" in notices(answer)
    assert Parser(events(answer)).completed


def test_sealed_thoughts_outlive_a_restart(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("sealing", environ=one_account(upstream)).start()
    thought = respond(gateway, include=SEALED).json()["output"][0]
    thought |= {"summary": []}
    gateway.stop()
    gateway.start()

    given = [thought, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "Again"}]
    answer = respond(gateway, given, include=SEALED)

    assert answer.status_code == 200
    assert sim.log[-1].json["messages"][0]["reasoning_content"].startswith("The user has sent 1 messages")
    assert stat.S_IMODE((gateway.home / "seal.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", ["reverse", "regular"])
def test_a_websocket_is_declined_so_that_codex_falls_back_at_once(
    gateway: Mitm, starter: Starter, upstream: Simulator, mode: str
) -> None:
    asks = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AA=="}
    if mode == "reverse":
        with http(gateway) as client:
            answer = client.get("/v1/responses", headers=asks)
    else:
        between = starter("between", mode="regular", environ=one_account(upstream)).start()
        with httpx.Client(proxy=between.url, verify=False, timeout=20) as client:
            answer = client.get("https://api.openai.com/v1/responses", headers=asks)

    assert answer.status_code == 426
    assert answer.json()["error"]["code"] == "upgrade_required"


@pytest.mark.parametrize("stream", [False, True])
def test_cursor_gets_chats_form_for_a_body_of_the_other_api(gateway: Mitm, sim: Simulator, stream: bool) -> None:
    given = [
        {"role": "system", "content": "You are a coding assistant."},
        {"role": "user", "content": [{"type": "input_text", "text": "get_weather with city=Oslo days=3"}]},
    ]
    fields = {"tools": [FLAT], "tool_choice": "auto", "stream": stream, "user": "u", "metadata": {"a": "b"}}

    answer = respond(gateway, given, "/v1/chat/completions", **fields)

    assert answer.status_code == 200
    if not stream:
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"city": "Oslo", "days": 3}
    assert sim.log[-1].json["messages"][1]["content"] == "get_weather with city=Oslo days=3"


def test_legacy_functions_go_both_ways(gateway: Mitm, sim: Simulator) -> None:
    messages: list[Any] = [{"role": "user", "content": "get_weather with city=Oslo days=3"}]
    with http(gateway) as client:
        body = {"model": "gpt-4o", "messages": messages, "functions": [WEATHER["function"]]}
        asked = client.post("/v1/chat/completions", json=body).json()["choices"][0]
        messages += [asked["message"], {"role": "function", "name": "get_weather", "content": "Snow"}]
        answer = client.post("/v1/chat/completions", json=body).json()["choices"][0]

    assert asked["finish_reason"] == "function_call"
    assert json.loads(asked["message"]["function_call"]["arguments"]) == {"city": "Oslo", "days": 3}
    assert "“Snow”" in answer["message"]["content"]
    assert sim.log[-1].json["messages"][1]["tool_calls"][0]["id"] == sim.log[-1].json["messages"][2]["tool_call_id"]
