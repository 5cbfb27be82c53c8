"""What our own ends of mitmproxy's connections are made of: heads of responses, servers that are nowhere, handlers."""

import time
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.net.http import status_codes
from mitmproxy.proxy.server import ConnectionHandler

from qwen_gateway.engine.delivery import Headers

Fields = tuple[tuple[bytes, bytes], ...]


def headers_of(fields: Fields) -> http.Headers:
    """Headers of fields that are known to be bytes: the constructor looks at each, and updates itself with nothing."""
    headers = http.Headers.__new__(http.Headers)
    headers.fields = fields
    return headers


def header(message: http.Message, name: bytes) -> str:
    """A header as `Headers.get` gives it, in a fifth of its time; empty when there is none. The name in lower case."""
    found = [value for field, value in message.headers.fields if field.lower() == name]
    return b", ".join(found).decode("utf-8", "surrogateescape") if found else ""


def response_of(version: bytes, status: int, headers: Headers) -> http.Response:
    """The head of a response as a flow has it."""
    reason = b"" if version == b"HTTP/2.0" else status_codes.RESPONSES.get(status, "").encode()
    fields = tuple([(name.encode(), value.encode("latin-1", "replace")) for name, value in headers])
    return http.Response(version, status, reason, headers_of(fields), None, None, time.time(), None)


def pseudo_server(address: tuple[str, int], *, tls: bool, **known: Any) -> Server:
    """A connection that looks open and is to nowhere."""
    server = Server(address=address, tls=tls, **known)
    server.state = ConnectionState.OPEN
    server.alpn = b"h2"  # one connection for all streams of the client, as HTTP/2 would have it
    server.timestamp_start = server.timestamp_tcp_setup = time.time()
    server.peername = server.sockname = None
    return server


def handler_of(client: Client) -> ConnectionHandler:
    """The handler of a live client connection, from mitmproxy's own table (as `Proxyserver.inject_event` finds it)."""
    proxyserver = ctx.master.addons.get("proxyserver")
    handler = proxyserver.connections.get(client.id)
    if handler is None:
        raise LookupError("the client's connection is gone")
    assert isinstance(handler, ConnectionHandler)
    return handler
