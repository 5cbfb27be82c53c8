"""The upstream side of mitmproxy's HTTP layer, played by our own tasks. Its insides are known here and to error_pages.

mitmproxy can neither stream an answer that an addon makes nor try again before the first byte. So for a call of ours we
put a pseudo connection into the HTTP layer's table of connections; the layer takes it for an open connection to the
upstream, sends the request there, and a task of ours answers. What we rely on (mitmproxy 12.2, `tests/test_leg.py`
holds it to that):

* the `next_layer` hook shows every layer chosen for a connection, `HttpLayer` among them, linked by `child_layer`;
* `HttpLayer.connections` maps connections to layers; `get_connection` reuses an open `Server` of the wanted address;
* `HttpLayer.streams` holds the `HttpStream`s, each with its `flow`;
* an `events.ConnectionEvent` given to `ConnectionHandler.server_event` reaches the layer registered for its connection,
  through every outer layer that knows the connection (`CONNECT`: an outer `HttpLayer` and its `HttpStream`);
* what an HTTP/2 client's window has no room for waits in `Http2Server.h2_conn.stream_buffers`;
* a client that goes away becomes `RequestProtocolError` on the pseudo connection;
* `Http1Server` looks at the request's own headers to see whether the connection ends with the answer.
"""

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.net.http import http1, status_codes
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.commands import Command
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, HttpStream
from mitmproxy.proxy.layers.http._base import HttpConnection, HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

from qwen_gateway.engine.delivery import Headers
from qwen_gateway.error_pages import ErrorPages
from qwen_gateway.shortcut import open_writer, plain_socket

Serve = Callable[["LegClient"], Awaitable[None]]
"""Answers one request through the client it is given."""

UNSENT_LIMIT, UNSENT_PAUSE = 256 * 1024, 0.02
"""Bytes that may wait for an HTTP/2 client's window, and seconds between looks whether there is room again."""

TORN = ErrorCode.CANCEL
"""How a stream without an end is cut: the connection (HTTP/1) or the stream (HTTP/2); nothing looks complete."""


@dataclass
class Arrived(events.ConnectionEvent):
    """Our task has something for the stream behind the pseudo connection."""

    http: HttpEvent


class Leg(HttpConnection):
    """The layer of one pseudo connection: requests start tasks, what the tasks have becomes events."""

    def __init__(self, context: Any, server: Server, handler: ConnectionHandler, owner: HttpLayer) -> None:
        super().__init__(context, server)
        self._handler = handler
        self._owner = owner
        self._waiting: dict[int, http.Request] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.serves: weakref.WeakKeyDictionary[http.Request, Serve] = weakref.WeakKeyDictionary()

    def _handle_event(self, event: events.Event) -> Iterator[Command]:  # type: ignore[override]
        if isinstance(event, Arrived):
            yield ReceiveHttp(event.http)
        elif isinstance(event, RequestHeaders):
            self._waiting[event.stream_id] = event.request
        elif isinstance(event, RequestEndOfMessage):
            request = self._waiting.pop(event.stream_id)
            self._start(event.stream_id, request)
        elif isinstance(event, RequestProtocolError):
            self._waiting.pop(event.stream_id, None)
            if task := self._tasks.get(event.stream_id):
                task.cancel("the client went away")

    def _start(self, stream_id: int, request: http.Request) -> None:
        serve = self.serves.pop(request)
        assert isinstance(self.conn, Server)
        client = LegClient(self._handler, self.conn, stream_id, request, self._owner)
        task = asyncio_utils.create_task(
            self._run(serve, client), name="qwen exchange", keep_ref=True, client=self._handler.client.peername
        )
        self._tasks[stream_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(stream_id, None))

    async def _run(self, serve: Serve, client: "LegClient") -> None:
        try:
            await serve(client)
        finally:
            await client.close()


