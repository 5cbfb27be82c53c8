"""Where ways beside mitmproxy's own begin: every HTTP layer and lane of a connection, found by its flows."""

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.commands import Command
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, HttpStream
from mitmproxy.proxy.layers.http._events import RequestHeaders
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.proxy.server import ConnectionHandler

from qwen_gateway.error_pages import ErrorPages
from qwen_gateway.lane import Lane
from qwen_gateway.leg import Leg, Serve
from qwen_gateway.prompt_hooks import Tell
from qwen_gateway.pseudo import handler_of, pseudo_server

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
        # A lane knows its client, and would keep it for good if it were kept here.
        self._lanes: weakref.WeakValueDictionary[str, Lane] = weakref.WeakValueDictionary()

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
        lane = self._lanes.get(flow.client_conn.id)
        if lane is not None and lane.passage is not None and lane.passage.flow is flow:
            lane.passage.attach(serve)
            return
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

    def open_lane(self, handler: ConnectionHandler, tell: Tell) -> Lane | None:
        """A lane for a connection that has just been made, where it can have one."""
        client = handler.client
        lane = Lane.beside(handler, tell, lambda: self._owners(client))
        if lane is not None:
            self._lanes[client.id] = lane
        return lane

    def lanes(self) -> list[Lane]:
        """Every lane of the connections that are there."""
        return list(self._lanes.values())

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
        server = pseudo_server(address, tls=tls, via=via, transport_protocol=protocol)
        owner.connections[server] = Leg(owner.context.fork(), server, handler, owner)
        outer: layer.Layer | None = None
        for inner in owner.context.layers:
            if inner is owner:
                break
            if isinstance(inner, HttpStream) and isinstance(outer, HttpLayer):
                outer.connections[server] = inner  # so that events find their way in through a CONNECT
            outer = inner
        return server
