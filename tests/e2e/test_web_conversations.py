"""Conversations over chat.qwen.ai: a chat is continued with the new message alone, and never with somebody else's."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, wait_until
from tests.e2e.test_web_chat import add_session, browser_session, turns

ALICE = {"role": "user", "content": "My name is Alice"}
WHO = {"role": "user", "content": "What is my name?"}


@pytest.fixture(scope="module")
def shared_talk(starter: Starter, upstream: Simulator) -> Mitm:
    gateway = starter("web-talk", options={"qwen_strategy": "round-robin"})
    for name in ("one", "two", "three"):
        add_session(gateway, name, browser_session(upstream, name, life=86_400), upstream.url("web"))
    return gateway.start()


@pytest.fixture
def web(shared_talk: Mitm, sim: Simulator) -> Iterator[Mitm]:
    sim.web.reset()
    yield shared_talk
    assert shared_talk.troubles() == []


def message(turn: Any) -> dict[str, Any]:
    (found,) = turn.json["messages"]
    assert isinstance(found, dict)
    return found


def said(answer: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": answer.json()["choices"][0]["message"]["content"]}


async def test_the_second_call_sends_only_the_new_message(web: Mitm, sim: Simulator) -> None:
    """Seed B's example, with the real library."""
    conversation: list[Any] = [dict(ALICE)]
    async with openai(web) as client:
        first = await client.chat.completions.create(model="qwen3.7-plus", messages=conversation)
        conversation.append({"role": "assistant", "content": first.choices[0].message.content})
        conversation.append(dict(WHO))
        second = await client.chat.completions.create(model="qwen3.7-plus", messages=conversation)

    one, two = turns(sim)
    assert message(one)["content"] == "My name is Alice"
    assert message(two)["content"] == "What is my name?"
    assert two.json["chat_id"] == one.json["chat_id"]
    assert "turn 2 of this chat" in (second.choices[0].message.content or "")
    assert len(sim.web.chats) == 1

    def recorded() -> bool:
        shown = httpx.get(web.url + "/v1/sessions").json()["data"]
        return any(session["chat_id"] == one.json["chat_id"] for session in shown)

    wait_until(recorded, 10, "the records do not tell the chat")


@pytest.mark.parametrize("stream", [False, True])
async def test_five_turns_streamed_or_not_are_one_chat(web: Mitm, sim: Simulator, stream: bool) -> None:
    conversation: list[Any] = [{"role": "system", "content": "Be brief."}]
    async with openai(web) as client:
        for number in range(5):
            conversation.append({"role": "user", "content": f"Question {number}"})
            answer: Any = await client.chat.completions.create(
                model="qwen3.7-plus", messages=conversation, stream=stream
            )
            text = (
                "".join([chunk.choices[0].delta.content or "" async for chunk in answer])
                if stream
                else answer.choices[0].message.content
            )
            conversation.append({"role": "assistant", "content": text})

    asked = turns(sim)
    assert [message(turn)["content"] for turn in asked[1:]] == [f"Question {number}" for number in range(1, 5)]
    assert message(asked[0])["content"] == "Be brief.\n\nQuestion 0"
    assert len({turn.json["chat_id"] for turn in asked}) == 1
    assert len({turn.key for turn in asked}) == 1, "the conversation stays on its account"


def test_an_edited_history_begins_anew(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, messages=[ALICE])

    ask(web, messages=[{"role": "user", "content": "My name is Bob"}, said(answer), WHO])

    one, two = turns(sim)
    assert two.json["chat_id"] != one.json["chat_id"]
    assert "My name is Bob" in message(two)["content"]


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "qwen3.6-plus"},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "system", "content": "Be rude."}]},
    ],
)
def test_what_a_chat_was_told_at_its_start_must_be_the_same(web: Mitm, sim: Simulator, changed: dict[str, Any]) -> None:
    answer = ask(web, messages=[ALICE])
    lead = changed.get("messages", [])

    ask(web, **{**changed, "messages": [*lead, ALICE, said(answer), WHO]})

    assert turns(sim)[1].json["chat_id"] != turns(sim)[0].json["chat_id"]


def test_two_new_messages_begin_anew(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, messages=[ALICE])

    ask(web, messages=[ALICE, said(answer), {"role": "user", "content": "Well?"}, WHO])

    assert "Well?" in message(turns(sim)[1])["content"]
    assert turns(sim)[1].json["parent_id"] is None


async def test_ten_conversations_that_begin_alike_are_not_mixed_up(web: Mitm, sim: Simulator) -> None:
    """All begin with the same question and get the same answer; then each says something of its own."""
    sim.web.say("Hello.", thoughts="", times=10)
    sim.state.pace = 0.002

    async def talk(number: int) -> None:
        conversation: list[Any] = [{"role": "user", "content": "Hi"}]
        for turn in range(4):
            answer = await client.chat.completions.create(model="qwen3.7-plus", messages=conversation)
            text = answer.choices[0].message.content or ""
            if turn:
                assert text.endswith(f"Number {number}, turn {turn}”"), text
                assert set(re.findall(r"Number (\d)", text)) == {str(number)}, text
            conversation.append({"role": "assistant", "content": text})
            conversation.append({"role": "user", "content": f"Number {number}, turn {turn + 1}"})

    async with openai(web) as client:
        await asyncio.gather(*(talk(number) for number in range(10)))

    for chat in sim.web.chats:
        texts = " ".join(str(each["content"]) for each in chat.messages.values() if each["role"] == "user")
        numbers = {word.rstrip(",") for before, word in zip(texts.split(), texts.split()[1:], strict=False)
                   if before == "Number"}  # fmt: skip
        assert len(numbers) <= 1, f"one chat has the turns of {numbers}"
    continued = [turn for turn in turns(sim) if turn.json["parent_id"] is not None]
    assert len(continued) >= 20, "most turns went on with their chats"


