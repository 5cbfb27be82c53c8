"""A stream's bytes straight to an HTTP/1 client's socket, past layers that have nothing left to decide.

Once the head of a streamed response is out, mitmproxy takes each piece through seven layers, which hand it on as it is:
a quarter of what a chunk costs. What we rely on (mitmproxy 12.2, `tests/test_shortcut.py` holds it to that):

* `HttpStream.server_state` is `state_stream_response_body` from when the head was sent; while a hook runs, the layer is
  `_paused` and events wait in `_paused_event_queue`;
* in that state a piece has no other effect than being sent, unless `flow.response.stream` is a function or
  `store_streamed_bodies` is set;
* `Http1Server` frames a piece as one chunk, or not at all for clients of HTTP/1.0;
* `ConnectionHandler.transports[client].writer` is the client's socket; between it and the HTTP layer stands nothing but
  `TunnelLayer`s (TLS) that would change bytes.
"""

from asyncio import StreamWriter

from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.proxy.tunnel import TunnelLayer


def plain_socket(handler: ConnectionHandler, owner: HttpLayer) -> bool:
    """Whether what the HTTP layer sends reaches the client's socket as it is."""
    transport = handler.transports.get(handler.client)
    layers = owner.context.layers
    return (
        transport is not None
        and isinstance(transport.writer, StreamWriter)
        and not any(isinstance(layer, TunnelLayer) for layer in layers)
    )


def open_writer(handler: ConnectionHandler, owner: HttpLayer, stream_id: int) -> StreamWriter | None:
    """The client's socket, when the stream's next piece may be written to it; None as long as it may not."""
    stream = owner.streams.get(stream_id)
    if (
        stream is None
        or stream._paused
        or stream._paused_event_queue
        or stream.server_state != stream.state_stream_response_body
    ):
        return None
    response = stream.flow.response
    if response is None or response.stream is not True or owner.context.options.store_streamed_bodies:
        return None
    writer = handler.transports[handler.client].writer
    return writer if isinstance(writer, StreamWriter) else None
