"""The sockets: listen on loopback, and let ALPN choose between HTTP/1.1 and HTTP/2."""

import asyncio
import ssl

from .http1 import Http1
from .http2 import Http2
from .log import Log
from .peer import Application, Peer


class _Greeter(asyncio.Protocol):
    """Hands a new connection to the protocol that ALPN has chosen."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.server.greet(transport)


class Server:
    """A listening socket and its connections."""

    def __init__(self, application: Application, log: Log, *, max_streams: int) -> None:
        self.application = application
        self.log = log
        self.max_streams = max_streams
        self.peers: set[Peer] = set()
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; the port is returned."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Greeter(self), host, port, ssl=context, backlog=2048)
        number: int = self._listener.sockets[0].getsockname()[1]
        return number

    def greet(self, transport: asyncio.Transport) -> None:
        """Take over a new connection."""
        tls = transport.get_extra_info("ssl_object")
        peer: Peer
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            peer = Http2(self.application, self.log, transport, self.peers.discard, max_streams=self.max_streams)
        else:
            peer = Http1(self.application, self.log, transport, self.peers.discard, tls=tls is not None)
        self.peers.add(peer)
        transport.set_protocol(peer)

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._listener is not None:
            self._listener.close()
        for peer in list(self.peers):
            peer.transport.abort()
        for _ in range(100):
            if not self.peers:
                break
            await asyncio.sleep(0.01)
