"""HTTP/1.1 on a socket, by h11."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import h11

from .log import Log, Received
from .peer import Application, Peer, answer
from .play import play
from .wire import Drop


class Http1(Peer):
    """One HTTP/1.1 connection. Requests are answered one after the other."""

    def __init__(
        self,
        application: Application,
        log: Log,
        transport: asyncio.Transport,
        closed: Callable[[Peer], None],
        *,
        tls: bool,
    ) -> None:
        super().__init__(transport, log.connect("1.1", tls=tls), closed)
        self.application = application
        self.log = log
        self.h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 18)
        self.received: Received | None = None
        self.body = bytearray()
        self.task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self.h11.receive_data(data)
        self._pump()

    def leave(self) -> None:
        """Note at once that the client left, and stop what we were doing for it."""
        received = self.received
        if received is not None and received.ended_at is None and received.disconnected_at is None:
            received.disconnected_at = time.time()
        if self.task is not None:
            self.task.cancel()

    def _pump(self) -> None:
        while self.task is None:
            try:
                event = self.h11.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(error)
                return
            if isinstance(event, h11.Request):
                self.received = self.log.receive(
                    self.connection,
                    event.method.decode("ascii"),
                    event.target.decode("ascii", "replace"),
                    [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers],
                )
                self.body = bytearray()
                if self.h11.they_are_waiting_for_100_continue:
                    self._write(h11.InformationalResponse(status_code=100, headers=[]))
            elif isinstance(event, h11.Data):
                self.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                received = cast("Received", self.received)
                received.body = bytes(self.body)
                received.complete_at = time.time()
                self.task = asyncio.create_task(self._answer(received))
            else:
                return

    async def _answer(self, received: Received) -> None:
        stream = Http1Stream(self, received)
        await play(answer(self.application, received), stream)
        self.task = None
        if stream.lied or self.h11.our_state is h11.MUST_CLOSE:
            self.transport.close()
        elif self.h11.our_state is h11.DONE and self.h11.their_state is h11.DONE:
            self.h11.start_next_cycle()
            self._pump()

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        if self.h11.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [("content-length", "0"), ("connection", "close")]
            self._write(h11.Response(status_code=error.error_status_hint, headers=headers))
            self._write(h11.EndOfMessage())
        self.transport.close()

    def _write(self, event: h11.Event) -> None:
        data = self.h11.send(event)
        if data:
            self.transport.write(data)


class Http1Stream:
    """The answer to one HTTP/1.1 request."""

    def __init__(self, peer: Http1, received: Received) -> None:
        self.peer = peer
        self.received = received
        self.chunked = False
        self.lied = False

    def start(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """Send the headers."""
        framing = ("transfer-encoding", "chunked") if length is None else ("content-length", str(length))
        self.peer._write(h11.Response(status_code=status, headers=[*headers, framing]))
        self.chunked = length is None and self.peer.h11.their_http_version == b"1.1"

    async def send(self, data: bytes) -> None:
        """Send a piece; chunks are framed here, which costs a third of what h11 takes for them."""
        peer = self.peer
        if not data:
            pass
        elif self.chunked:
            peer.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            peer._write(h11.Data(data=data))
        if peer.full:
            await peer.room()

    def raw(self, data: bytes) -> None:
        """Send bytes past the framing."""
        self.lied = True
        self.peer.transport.write(data)

    def end(self) -> None:
        """End the body properly."""
        self.peer._write(h11.EndOfMessage())

    def drop(self, drop: Drop) -> None:
        """Close the connection."""
        self.peer.break_off(drop)