class LegClient:
    """The client of one exchange, seen from our task: see `engine.delivery.Client`."""

    def __init__(
        self, handler: ConnectionHandler, server: Server, stream_id: int, request: http.Request, owner: HttpLayer
    ) -> None:
        self._handler = handler
        self._owner = owner
        self._server = server
        self._stream_id = stream_id
        self._request = request
        # The flow's request is rewritten to the upstream's before there is an answer; this must be read off now.
        self._last = not request.is_http2 and http1.connection_close(request.http_version, request.headers)
        self._old = request.http_version == "HTTP/1.0"
        self._ended = False
        self._writer: asyncio.StreamWriter | None = None
        self._plain = not request.is_http2 and plain_socket(handler, owner)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the whole answer."""
        self._ended = True
        response = self._response(status, headers)
        response.headers["content-length"] = str(len(body))
        await self._give(ResponseHeaders(self._stream_id, response, not body))
        if body:
            await self._give(ResponseData(self._stream_id, body))
        await self._give(ResponseEndOfMessage(self._stream_id))

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin a stream."""
        response = self._response(status, headers)
        if not self._request.is_http2 and not self._old:  # an old client reads until the connection ends
            response.headers["transfer-encoding"] = "chunked"
        response.stream = True
        await self._give(ResponseHeaders(self._stream_id, response, False))

    def _response(self, status: int, headers: Headers) -> http.Response:
        now = time.time()
        if self._last:
            headers = [*headers, ("connection", "close")]
        return http.Response(
            self._request.data.http_version,
            status,
            b"" if self._request.is_http2 else status_codes.RESPONSES.get(status, "").encode(),
            http.Headers([(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]),
            None,
            None,
            now,
            None,
        )

    def send_now(self, data: bytes) -> bool:
        """Send bytes if that needs no waiting; else nothing happened and they must be sent by `send`."""
        writer = self._writer
        if writer is None:
            if not self._plain:
                return False
            writer = self._writer = open_writer(self._handler, self._owner, self._stream_id)
            if writer is None:
                return False
        if writer.transport.get_write_buffer_size():
            return False
        self._write(writer, data)
        return True

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if data and not writer.transport.is_closing():  # an empty chunk would be the last one
            self._handler.timeout_watchdog.register_activity()
            writer.transport.write(data if self._old else b"%x\r\n%b\r\n" % (len(data), data))

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while the client is slower than we are."""
        if self._writer is not None:
            self._write(self._writer, data)
        else:
            await self._give(ResponseData(self._stream_id, data))
        await self._handler.drain_writers()
        if self._request.is_http2:
            while self._unsent() > UNSENT_LIMIT:  # noqa: ASYNC110 - h2 tells nobody that a window opened
                await asyncio.sleep(UNSENT_PAUSE)

    def _unsent(self) -> int:
        """Bytes that an HTTP/2 client's window has no room for: mitmproxy keeps them, and they are no socket's."""
        connection = getattr(self._owner.connections.get(self._handler.client), "h2_conn", None)
        buffered = connection.stream_buffers.get(self._stream_id) if connection is not None else None
        return sum(len(piece.data) for piece in buffered) if buffered else 0

    async def end(self, *, torn: bool) -> None:
        """The answer is complete, or cut so that no client takes it for complete."""
        if self._ended:
            return
        self._ended = True
        await self._give(
            ResponseProtocolError(self._stream_id, "the upstream's answer broke off", TORN)
            if torn
            else ResponseEndOfMessage(self._stream_id)
        )

    async def close(self) -> None:
        """Whatever happened, the stream ends: a task that stopped without an end tears it."""
        await self.end(torn=True)

    async def _give(self, event: HttpEvent) -> None:
        await self._handler.server_event(Arrived(self._server, event))


Hidden = weakref.WeakKeyDictionary[http.Request, dict[str, str]]


class Courier:
    """Stands before a real server's layer: what was hidden from the flow joins the request on its way out."""

    def __init__(self, child: layer.Layer, hidden: Hidden) -> None:
        self._child = child
        self._hidden = hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._child, name)

    def handle_event(self, event: events.Event) -> Iterator[Command]:
        """Pass everything on; request heads with what belongs to them."""
        if isinstance(event, RequestHeaders) and (secrets := self._hidden.pop(event.request, None)):
            request = event.request.copy()
            for name, value in secrets.items():
                request.headers[name] = value
            event = RequestHeaders(event.stream_id, request, event.end_stream, event.replay_flow)
        yield from self._child.handle_event(event)