async def test_two_calls_at_once_on_one_history_get_a_chat_each(web: Mitm, sim: Simulator) -> None:
    answer = await asyncio.to_thread(ask, web, messages=[ALICE])
    sim.state.pace = 0.01
    history = [ALICE, said(answer)]

    both = [[*history, {"role": "user", "content": text}] for text in ("Left?", "Right?")]
    async with openai(web) as client:
        await asyncio.gather(*(client.chat.completions.create(model="qwen3.7-plus", messages=each) for each in both))

    left, right = turns(sim)[1:]
    assert left.json["chat_id"] != right.json["chat_id"]
    assert {left.json["parent_id"] is None, right.json["parent_id"] is None} == {True, False}


@pytest.mark.parametrize("fault", ["web-wrong-parent", "web-chat-not-found", "web-in-progress"])
def test_a_chat_that_cannot_go_on_is_replaced_unnoticed(web: Mitm, sim: Simulator, fault: str) -> None:
    answer = ask(web, messages=[ALICE])
    history = [ALICE, said(answer), WHO]
    sim.script([{"fault": fault, "path": "/chat/completions", "times": 2 if fault == "web-in-progress" else 1}])

    second = ask(web, messages=history)
    third = ask(web, messages=[*history, said(second), {"role": "user", "content": "And yours?"}])

    assert second.status_code == third.status_code == 200
    replaced, last = turns(sim)[-2:]
    assert "My name is Alice" in message(replaced)["content"]
    assert message(last)["content"] == "And yours?"
    assert last.json["chat_id"] == replaced.json["chat_id"]


def test_a_chat_that_was_deleted_on_the_page_is_replaced(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, messages=[ALICE])
    sim.web.chats.clear()

    second = ask(web, messages=[ALICE, said(answer), WHO])

    assert second.status_code == 200
    assert "My name is Alice" in message(turns(sim)[-1])["content"]


def test_a_call_that_failed_can_be_made_again_in_its_chat(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, messages=[ALICE])
    history = [ALICE, said(answer), WHO]
    sim.script([{"fault": "web-context-length", "path": "/chat/completions"}])

    assert ask(web, messages=history).status_code == 400
    assert ask(web, messages=history).status_code == 200

    assert turns(sim)[-1].json["parent_id"] == turns(sim)[-2].json["parent_id"] is not None


def test_an_answer_that_was_cut_is_not_gone_on_with(web: Mitm, sim: Simulator) -> None:
    sim.web.say("one two three four five six", thoughts="")
    answer = ask(web, messages=[ALICE], max_tokens=2)

    ask(web, messages=[ALICE, said(answer), WHO])

    assert turns(sim)[-1].json["chat_id"] != turns(sim)[0].json["chat_id"]


def test_chats_are_deleted_there_when_they_are_forgotten_and_the_operator_wants_that(
    starter: Starter, sim: Simulator
) -> None:
    with starter("web-delete", options={"qwen_session_timeout": 1, "qwen_delete_chats": "true"}) as gateway:
        add_session(gateway, "me", browser_session(sim, "dora", life=86_400), sim.url("web"))
        wait_until(lambda: ask(gateway, messages=[ALICE]).status_code == 200, 10, "the session was not noticed")
        sim.web.say("one two three four five six", thoughts="")
        ask(gateway, messages=[ALICE], max_tokens=2)  # nobody can go on with this one

        wait_until(lambda: len(sim.web.chats.deleted) == 2, 15, lambda: str(sim.web.chats.deleted))

    assert len(sim.web.chats) == 0


def test_the_other_reading_of_the_parent(starter: Starter, sim: Simulator) -> None:
    sim.web.mood.parent = "user"
    try:
        with starter("web-parent", options={"qwen_web_parent": "question"}) as gateway:
            add_session(gateway, "me", browser_session(sim, "erin", life=86_400), sim.url("web"))
            wait_until(lambda: ask(gateway, messages=[WHO]).status_code == 200, 10, "the session was not noticed")
            answer = ask(gateway, messages=[ALICE])
            second = ask(gateway, messages=[ALICE, said(answer), WHO])
    finally:
        sim.web.mood.parent = "response"

    assert second.status_code == 200
    assert message(turns(sim)[-1])["content"] == "What is my name?"


def test_a_conversation_goes_on_after_a_restart_and_in_another_gateway(starter: Starter, sim: Simulator) -> None:
    gateway = starter("web-restart")
    add_session(gateway, "me", browser_session(sim, "fred", life=86_400), sim.url("web"))
    with gateway:
        wait_until(lambda: ask(gateway, messages=[WHO]).status_code == 200, 10, "the session was not noticed")
        first = ask(gateway, messages=[ALICE])
    history = [ALICE, said(first), WHO]
    other = starter("web-other", environ={"DATABASE_PATH": str(gateway.home / "ledger.db")})
    add_session(other, "me", browser_session(sim, "fred", life=86_400), sim.url("web"))

    with gateway:
        second = ask(gateway, messages=history)
    with other:
        third = ask(other, messages=[*history, said(second), {"role": "user", "content": "And yours?"}])

    assert [message(turn)["content"] for turn in turns(sim)[-2:]] == ["What is my name?", "And yours?"]
    assert "turn 3 of this chat" in said(third)["content"]
