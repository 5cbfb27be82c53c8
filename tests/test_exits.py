"""What `exits.py` relies on in mitmproxy, one by one: a release that changes it fails here, by name."""

import asyncio
import inspect
import socket

import pytest
from mitmproxy import hooks
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import _http2, _http_h2
from mitmproxy.proxy.layers.http._events import ResponseEndOfMessage
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server import ConnectionIO, SimpleConnectionHandler
from mitmproxy.test import taddons
from mitmproxy.tools import main

from qwen_gateway import exits, flows
from tests.layers import Live


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


async def test_what_waits_in_a_socket_is_not_sent(testing):
    live = Live(testing)
    far, near = socket.socketpair()
    far.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=near)
    handler = SimpleConnectionHandler(reader, writer, testing.options, ProxyMode.parse("regular"), {})
    handler.transports[live.handler.client] = ConnectionIO(writer=writer)
    proxyserver = testing.master.addons.get("proxyserver")
    with proxyserver.register_connection(live.handler.client.id, handler):
        writer.write(b"x" * 4_000_000)
        held = exits.unsent(live.layer)
        async with asyncio.timeout(5):
            while exits.unsent(live.layer):
                await asyncio.get_running_loop().sock_recv(far, 1_000_000)
    writer.close()
    far.close()

    assert 0 < held < 4_000_000
    assert exits.unsent(live.layer) == 0  # of a client that is gone, too


def test_what_waits_for_a_window_of_http2_is_not_sent(testing):
    live = Live(testing)
    layer = _http2.Http2Server(live.layer.context)
    live.layer.connections[live.handler.client] = layer
    assert exits.unsent(live.layer) == 0

    layer.h2_conn.stream_buffers[1].append(_http_h2.SendH2Data(b"held", end_stream=False))

    assert exits.unsent(live.layer) == 4
