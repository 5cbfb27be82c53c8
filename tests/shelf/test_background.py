"""Responses in the making: followed by several at once, from anywhere, and known when their process is gone."""

import asyncio
import os

from qwen_gateway.codec.deltas import Finish, Text
from qwen_gateway.exchange import Exchange
from qwen_gateway.ledger import objects
from qwen_gateway.ledger.identity import machine
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.responses_stream import ResponsesStream
from qwen_gateway.shelf import background
from qwen_gateway.shelf.background import LONGEST, Background, Running, lost, split
from qwen_gateway.shelf.shelf import Shelf
from tests.openai.responding import SEAL, call, judged


def running(shelf: Shelf) -> tuple[Background, Running, ResponsesStream]:
    parsed = call(background=True)
    parsed.stream = True
    writer = ResponsesStream(parsed, Dress(), SEAL)
    making = Background(shelf)
    return making, making.begin(Exchange(parsed), parsed, writer, ""), writer


async def collected(one: Running, after: int = -1) -> bytes:
    return b"".join([piece async for piece in one.follow(after, 5.0)])


async def test_followers_see_the_same_events_whenever_they_come(shelf: Shelf) -> None:
    making, one, writer = running(shelf)
    early = asyncio.create_task(collected(one))
    for word in ("a", "b", "c"):
        await asyncio.sleep(0)
        await one.send(writer.write([Text(word)]))
    late = asyncio.create_task(collected(one, 4))
    await one.send(writer.write([Finish("stop")]) + writer.end())
    making.end(one)

    events = judged(await early)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert split(await late) == one.events[5:]
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "abc"


async def test_silence_is_filled_with_comments(shelf: Shelf) -> None:
    making, one, _ = running(shelf)
    pieces = one.follow(len(one.events) - 1, 0.01)

    assert await anext(pieces) == b": keep-alive\n\n"
    making.end(one)


async def test_one_that_ends_without_a_word_was_cancelled(shelf: Shelf) -> None:
    making, one, _ = running(shelf)
    assert making.find(one.call.id, "") is one
    assert making.find(one.call.id, "bob") is None

    making.end(one)

    assert one.response["status"] == "cancelled"
    assert making.find(one.call.id, "") is None


def test_it_is_lost_with_its_process() -> None:
    def kept(status: str, pid: int, where: str) -> objects.Stored:
        holder = {"machine": where, "pid": pid}
        return objects.Stored("resp_1", "response", {"response": {"status": status}, "holder": holder}, 1000.0)

    here = machine()
    gone = 2**22 + 1  # no process has such a number
    assert lost(kept("in_progress", gone, here), 1001.0)
    assert lost(kept("queued", os.getpid(), here), 1001.0)  # this process would know it
    assert not lost(kept("in_progress", os.getppid(), here), 1001.0)
    assert not lost(kept("in_progress", gone, "another"), 1001.0)
    assert lost(kept("in_progress", gone, "another"), 1001.0 + LONGEST)
    assert not lost(kept("completed", gone, here), 1001.0)
    assert background.interrupted({"status": "queued"})["status"] == "failed"
