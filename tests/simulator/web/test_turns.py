"""Chats and the chain of their turns (upstream.md 3.4, 3.5)."""

import asyncio
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.web.browsing import Browser, created, events, refusal, text


async def test_a_turn_is_answered_and_kept(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    answer = await browser.turn(chat, "Say hi")
    listed = (await browser.call("GET", "/api/v2/chats/?page=1&exclude_project=true")).json()["data"]
    kept = (await browser.call("GET", f"/api/v2/chats/{chat}")).json()["data"]["chat"]

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.startswith('data: {"response.created":')
    assert answer.text.split("\n")[0].endswith(" ")
    assert "[DONE]" not in answer.text
    assert text(answer) == "The simulator answers for qwen3.7-plus, turn 1 of this chat. You said: “Say hi”"
    assert [item["title"] for item in listed] == ["Say hi"]
    messages = kept["history"]["messages"]
    assert messages[created(answer)["parent_id"]]["childrenIds"] == [created(answer)["response_id"]]
    assert [message["role"] for message in kept["messages"]] == ["user", "assistant"]
    assert kept["messages"][1]["content_list"][0]["content"] == text(answer)


async def test_the_response_id_continues_a_chat(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    first = await browser.turn(chat)
    second = await browser.turn(chat, "And you?", created(first)["response_id"])
    branch = await browser.turn(chat, "Or you?", created(first)["response_id"])

    assert "turn 2" in text(second)
    assert "turn 2" in text(branch)
    assert sim.log[2].note == f"turn 2 of {chat} by alice"
    assert events(second)[-2]["usage"]["input_tokens"] > events(first)[-2]["usage"]["input_tokens"]


async def test_wrong_parents_are_refused(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    first = await browser.turn(chat)
    wrong = [None, "none", created(first)["parent_id"]]
    details = [refusal(await browser.turn(chat, "More", parent))[1] for parent in wrong]

    assert details == [
        "Invalid input chat parent_id root is not exist.",
        "Invalid input chat parent_id none is not exist.",
        f"Invalid input chat parent_id {wrong[2]} is not exist.",
    ]


async def test_the_other_reading_of_the_parent(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.mood.parent = "user"
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    ids = created(await browser.turn(chat))

    assert "turn 2" in text(await browser.turn(chat, "More", ids["parent_id"]))
    assert "is not exist" in refusal(await browser.turn(chat, "More", ids["response_id"]))[1]
    sim.web.mood.wrong_parent = "forget"
    assert "turn 1" in text(await browser.turn(chat, "More", ids["response_id"]))
    sim.web.mood.parent = "either"
    assert "turn 2" in text(await browser.turn(chat, "More", ids["response_id"]))


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"model": "gpt-4o"}, ("Not_Found", "Model not found")),
        ({"stream": False}, ("Bad_Request", "internal error")),
        ({"incremental_output": False}, ("Bad_Request", "internal error")),
        ({"messages": []}, ("Bad_Request", "internal error")),
        ({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}, ("Bad_Request", "")),
        ({"message": {"parentId": "other"}}, ("Bad_Request", "")),
        ({"message": {"role": "assistant"}}, ("Bad_Request", "internal error")),
        ({"message": {"files": [{"id": "none"}]}}, ("Not_Found", "File not found")),
        ({"chat_id": "other"}, ("Bad_Request", "internal error")),
    ],
)
async def test_bad_turns(
    sim: Simulator, client: httpx.AsyncClient, fields: dict[str, Any], refused: tuple[str, str]
) -> None:
    browser = Browser(sim, client)
    code, details = refusal(await browser.turn(await browser.new_chat(), **fields))

    assert code == refused[0]
    assert details.startswith(refused[1])


async def test_two_messages_were_allowed_once(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.mood.messages = 2
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    message = {"role": "user", "content": "u", "feature_config": {"output_schema": "phase"}}
    answer = await browser.turn(chat, messages=[{"role": "system", "content": "Be brief."}, message])

    assert "Be brief." in text(answer)


async def test_an_array_meets_silence(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), [{"type": "text", "text": "hi"}])

    assert [list(event) for event in events(answer)] == [["response.created"]]


