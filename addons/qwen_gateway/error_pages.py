"""mitmproxy's own HTML error pages, in OpenAI's form. What we rely on (mitmproxy 12.2, held to by `tests/test_leg.py`):

* errors that mitmproxy makes itself go to the client's layer as `ResponseProtocolError`, and those about a request's
  head to the client as one `SendData`;
* `Http1Server` gathers a request's head in `buf` while its `state` is `read_headers`.
"""

import html
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from mitmproxy import http
from mitmproxy.net.http import status_codes
from mitmproxy.proxy import events
from mitmproxy.proxy.commands import CloseConnection, Command, SendData
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import is_h3_alpn
from mitmproxy.proxy.layers.http._base import HttpConnection
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.proxy.layers.http._http3 import Http3Server

from qwen_gateway.openai.errors import OpenAIError


class ErrorPages:
    """Stands before the client's layer and turns mitmproxy's own HTML error pages into OpenAI's form.

    `HttpLayer` takes a layer for the client that is there already ("may have been set by client playback"); which
    protocol it is for is known only when the layer starts.
    """

    CODES: ClassVar[dict[ErrorCode, tuple[int, str, str]]] = {
        ErrorCode.REQUEST_TOO_LARGE: (413, "invalid_request_error", "request_too_large"),
        ErrorCode.RESPONSE_TOO_LARGE: (502, "server_error", "upstream_malformed"),
        ErrorCode.REQUEST_VALIDATION_FAILED: (400, "invalid_request_error", "invalid_request"),
        ErrorCode.DESTINATION_UNKNOWN: (400, "invalid_request_error", "invalid_request"),
        ErrorCode.GENERIC_CLIENT_ERROR: (400, "invalid_request_error", "invalid_request"),
        ErrorCode.CONNECT_FAILED: (502, "server_error", "upstream_unreachable"),
        ErrorCode.GENERIC_SERVER_ERROR: (502, "server_error", "upstream_torn"),
        ErrorCode.RESPONSE_VALIDATION_FAILED: (502, "server_error", "upstream_malformed"),
    }

    HEAD_LIMIT = 128 * 1024
    """Bytes of a request's head over HTTP/1, which mitmproxy would gather without end; HTTP/2 has its own limit."""

    PATIENCE = 8 * 1024 * 1024
    """Bytes that are read and thrown away after that: closing at once would take the error back (RST)."""

    HTML = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\nServer: mitmproxy [^\r]*\r\n.*?<p>(.*?)</p>", re.DOTALL)
    """What mitmproxy sends when it cannot read a request's head."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._child: HttpConnection | None = None
        self._begun: set[int] = set()
        self._closed = False
        self._thrown_away = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._child, name)

    def _protocol(self) -> HttpConnection:
        """The client's layer, chosen as `HttpLayer` chooses it."""
        alpn = self._context.client.alpn
        if is_h3_alpn(alpn):
            return Http3Server(self._context.fork())
        return Http2Server(self._context.fork()) if alpn == b"h2" else Http1Server(self._context.fork())

    def handle_event(self, event: events.Event) -> Iterator[Command]:
        """Pass everything on but an error page that would be HTML."""
        if isinstance(event, ResponseData) and self._child is not None:  # each chunk of a stream: nothing to look for
            yield from self._child.handle_event(event)
            return
        if self._child is None:
            self._child = self._protocol()
        if isinstance(event, events.DataReceived) and self._head_without_end():
            yield from self._refuse_head(event)
            return
        if isinstance(event, ResponseHeaders):
            if event.response.status_code >= 200:
                self._begun.add(event.stream_id)
        elif isinstance(event, ResponseEndOfMessage):
            self._begun.discard(event.stream_id)
        elif isinstance(event, ResponseProtocolError):
            known = self.CODES.get(event.code)
            if known and event.stream_id not in self._begun and not self._closed:
                yield from self._page(event, *known)
                return
            self._begun.discard(event.stream_id)
        yield from self._pass_on(event)

    def _pass_on(self, event: events.Event) -> Iterator[Command]:
        """Let the client's layer take the event; a page in HTML becomes one in JSON."""
        assert self._child is not None
        for command in self._child.handle_event(event):
            if isinstance(command, SendData) and (found := self.HTML.match(command.data)):
                said = html.unescape(found[2].decode("utf-8", "replace")).rstrip(".")
                yield SendData(command.connection, plain_error(int(found[1]), f"{said[:300]}."))
                continue
            if isinstance(command, CloseConnection):
                self._closed = True
            yield command

    def _head_without_end(self) -> bool:
        child = self._child
        return isinstance(child, Http1Server) and child.state == child.read_headers and len(child.buf) > self.HEAD_LIMIT

    def _refuse_head(self, event: events.DataReceived) -> Iterator[Command]:
        """Once; what comes after it is thrown away."""
        if not self._closed:
            self._closed = True
            said = f"The headers have more than {self.HEAD_LIMIT} bytes."
            yield SendData(self._context.client, plain_error(431, said, code="headers_too_large"))
        self._thrown_away += len(event.data)
        if self._thrown_away > self.PATIENCE:
            yield CloseConnection(self._context.client)

    def _page(self, event: ResponseProtocolError, status: int, kind: str, code: str) -> Iterator[Command]:
        multiplexed = self._context.client.alpn not in (None, b"", b"http/1.1")
        body = OpenAIError(f"{event.message.rstrip('.')}.", status=status, type=kind, code=code).encode()
        response = http.Response.make(status, body, {"content-type": "application/json"})
        if multiplexed:
            response.data.http_version = b"HTTP/2.0"
        else:
            response.headers["connection"] = "close"
        for part in (ResponseHeaders(event.stream_id, response, False), ResponseData(event.stream_id, body)):
            yield from self._pass_on(part)
        # Half a request may still be coming. The page is complete by its length; over HTTP/1 the connection closes.
        last = ResponseEndOfMessage(event.stream_id) if multiplexed else event
        yield from self._pass_on(last)


def plain_error(status: int, message: str, *, code: str = "invalid_request") -> bytes:
    """An error as the bytes of the last answer on a connection of HTTP/1."""
    body = OpenAIError(message, status=status, type="invalid_request_error", code=code).encode()
    reason = status_codes.RESPONSES.get(status, "")
    head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body
