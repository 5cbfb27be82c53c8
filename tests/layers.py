"""A connection of mitmproxy's in the middle of a request, without sockets: a real `HttpLayer`, its hooks by hand."""

import asyncio
from types import SimpleNamespace

from mitmproxy import http
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.proxy import commands, context, events
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.proxy.layers.http._base import HttpConnection, ReceiveHttp
from mitmproxy.proxy.layers.http._events import ResponseHeaders

from qwen_gateway.leg import Arrived


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
