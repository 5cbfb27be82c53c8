"""What `exits.py` relies on in mitmproxy, one by one: a release that changes it fails here, by name."""

import asyncio
import inspect

import pytest
from mitmproxy import hooks
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import _http2
from mitmproxy.proxy.layers.http._events import ResponseEndOfMessage
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.test import taddons
from mitmproxy.tools import main

from qwen_gateway import exits, flows
from tests.test_shortcut import Live


class Last:
    """An addon that takes its time to end."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.may_go = asyncio.Event()

    def done(self):
        return self._leave() if exits.asked() else self.said.append("removed")

    async def _leave(self):
        self.said.append("asked")
        exits.ask_again()
        while not exits.asked():
            await asyncio.sleep(0.01)
        self.said.append("asked again")
        await self.may_go.wait()


class After:
    """Comes later in the list."""

    def __init__(self) -> None:
        self.ended = False

    def done(self) -> None:
        self.ended = True


async def until(there) -> None:
    async with asyncio.timeout(5):
        while not there():
            await asyncio.sleep(0.01)


async def test_the_end_waits_for_an_addon_and_a_second_signal_is_seen():
    master, last, after = Master(Options()), Last(), After()
    master.addons.add(last, after)
    running = asyncio.create_task(master.run())
    await asyncio.sleep(0.05)

    master.shutdown()
    await until(lambda: last.said == ["asked"])
    assert not after.ended
    master.shutdown()
    await until(lambda: last.said == ["asked", "asked again"])
    assert not running.done()
    last.may_go.set()
    await running

    assert after.ended


async def test_an_addon_that_is_removed_was_not_asked_to_end():
    master, last = Master(Options()), Last()
    master.addons.add(last)

    master.addons.remove(last)

    assert last.said == ["removed"]


def test_signals_ask_the_master_to_end():
    source = inspect.getsource(main.run)

    assert "add_signal_handler(signal.SIGTERM" in source
    assert "add_signal_handler(signal.SIGINT" in source
    assert source.count("master.shutdown") == 2
    assert hooks.DoneHook.name == "done"


@pytest.fixture
def testing():
    with taddons.context(Proxyserver()) as found:
        yield found


def test_a_stream_is_there_from_its_first_line_to_its_last_byte(testing):
    live = Live(testing)
    (stream,) = live.layer.streams.values()
    assert not exits.is_call(stream)  # nobody said that it is for us

    live.flow.metadata[flows.SURFACE] = "chat"
    live.head()
    assert exits.is_call(stream)
    live.answer(ResponseEndOfMessage(1))

    assert not live.layer.streams


def test_a_body_that_is_still_coming_is_no_call_yet(testing):
    live = Live(testing)
    live.head()
    live.answer(ResponseEndOfMessage(1))
    head = b"POST / HTTP/1.1\r\nhost: qwen.example\r\ncontent-length: 2\r\n\r\n"

    live.give(events.DataReceived(live.handler.client, head + b"{"))
    (stream,) = live.layer.streams.values()
    live.flow.metadata[flows.SURFACE] = "chat"
    assert not exits.is_call(stream)
    live.give(events.DataReceived(live.handler.client, b"}"))

    assert exits.is_call(stream)


def test_what_waits_to_be_sent_can_be_seen():
    """The sockets' part is shown by `e2e/test_drain.py`, with a client that reads slowly."""
    assert "stream_buffers" in inspect.getsource(_http2.BufferedH2Connection)
    assert "h2_conn" in inspect.get_annotations(_http2.Http2Connection)
    assert "transports" in inspect.get_annotations(ConnectionHandler)
