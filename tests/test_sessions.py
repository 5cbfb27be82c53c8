"""Conversations that are going on."""

from typing import Any

from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.sessions import IDLE, REMEMBERED, Sessions
from tests.openai.asking import call


def said(*texts: str, **fields: Any) -> ChatCall:
    roles = ("user", "assistant")
    return call(messages=[{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)], **fields)


def test_a_conversation_that_goes_on_is_one() -> None:
    sessions = Sessions()
    sessions.note(said("Hi"), 0)
    sessions.note(said("Hi", "Hello", "And now?"), 60)
    sessions.note(said("Another"), 61)
    assert sessions.active(62) == 2


def test_a_silent_one_ends() -> None:
    sessions = Sessions()
    sessions.note(said("Hi"), 0)
    sessions.note(said("Another"), 100)
    sessions.note(said("Hi", "Hello", "And now?"), IDLE - 1)
    assert sessions.active(IDLE + 101) == 1
    assert sessions.active(3 * IDLE) == 0


def test_clients_may_say_which_conversation_it_is() -> None:
    sessions = Sessions()
    sessions.note(said("Hi", prompt_cache_key="one"), 0)
    sessions.note(said("Hi", prompt_cache_key="two"), 0)
    assert sessions.active(1) == 2


def test_memory_is_bounded() -> None:
    sessions = Sessions()
    for number in range(REMEMBERED + 500):
        sessions.note(said(f"Hi {number}"), 0)
    assert sessions.active(1) == REMEMBERED
