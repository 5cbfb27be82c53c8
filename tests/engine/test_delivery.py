"""The client's end: headers held back, one begin, one end, comments in silence."""

import asyncio
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Finish, Text
from qwen_gateway.engine.delivery import Delivery, printable
from qwen_gateway.engine.limits import Limits
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from qwen_gateway.openai.chat_stream import ChatStream
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.openai.notices import Notice
from tests.engine.fakes import OK, SILENT, STREAM, THROTTLED, Client, Gateway, Script, Upstream
from tests.openai.asking import call


def delivery_to(client: Any, *, stream: bool = True, hold: float = 60, keep_alive: float = 60) -> Delivery:
    asked = call(stream=stream)
    exchange = Exchange(asked, model="qwen3.7-plus", account="a", notices=[Notice("dropped", "seed")])
    exchange.upstream_request_id = "r-1\r\nx: y"
    writer = ChatStream(asked, Dress()) if stream else ChatObject(asked, Dress())
    return Delivery(
        exchange, client, writer, hold=hold, keep_alive=keep_alive, headers=[("vary", "origin")], ended=lambda: None
    )


async def test_a_stream_begins_with_the_first_content() -> None:
    client = Client()
    delivery = delivery_to(client)

    await delivery.write([])
    assert client.events == []
    await delivery.write([Text("Hi")])
    await delivery.write([Finish("stop")])
    await delivery.finish()

    assert client.events == ["begin", "send", "send", "send", "end"]
    assert client.text == "Hi"
    assert client.header("content-type") == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize("stream", [True, False])
async def test_headers_tell_who_answered_and_what_was_changed(stream: bool) -> None:
    client = Client()
    delivery = delivery_to(client, stream=stream)
    await delivery.write([Text("Hi"), Finish("stop")])

    await delivery.finish()

    assert client.header("x-gateway-model") == "qwen3.7-plus"
    assert client.header("x-gateway-account") == "a"
    assert client.header("x-gateway-notice") == "dropped=seed"
    assert client.header("x-gateway-upstream-request-id") == "r-1__x:_y"
    assert client.header("vary") == "origin"
    assert (client.header("x-request-id") or "").startswith("req_")


async def test_an_object_goes_out_whole() -> None:
    client = Client()
    delivery = delivery_to(client, stream=False)
    await delivery.write([Text("Hi"), Finish("stop")])
    assert client.events == []

    await delivery.finish()

    assert client.events == ["whole"]
    assert client.text == "Hi"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_before_the_beginning_has_its_own_status(stream: bool) -> None:
    client = Client()

    await delivery_to(client, stream=stream).fail(UpstreamError("No.", status=429, retry_after=7, should_retry=False))

    assert client.events == ["whole"]
    assert (client.status, client.error["message"]) == (429, "No.")
    assert client.header("retry-after") == "7"
    assert client.header("x-should-retry") == "false"
    assert client.header("content-type") == "application/json"


async def test_a_failure_after_the_beginning_is_an_event() -> None:
    client = Client()
    delivery = delivery_to(client)
    await delivery.write([Text("Hi")])

    await delivery.fail(UpstreamError("No."))

    assert client.events == ["begin", "send", "send", "end"]
    assert client.error["message"] == "No."


async def test_a_long_silence_begins_the_stream_with_a_comment() -> None:
    gateway = Gateway(Upstream(Script([SILENT])), "a", limits=Limits(first=0.05, hold=0.005, keep_alive=0.01))

    served = await gateway.ask()

    assert served.client.status == 200
    assert served.client.body.count(b": keep-alive\n\n") >= 2
    assert served.client.error["code"] == "upstream_timeout"
    assert served.ended == 1


async def test_another_attempt_is_possible_behind_a_comment() -> None:
    upstream = Upstream(Script([SILENT]), OK)
    gateway = Gateway(upstream, "a", "b", limits=Limits(first=0.03, hold=0.005, keep_alive=0.01))

    served = await gateway.ask()

    assert b": keep-alive" in served.client.body
    assert served.client.text == "Hello"
    assert served.client.chunks()


async def test_silence_within_an_answer_gets_comments() -> None:
    goes_on = asyncio.Event()
    limits = Limits(hold=0.005, keep_alive=0.005)
    gateway = Gateway(Upstream(Script([*STREAM[:2], goes_on, *STREAM[2:]])), "a", limits=limits)
    client = Client()

    task = asyncio.create_task(gateway.ask(client))
    async with asyncio.timeout(1):
        while client.body.count(b": keep-alive") < 2:
            await asyncio.sleep(0.001)
    goes_on.set()
    await task

    assert client.text == "Hello"
    assert client.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("failing", [True, False])
async def test_no_comment_follows_the_end(failing: bool) -> None:
    """One whose time came in the very moment of the end would."""
    client = Client()
    delivery = delivery_to(client)
    await delivery.write([Text("Hi")])

    delivery._beat()
    await (delivery.fail(UpstreamError("No.")) if failing else delivery.finish())
    await asyncio.sleep(0.001)

    assert client.events[-1] == "end"


async def test_objects_get_no_comments() -> None:
    gateway = Gateway(Upstream(Script([SILENT])), "a", limits=Limits(first=0.02, hold=0.002, keep_alive=0.002))

    served = await gateway.ask(stream=False)

    assert served.client.events == ["whole"]
    assert served.client.status == 504


async def test_a_quick_failure_has_its_own_status() -> None:
    assert (await Gateway(Upstream(THROTTLED), "a").ask()).client.status == 429


def test_headers_carry_only_what_is_printable() -> None:
    assert printable("a b\r\n你") == "a_b___"
    assert len(printable("x" * 1_000)) == 200
