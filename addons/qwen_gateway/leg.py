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
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.net.http import http1
from mitmproxy.proxy import events
from mitmproxy.proxy.commands import Command
from mitmproxy.proxy.layers.http import HttpLayer
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
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

from qwen_gateway.engine.delivery import Client as Recipient
from qwen_gateway.engine.delivery import Headers
from qwen_gateway.pseudo import response_of

Serve = Callable[[Recipient], Awaitable[None]]
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
        if self._last:
            headers = [*headers, ("connection", "close")]
        return response_of(self._request.data.http_version, status, headers)

    def send_now(self, data: bytes) -> bool:
        """Never: events wait for the connection's lock."""
        return False

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while the client is slower than we are."""
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
