"""What `leg.py` and `error_pages.py` rely on in mitmproxy, one by one: a release that changes it fails here, by name.

1. `HttpLayer` keeps `connections` and `streams`; an `HttpStream` has its `flow`; a layer knows its `context.layers`.
2. `HttpLayer.get_connection` reuses an open `Server` of the wanted address that is in `connections`.
3. `HttpLayer` uses a layer for the client that is there already, and otherwise makes one.
4. `ConnectionHandler` has `server_event` and `drain_writers`; `Proxyserver.connections` finds it by the client's id.
5. Client layers take `ResponseHeaders`, `ResponseData`, `ResponseEndOfMessage` and `ResponseProtocolError`, and give
   `RequestHeaders`, `RequestEndOfMessage`, `RequestProtocolError` wrapped in `ReceiveHttp` / `SendHttp`.
6. `Http1Server` gathers a head in `buf` while `state` is `read_headers`, and makes its own error pages.
7. Responses of ours are streamed: one event, one piece on the wire.
"""

import inspect

import pytest
from mitmproxy import http, options
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.proxy import commands, context, events, layer, server
from mitmproxy.proxy.layers.http import GetHttpConnection, HttpLayer, HTTPMode, HttpStream, _events
from mitmproxy.proxy.layers.http._http1 import Http1Server, make_error_response
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.test import taddons

from qwen_gateway.error_pages import ErrorPages, plain_error


@pytest.fixture
def made():
    """A context as a live connection has it."""
    with taddons.context(Proxyserver()) as testing:
        client = Client(peername=("127.0.0.1", 5), sockname=("127.0.0.1", 8080), timestamp_start=0.0)
        client.state = ConnectionState.OPEN
        yield context.Context(client, testing.options)


def bytes_of(found) -> bytes:
    """What goes to the client."""
    return b"".join(command.data for command in found if isinstance(command, commands.SendData))


def test_an_http_layer_keeps_its_connections_and_streams(made):
    found = HttpLayer(made, HTTPMode.transparent)

    assert found.connections == {}
    assert found.streams == {}
    assert found.context.layers[-1] is found
    assert "flow" in inspect.get_annotations(HttpStream)


def test_every_layer_that_has_an_inner_one_names_it(made):
    assert layer.NextLayer(made).layer is None
    assert "child_layer" in inspect.getsource(HttpStream)


def test_an_open_connection_to_the_wanted_address_is_used_again(made):
    found = HttpLayer(made, HTTPMode.transparent)
    pseudo = Server(address=("qwen.example", 443), tls=True)
    pseudo.state, pseudo.alpn = ConnectionState.OPEN, b"h2"
    found.connections[pseudo] = layer.Layer.__new__(layer.Layer)
    wanted = GetHttpConnection(("qwen.example", 443), True, None, "tcp")
    stream = HttpStream(made.fork(), 1)
    found.command_sources[wanted] = stream
    seen = []
    stream.handle_event = lambda event: seen.append(event) or iter(())

    given = list(found.get_connection(wanted))

    assert given == []
    assert seen[0].reply[0] is pseudo
    assert seen[0].reply[1] is None


def test_the_layer_for_the_client_may_be_there_already(made):
    found = HttpLayer(made, HTTPMode.transparent)
    pages = ErrorPages(made)
    found.connections[made.client] = pages

    list(found.handle_event(events.Start()))

    assert found.connections[made.client] is pages


def test_handlers_are_found_by_the_clients_id_and_take_events():
    with taddons.context(Proxyserver()) as testing:
        assert testing.master.addons.get("proxyserver").connections == {}
    assert inspect.iscoroutinefunction(server.ConnectionHandler.server_event)
    assert inspect.iscoroutinefunction(server.ConnectionHandler.drain_writers)
    assert hasattr(server, "ConnectionHandler")


@pytest.mark.parametrize(("alpn", "kind"), [(None, Http1Server), (b"http/1.1", Http1Server), (b"h2", Http2Server)])
def test_the_clients_layer_is_chosen_by_its_protocol(made, alpn, kind):
    made.client.alpn = alpn
    pages = ErrorPages(made)

    list(pages.handle_event(events.Start()))

    assert isinstance(pages._child, kind)


def asked(made, head: bytes):
    """A client's layer that was sent these bytes."""
    pages = ErrorPages(made)
    list(pages.handle_event(events.Start()))
    return pages, list(pages.handle_event(events.DataReceived(made.client, head)))


def test_a_request_becomes_events(made):
    _, found = asked(made, b"POST /v1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}")

    assert [type(command.event) for command in found] == [
        _events.RequestHeaders,
        _events.RequestData,
        _events.RequestEndOfMessage,
    ]


def test_an_answer_is_written_event_by_event(made):
    pages, _ = asked(made, b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
    response = http.Response.make(200, b"", {"transfer-encoding": "chunked"})

    head = bytes_of(pages.handle_event(_events.ResponseHeaders(1, response, False)))
    piece = bytes_of(pages.handle_event(_events.ResponseData(1, b"data: x\n\n")))
    end = bytes_of(pages.handle_event(_events.ResponseEndOfMessage(1)))

    assert head.startswith(b"HTTP/1.1 200")
    assert piece == b"9\r\ndata: x\n\n\r\n"
    assert end == b"0\r\n\r\n"


def test_an_error_of_the_stream_is_told_in_json_before_the_answer_and_by_a_cut_after_it(made):
    pages, _ = asked(made, b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
    told = bytes_of(pages.handle_event(_events.ResponseProtocolError(1, "no luck", _events.ErrorCode.CONNECT_FAILED)))
    begun, _ = asked(made, b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
    list(begun.handle_event(_events.ResponseHeaders(1, http.Response.make(200, b""), False)))
    cut = list(begun.handle_event(_events.ResponseProtocolError(1, "torn", _events.ErrorCode.CANCEL)))

    assert told.startswith(b"HTTP/1.1 502")
    assert b'"code":"upstream_unreachable"' in told
    assert bytes_of(cut) == b""
    assert any(isinstance(command, commands.CloseConnection) for command in cut)


def test_a_head_that_cannot_be_read_is_told_in_json(made):
    _, found = asked(made, b"GET\r\n\r\n")

    assert ErrorPages.HTML.match(make_error_response(400, "Bad <line>"))
    assert bytes_of(found).startswith(b"HTTP/1.1 400")
    assert b"application/json" in bytes_of(found)
    assert b"<html" not in bytes_of(found)


def test_a_head_without_end_is_cut_off(made):
    pages, _ = asked(made, b"GET / HTTP/1.1\r\nx: " + b"y" * (ErrorPages.HEAD_LIMIT + 1))
    told = bytes_of(pages.handle_event(events.DataReceived(made.client, b"y")))
    again = bytes_of(pages.handle_event(events.DataReceived(made.client, b"y")))
    last = list(pages.handle_event(events.DataReceived(made.client, b"y" * ErrorPages.PATIENCE)))

    assert told == plain_error(
        431, f"The headers have more than {ErrorPages.HEAD_LIMIT} bytes.", code="headers_too_large"
    )
    assert again == b""
    assert any(isinstance(command, commands.CloseConnection) for command in last)


def test_connection_strategy_can_be_lazy():
    assert "lazy" in taddons.context(Proxyserver()).options._options["connection_strategy"].choices
    assert isinstance(options.Options(), options.Options)
