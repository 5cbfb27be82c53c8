"""What both protocols share: a transport, whether there is room on it, and how it ends."""

import asyncio
import logging
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from .log import Connection, Received
from .wire import Drop, Reply

Application = Callable[[Received], Reply]

logger = logging.getLogger(__name__)


class Peer(asyncio.Protocol, ABC):
    """A connection with a client."""

    def __init__(self, transport: asyncio.Transport, connection: Connection, closed: Callable[["Peer"], None]) -> None:
        self.transport = transport
        self.connection = connection
        self.full = False
        self._room = asyncio.Event()
        self._closed = closed

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self.full = True
        self._room.clear()

    def resume_writing(self) -> None:
        """There is room again."""
        self.full = False
        self._room.set()

    async def room(self) -> None:
        """Wait for room."""
        if self.full:
            await self._room.wait()

    @abstractmethod
    def leave(self) -> None:
        """Note at once that the client left, and stop what we were doing for it."""

    def eof_received(self) -> bool:
        """The client will say no more: for us it has left."""
        self.leave()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        self.connection.closed_at = time.time()
        self._room.set()
        self._closed(self)
        self.leave()

    def break_off(self, drop: Drop) -> None:
        """End the connection: what was written still goes out, unless it is to end in RST."""
        if drop.reset:
            raw = self.transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()


def answer(application: Application, received: Received) -> Reply:
    """Ask the application; its own failure is an answer too, and a loud one."""
    try:
        return application(received)
    except Exception as error:
        logger.exception("the simulator could not answer %s %s", received.method, received.target)
        text = f"the simulator failed: {type(error).__name__}: {error}"
        return Reply(500, [("content-type", "text/plain")], text.encode())
