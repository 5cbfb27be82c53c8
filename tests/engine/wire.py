"""An upstream that plays bytes: what it sends after each request is a list, and it notes what it got."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from qwen_gateway.engine.aiohttp_transport import AiohttpTransport


class Do(Enum):
    """What can be done beside sending."""

    PAUSE = "let it arrive on its own"
    CLOSE = "close the connection"
    RESET = "cut it, with a reset"
    HANG = "say no more, until the other side closes"


Script = list[bytes | Do]


@dataclass
class Wire:
    """What was played and seen.

    Attributes:
        scripts: one for each request; the last one is played again.
        requests: the bytes of each, with the number of its connection.
        closed: the connections that the other side has closed.
        sent: bytes that went out so far.
    """

    scripts: list[Script]
    greeting: bytes = b""
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    connections: int = 0
    sent: int = 0
    port: int = 0
    secure: bool = False

    def url(self, user: str = "", host: str = "127.0.0.1") -> str:
        return f"http{'s' * self.secure}://{user}{host}:{self.port}/v1/x?a=b%20c"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        if self.greeting:
            writer.write(self.greeting)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                self.requests.append((number, head + await reader.readexactly(length)))
                await self._play(self.scripts[min(len(self.requests), len(self.scripts)) - 1], reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.add(number)
        finally:
            writer.close()

    async def _play(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for item in script:
            if isinstance(item, bytes):
                writer.write(item)
                await writer.drain()
                self.sent += len(item)
            elif item is Do.PAUSE:
                await asyncio.sleep(0.01)
            elif item is Do.HANG:
                await reader.readexactly(1)
            else:
                if item is Do.RESET:
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.close()
                raise ConnectionError


@asynccontextmanager
async def wire(*scripts: Script, greeting: bytes = b"", context: ssl.SSLContext | None = None,
               host: str = "127.0.0.1") -> AsyncIterator[Wire]:  # fmt: skip
    """An upstream that plays these."""
    playing = Wire(list(scripts), greeting, secure=context is not None)
    server = await asyncio.start_server(playing.serve, host, ssl=context)
    playing.port = server.sockets[0].getsockname()[1]
    try:
        yield playing
    finally:
        server.close()


Authority = tuple[ssl.SSLContext, Path]
"""A server's side of TLS at localhost, and the file of who signed its certificate."""


@asynccontextmanager
async def upstream(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], authority: Authority, *, secure: bool
) -> AsyncIterator[tuple[AiohttpTransport, str]]:
    """An upstream that reads when it wants to, with or without TLS; a transport that trusts it, and its URL."""
    context, bundle = authority
    transport = AiohttpTransport(ca_bundle=str(bundle))
    server = await asyncio.start_server(talk, "127.0.0.1", limit=2**10, ssl=context if secure else None)
    async with server, asyncio.timeout(10):
        yield transport, f"http{'s' * secure}://localhost:{server.sockets[0].getsockname()[1]}/"
    await transport.aclose()


async def taken_by(reader: asyncio.StreamReader) -> int:
    """Bytes that still come, until the other side has left in whatever way."""
    taken = 0
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(2**20):
            taken += len(piece)
    return taken
