"""How mitmproxy ends, and what is still under way in it. Its insides are known here, in `leg.py` and `error_pages.py`.

What we rely on (mitmproxy 12.2, `tests/test_exits.py` holds it to that):

* SIGTERM, SIGINT and `Master.shutdown` set `Master.should_exit`, a further signal sets it again; it is not set when an
  addon is removed, as a script is that was edited;
* `Master.run` then awaits every addon's `done`, in order, while the loop and the listeners go on; once all are done the
  loop ends, and with it every connection that is left;
* `HttpLayer.streams` holds an `HttpStream` with its `flow` from the request's first line to the answer's last byte;
* an answer's last bytes wait in the writer of `ConnectionHandler.transports` and, for a closed window of HTTP/2, in
  `Http2Server.h2_conn.stream_buffers`.
"""

from asyncio import StreamWriter
from contextlib import suppress

from mitmproxy import ctx
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers.http import HttpLayer

from qwen_gateway import flows
from qwen_gateway.legs import Legs
from qwen_gateway.pseudo import handler_of
from qwen_gateway.router import CALLS


def asked() -> bool:
    """Whether mitmproxy was told to end."""
    return bool(ctx.master.should_exit.is_set())


def ask_again() -> None:
    """Forget the signal, so that another one can be seen."""
    ctx.master.should_exit.clear()


def under_way(legs: Legs) -> int:
    """Calls that came in whole and are not answered in full, and connections whose last bytes are still here."""
    by_layers = sum(
        sum(is_call(stream) for stream in layer.streams.values()) + (unsent(layer) > 0) for layer in legs.layers()
    )
    return by_layers + sum(lane.busy or lane.unsent > 0 for lane in legs.lanes())


def is_call(stream: Layer) -> bool:
    """Whether it is a call of ours, whose client waits for us and not we for the rest of its body."""
    flow = getattr(stream, "flow", None)
    return flow is not None and flow.metadata.get(flows.SURFACE) in CALLS and flow.request.timestamp_end is not None


def unsent(layer: HttpLayer) -> int:
    """Bytes for the layer's client that have not left the process."""
    client = layer.context.client
    buffers = getattr(getattr(layer.connections.get(client), "h2_conn", None), "stream_buffers", {})
    held = sum(len(piece.data) for pieces in buffers.values() for piece in pieces)
    with suppress(LookupError):  # the client is gone
        writer = handler_of(client).transports[client].writer
        if isinstance(writer, StreamWriter):
            held += writer.transport.get_write_buffer_size()
    return held