class Legs:
    """Puts pseudo connections in place. One for the gateway; `watch` sees every HTTP layer, `attach` uses it."""

    def __init__(self) -> None:
        self._layers: weakref.WeakKeyDictionary[Client, list[weakref.ref[HttpLayer]]] = weakref.WeakKeyDictionary()
        self._hidden: Hidden = weakref.WeakKeyDictionary()

    def hurry(self, nextlayer: layer.NextLayer) -> None:
        """Choose where mitmproxy waits for a head's end to see its host: past the limit `ErrorPages` refuses it."""
        reverse = isinstance(nextlayer.context.client.proxy_mode, ReverseMode)
        if nextlayer.layer is None and reverse and len(nextlayer.data_client()) > ErrorPages.HEAD_LIMIT:
            nextlayer.layer = HttpLayer(nextlayer.context, HTTPMode.transparent)

    def watch(self, nextlayer: layer.NextLayer, errors: Callable[[HttpLayer], bool]) -> None:
        """Remember the HTTP layers among those just chosen; `errors` says which get OpenAI's error pages."""
        chosen = nextlayer.layer
        while chosen is not None:
            if isinstance(chosen, HttpLayer):
                self._remember(nextlayer.context.client, chosen)
                if errors(chosen):
                    pages = ErrorPages(chosen.context)
                    chosen.connections.setdefault(chosen.context.client, pages)  # type: ignore[arg-type]
            chosen = getattr(chosen, "child_layer", None)

    def _remember(self, client: Client, found: HttpLayer) -> None:
        known = self._layers.setdefault(client, [])
        if all(owner() is not found for owner in known):
            known.append(weakref.ref(found))

    def _owners(self, client: Client) -> Iterator[HttpLayer]:
        """The HTTP layers of a connection that are alive."""
        for known in self._layers.get(client, ()):
            if (owner := known()) is not None:
                yield owner

    def attach(self, flow: http.HTTPFlow, serve: Serve) -> None:
        """Have `serve` answer this flow instead of a server.

        Raises:
            LookupError: the flow has no live stream (a replay; see `gateway`).
        """
        owner = self._layer_of(flow)
        handler = handler_of(flow.client_conn)
        server = self._server(owner, flow, handler)
        leg = owner.connections[server]
        assert isinstance(leg, Leg)
        leg.serves[flow.request] = serve

    def hide(self, flow: http.HTTPFlow, secrets: dict[str, str]) -> None:
        """Keep these headers out of a flow that passes through to a real server; `Courier` adds them on the way."""
        self._hidden[flow.request] = secrets
        for owner in self._owners(flow.client_conn):
            for connection in list(owner.connections):
                if isinstance(connection, Server):
                    self.seal(flow.client_conn, connection)

    def seal(self, client: Client, server: Server) -> None:
        """Put a courier before the layer of a real server."""
        for owner in self._owners(client):
            child = owner.connections.get(server)
            if child is not None and not isinstance(child, Leg | Courier):
                owner.connections[server] = Courier(child, self._hidden)  # type: ignore[assignment]

    def layers(self) -> Iterator[HttpLayer]:
        """Every HTTP layer of the connections that are there."""
        for client in list(self._layers):
            yield from self._owners(client)

    def _layer_of(self, flow: http.HTTPFlow) -> HttpLayer:
        for candidate in self._owners(flow.client_conn):
            for stream in candidate.streams.values():
                if getattr(stream, "flow", None) is flow:
                    return candidate
        raise LookupError("the flow has no live stream")

    def _server(self, owner: HttpLayer, flow: http.HTTPFlow, handler: ConnectionHandler) -> Server:
        """The pseudo connection for the flow's destination, made once per client connection."""
        address = (flow.request.host, flow.request.port)
        tls = flow.request.scheme == "https"
        via, protocol = flow.server_conn.via, flow.server_conn.transport_protocol
        for known, child in owner.connections.items():
            if isinstance(known, Server) and isinstance(child, Leg) and known.address == address and known.tls == tls:
                return known
        server = Server(address=address, tls=tls, via=via, transport_protocol=protocol)
        server.state = ConnectionState.OPEN
        server.alpn = b"h2"  # one connection for all streams of the client, as HTTP/2 would have it
        server.timestamp_start = server.timestamp_tcp_setup = time.time()
        server.peername = server.sockname = None
        owner.connections[server] = Leg(owner.context.fork(), server, handler, owner)
        outer: layer.Layer | None = None
        for inner in owner.context.layers:
            if inner is owner:
                break
            if isinstance(inner, HttpStream) and isinstance(outer, HttpLayer):
                outer.connections[server] = inner  # so that events find their way in through a CONNECT
            outer = inner
        return server


def handler_of(client: Client) -> ConnectionHandler:
    """The handler of a live client connection, from mitmproxy's own table (as `Proxyserver.inject_event` finds it)."""
    proxyserver = ctx.master.addons.get("proxyserver")
    handler = proxyserver.connections.get(client.id)
    if handler is None:
        raise LookupError("the client's connection is gone")
    assert isinstance(handler, ConnectionHandler)
    return handler
