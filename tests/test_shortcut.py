"""What `shortcut.py` relies on in mitmproxy, on a real `HttpLayer`: when a stream's bytes may pass the layers by."""

import asyncio
from types import SimpleNamespace

import pytest
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.proxy.layers.http._base import HttpConnection, ReceiveHttp
from mitmproxy.proxy.layers.http._events import ResponseData, ResponseEndOfMessage, ResponseHeaders
from mitmproxy.proxy.layers.tls import ClientTLSLayer
from mitmproxy.test import taddons

from qwen_gateway.leg import Arrived
from qwen_gateway.shortcut import open_writer, plain_socket


class Pseudo(HttpConnection):
    """An upstream that swallows the request and passes on what it is given."""

    def _handle_event(self, event):
        if isinstance(event, Arrived):
            yield ReceiveHttp(event.http)


class Live:
    """A connection in the middle of a request, with the hooks answered by hand."""

    def __init__(self, testing):
        client = Client(peername=("127.0.0.1", 5), sockname=("127.0.0.1", 8080), timestamp_start=0.0)
        client.state = ConnectionState.OPEN
        made = context.Context(client, testing.options)
        made.server = Server(address=("qwen.example", 80))
        self.layer = HttpLayer(made, HTTPMode.transparent)
        self.server = Server(address=("qwen.example", 80))
        self.server.state, self.server.alpn = ConnectionState.OPEN, b"h2"
        self.layer.connections[self.server] = Pseudo(made.fork(), self.server)
        writer = asyncio.StreamWriter.__new__(asyncio.StreamWriter)
        self.handler = SimpleNamespace(client=client, transports={client: SimpleNamespace(writer=writer)})
        self.sent = b""
        self.flow = None
        self.waiting = None
        self.give(events.Start())
        self.give(events.DataReceived(client, b"GET / HTTP/1.1\r\nhost: qwen.example\r\n\r\n"))

    def give(self, event, *, hold=""):
        """Let the layer see an event; `hold` leaves the hook of that name open."""
        for command in self.layer.handle_event(event):
            if isinstance(command, commands.SendData):
                self.sent += command.data
            elif isinstance(command, commands.StartHook):
                self.flow = command.args()[0]
                if command.name == hold:
                    self.waiting = command
                elif command.blocking:
                    self.give(events.HookCompleted(command), hold=hold)

    def answer(self, event, **how):
        self.give(Arrived(self.server, event), **how)

    def head(self, **how):
        response = http.Response.make(200, b"", {"transfer-encoding": "chunked"})
        response.stream = True
        self.answer(ResponseHeaders(1, response, False), **how)

    @property
    def writer(self):
        return open_writer(self.handler, self.layer, 1)


@pytest.fixture
def testing():
    with taddons.context(Proxyserver()) as found:
        yield found


@pytest.fixture
def live(testing):
    return Live(testing)


def test_nothing_passes_by_before_the_head_is_out(live):
    assert live.writer is None

    live.head(hold="responseheaders")

    assert live.waiting is not None
    assert live.sent == b""
    assert live.writer is None


def test_nothing_passes_what_waits_for_a_hook(live):
    live.head(hold="responseheaders")
    live.answer(ResponseData(1, b"first"))
    assert live.writer is None

    live.give(events.HookCompleted(live.waiting))

    assert live.sent.endswith(b"5\r\nfirst\r\n")
    assert live.writer is live.handler.transports[live.handler.client].writer


def test_with_the_head_out_the_layers_would_only_frame_a_piece(live):
    live.head()
    before = len(live.sent)
    live.answer(ResponseData(1, b"data: x\n\n"))

    assert live.writer is not None
    assert live.sent[before:] == b"9\r\ndata: x\n\n\r\n"


def test_the_end_comes_by_the_layers_and_closes_the_way(live):
    live.head()
    live.answer(ResponseEndOfMessage(1))

    assert live.sent.endswith(b"0\r\n\r\n")
    assert live.writer is None


def test_a_function_of_another_addon_still_sees_every_piece(live):
    live.head()
    live.flow.response.stream = lambda data: data

    assert live.writer is None


def test_streams_that_are_kept_go_by_the_layers(live, testing):
    testing.options.store_streamed_bodies = True
    live.head()

    assert live.writer is None


def test_a_socket_is_plain_without_tls_before_it(live, testing):
    assert plain_socket(live.handler, live.layer)

    live.layer.context.layers.insert(0, ClientTLSLayer(live.layer.context.fork()))

    assert not plain_socket(live.handler, live.layer)


def test_a_layer_knows_whether_it_waits(live):
    stream = live.layer.streams[1]

    assert stream._paused is None
    assert not stream._paused_event_queue
    assert isinstance(stream, layer.Layer)
