"""A lane past mitmproxy's layers, for ordinary calls.

A small call over a kept connection is some sixty events between seven layers: a third of what it costs. Here an
ordinary request (`plain_request.py`) to a reverse listener, at an endpoint whose calls a model answers, is read off the
connection's bytes; the same hooks are told in the same order of a flow that looks the same, and the answer goes to the
socket (`passage.py`). Whatever is not ordinary goes to the layers, byte for byte: before a request is whole, nothing is
decided. What we rely on (mitmproxy 12.2, `tests/test_lane.py` holds it to that):

* every event of a connection comes through `handler.layer.handle_event`, the client's bytes as `DataReceived`; layers
  that were given nothing of a request cannot tell that there was one;
* between two requests `Http1Server` is at `read_headers` with an empty `buf`, and `HttpLayer.streams` is empty;
* a client that closes its side is taken for gone, whatever it might still read.
"""

import time
from asyncio import StreamWriter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Self

from mitmproxy import ctx, http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils, human

from qwen_gateway.passage import Passage
from qwen_gateway.plain_request import START, Head, read_head
from qwen_gateway.prompt_hooks import Tell
from qwen_gateway.pseudo import headers_of, pseudo_server
from qwen_gateway.router import CALLS, route

LIMIT = 16 * 1024 * 1024
"""Bytes of a body that are waited for here. Of a longer one the layers show the head before the body has come."""

ROOM = 64 * 1024
"""Bytes beside a body of the longest kind that may wait behind a call; who sends more is cut off."""

Owners = Callable[[], Iterator[HttpLayer]]
"""Gives the HTTP layers of the connection that are alive."""


class Lane:
    """The lane of one client connection.

    Attributes:
        passage: the call that is on it, None when it is free.

    Args:
        tell: tells a hook's listeners; see `PromptHooks`.
        limit: bytes of the longest body that is taken.
        fresh: whether the layers would take the first bytes for HTTP for certain.
    """

    def __init__(
        self, handler: ConnectionHandler, writer: StreamWriter, tell: Tell, owners: Owners, *, limit: int, fresh: bool
    ) -> None:
        mode = handler.client.proxy_mode
        assert isinstance(mode, ReverseMode)
        self.client = handler.client
        self.passage: Passage | None = None
        self._handler = handler
        self._writer = writer
        self._tell = tell
        self._owners = owners
        self._limit = limit
        self._idle = fresh  # the layers have seen nothing that they are not done with
        self._held = bytearray()
        self._wanted = 0
        self._address, self._tls = mode.address, mode.scheme == "https"
        self._server: Server | None = None

    @classmethod
    def beside(cls, handler: ConnectionHandler, tell: Tell, owners: Owners) -> Self | None:
        """The lane of a connection that has just been made; None when it cannot have one."""
        mode, options = handler.client.proxy_mode, ctx.options
        writer = handler.transports[handler.client].writer
        if not isinstance(mode, ReverseMode) or mode.scheme not in ("http", "https"):
            return None
        if not isinstance(writer, StreamWriter) or options.stream_large_bodies or options.store_streamed_bodies:
            return None
        limit = min(LIMIT, human.parse_size(options.body_size_limit) or LIMIT)
        chosen = options.ignore_hosts or options.tcp_hosts
        return cls(handler, writer, tell, owners, limit=limit, fresh=not chosen)

    @property
    def busy(self) -> bool:
        """Whether a call that came in whole is not answered in full."""
        return self.passage is not None

    @property
    def unsent(self) -> int:
        """Bytes for the client that have not left the process."""
        return self._writer.transport.get_write_buffer_size()

    def take(self, event: events.Event) -> Sequence[events.Event]:
        """Take an ordinary request, or a part of one; what the layers get instead of the event."""
        if isinstance(event, events.DataReceived):
            return self._data(event) if event.connection is self.client else (event,)
        if isinstance(event, events.ConnectionClosed) and event.connection is self.client:
            return self._closed(event)
        return (event,)

    def _data(self, event: events.DataReceived) -> Sequence[events.Event]:
        data = event.data
        if self._held or self.passage is not None:
            self._held += data
            if self.passage is not None:
                if len(self._held) > self._limit + ROOM:
                    self._held.clear()
                    self._handler.close_connection(self.client)
                return ()
            if len(self._held) < self._wanted:
                return ()
            data = bytes(self._held)
            self._held.clear()
        if data.startswith(START) and (end := data.find(b"\r\n\r\n") + 4) > 3 and self._layers_wait():
            head = read_head(data[:end])
            if head is not None and head.length <= self._limit and is_call(head.path):
                self._wanted = end + head.length
                if len(data) == self._wanted:
                    self._begin(head, data[end:])
                    return ()
                if len(data) < self._wanted:
                    self._held += data
                    return ()
        self._idle = False
        return (event if data is event.data else events.DataReceived(self.client, data),)

    def _layers_wait(self) -> bool:
        """Whether the layers are between two requests."""
        if self.client.tls:
            return False  # what is in clear on such a connection is not the client's
        if not self._idle:
            for owner in self._owners():
                server = getattr(owner.connections.get(self.client), "_child", None)
                self._idle = (
                    isinstance(server, Http1Server)
                    and server.state == server.read_headers
                    and not server.buf
                    and not owner.streams
                )
        return self._idle

    def _closed(self, event: events.ConnectionClosed) -> Sequence[events.Event]:
        held = bytes(self._held)
        self._held.clear()
        if self.passage is not None:
            self.passage.leave()
            return (event,)
        return (events.DataReceived(self.client, held), event) if held else (event,)

    def _begin(self, head: Head, body: bytes) -> None:
        """Make a flow of a request, and a task that brings it to its end."""
        if self._server is None:
            self._server = pseudo_server(self._address, tls=self._tls)
        scheme = b"https" if self._tls else b"http"
        flow = http.HTTPFlow(self.client, self._server, live=True)
        flow.request = http.Request(
            *self._address, b"POST", scheme, b"", head.path, b"HTTP/1.1", headers_of(head.fields), None, None,
            time.time(), None,
        )  # fmt: skip
        self.passage = Passage(self._handler, self._writer, flow, self._tell, self._over)
        asyncio_utils.create_task(self.passage.run(body), name="qwen call", keep_ref=True, client=self.client.peername)

    def _over(self) -> None:
        """The call is at its end; what came in meanwhile is looked at."""
        self.passage = None
        self._wanted = 0
        if self.client.state is not ConnectionState.OPEN:
            self._held.clear()  # the answer to what stands behind would be taken for the end of this one, or for it
        elif self._held:
            again = self._handler.server_event(events.DataReceived(self.client, b""))
            asyncio_utils.create_task(again, name="qwen call", keep_ref=True, client=self.client.peername)


@lru_cache(maxsize=64)
def is_call(path: bytes) -> bool:
    """Whether it is an endpoint whose calls a model answers."""
    return route(path.decode(), "POST").surface in CALLS