async def test_without_the_schema_no_phase_comes(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), config={"output_schema": None})

    assert text(answer) == ""
    assert "You said" in text(answer, None)


async def test_a_chat_is_its_owners_and_can_be_deleted(sim: Simulator, client: httpx.AsyncClient) -> None:
    alice, bob = Browser(sim, client), Browser(sim, client, "bob")
    chat = await alice.new_chat()
    foreign = refusal(await bob.turn(chat))
    deleted = await alice.call("DELETE", f"/api/v2/chats/{chat}")
    again = await alice.call("DELETE", f"/api/v2/chats/{chat}")

    assert foreign == ("Not_Found", "Chat not found")
    assert deleted.json()["success"] is True
    assert again.headers["x-actual-status-code"] == "404"
    assert refusal(await alice.turn(chat)) == ("Not_Found", "Chat not found")
    assert sim.web.chats.deleted == [chat]


async def test_one_generation_at_a_time(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    sim.web.say(["word "] * 1_000, wait=0.02)
    running = asyncio.create_task(browser.turn(chat))
    while not sim.web.chats[chat].running:
        await asyncio.sleep(0.01)
    busy = await browser.turn(chat)
    await browser.call("POST", f"/api/v2/chat/completions/stop?chat_id={chat}", {"chat_id": chat})
    stopped = await running

    assert refusal(busy) == ("Bad_Request", "The chat is in progress!")
    assert len(events(stopped)) < 900
    assert text(await browser.turn(chat, "Go on", created(stopped)["response_id"]))


async def test_a_client_that_leaves_without_stop_keeps_the_chat_busy(sim: Simulator, client: httpx.AsyncClient) -> None:
    now = 1_790_000_000.0
    sim.clock = lambda: now
    sim.web.mood.linger, sim.web.mood.settle = 30, 3
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    with pytest.raises(httpx.RemoteProtocolError):
        await browser.turn(chat, fault="drop-after;after=1")
    busy = await browser.turn(chat)
    await browser.call("POST", "/api/v2/chat/stop", {"chat_id": chat})
    settling = await browser.turn(chat)
    sim.clock = lambda: now + 3
    parent = list(sim.web.chats[chat].messages)[-1]

    assert refusal(busy)[1] == refusal(settling)[1] == "The chat is in progress!"
    assert text(await browser.turn(chat, "Again", parent))


async def test_guests_have_fewer_models_and_turns(sim: Simulator, client: httpx.AsyncClient) -> None:
    now = 1_790_000_000.0
    sim.clock = lambda: now
    sim.web.mood.guest_turns = 1
    guest = Browser(sim, client, "")
    other = refusal(await guest.turn(await guest.new_chat(chat_mode="guest"), model="qwen3.7-max"))
    first, second = [await guest.turn(await guest.new_chat(chat_mode="guest")) for _ in range(2)]
    sim.clock = lambda: now + 6 * 3600

    assert other == ("Not_Found", "Model not found")
    assert text(first)
    assert refusal(second)[0] == "RateLimited"
    assert second.json()["data"]["num"] == 7
    assert text(await guest.turn(await guest.new_chat(chat_mode="guest")))


async def test_the_day_and_the_minute_have_limits(sim: Simulator, client: httpx.AsyncClient) -> None:
    now = 1_790_000_000.0
    sim.clock = lambda: now
    sim.web.mood.per_day, sim.web.mood.burst = 1, 2
    browser = Browser(sim, client)
    chats = [await browser.new_chat() for _ in range(3)]
    answers = [await browser.turn(chat) for chat in chats]
    sim.clock = lambda: now + 86_400

    assert text(answers[0])
    assert refusal(answers[1])[0] == "RateLimited"
    assert answers[2].json()["ret"][0] == "FAIL_SYS_USER_VALIDATE"
    assert text(await Browser(sim, client).turn(chats[1]))


async def test_a_large_body_always_meets_the_challenge(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), "x" * 131_072)

    assert "punish?x5secdata=" in answer.json()["data"]["url"]


async def test_a_long_chat_exceeds_the_context(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.mood.context = 20
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), "word " * 20)

    assert events(answer)[0]["error"]["code"] == "ContextLengthExceeded"
    assert events(answer)[0]["response_id"]
