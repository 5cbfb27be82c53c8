"""HTTP/2 on a socket, by h2."""

import asyncio
import time
from collections.abc import Callable, Iterable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .log import Log, Received
from .peer import Application, Peer, answer
from .play import play
from .wire import Drop


class Http2(Peer):
    """One HTTP/2 connection with its streams."""

    def __init__(
        self,
        application: Application,
        log: Log,
        transport: asyncio.Transport,
        closed: Callable[[Peer], None],
        *,
        max_streams: int,
    ) -> None:
        super().__init__(transport, log.connect("2", tls=True), closed)
        self.application = application
        self.log = log
        self.streams: dict[int, Http2Stream] = {}
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        settings: dict[h2.settings.SettingCodes | int, int] = {
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: max_streams,
            h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20,
        }
        self.h2.initiate_connection()
        self.h2.update_settings(settings)
        self.h2.increment_flow_control_window(1 << 24)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()
            self.transport.close()
            return
        for event in events:
            self._take(event)
        self.flush()

    def leave(self) -> None:
        """Note at once that the client left, and stop what we were doing for it."""
        for stream in list(self.streams.values()):
            stream.leave()
        self.streams.clear()

    def flush(self) -> None:
        """Write what h2 has ready."""
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._open(event.stream_id, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self.streams:
                self.streams[event.stream_id].body += event.data
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id in self.streams:
                self.streams[event.stream_id].answer()
        elif isinstance(event, h2.events.StreamReset):
            stream = self.streams.pop(event.stream_id, None)
            if stream is not None:
                stream.leave()
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            for stream in self.streams.values():
                stream.window.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.leave()
            self.transport.close()

    def _open(self, stream_id: int, fields: Iterable[tuple[str | bytes, str | bytes]]) -> None:
        pairs = [(_text(name), _text(value)) for name, value in fields]
        pseudo = {name: value for name, value in pairs if name.startswith(":")}
        headers = [pair for pair in pairs if not pair[0].startswith(":")]
        if ":authority" in pseudo:
            headers.insert(0, ("host", pseudo[":authority"]))
        method, target = pseudo.get(":method", ""), pseudo.get(":path", "")
        received = self.log.receive(self.connection, method, target, headers)
        self.streams[stream_id] = Http2Stream(self, stream_id, received)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Http2Stream:
    """One request of an HTTP/2 connection and its answer."""

    def __init__(self, peer: Http2, stream_id: int, received: Received) -> None:
        self.peer = peer
        self.stream_id = stream_id
        self.received = received
        self.body = bytearray()
        self.window = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def answer(self) -> None:
        """The request is complete: answer it."""
        self.received.body = bytes(self.body)
        self.received.complete_at = time.time()
        self.task = asyncio.create_task(self._answer())

    def leave(self) -> None:
        """The client has reset the stream or left."""
        received = self.received
        if received.ended_at is None and received.disconnected_at is None:
            received.disconnected_at = time.time()
        if self.task is not None:
            self.task.cancel()

    async def _answer(self) -> None:
        await play(answer(self.peer.application, self.received), self)
        self.peer.streams.pop(self.stream_id, None)

    def start(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """Send the headers."""
        framing = [] if length is None else [("content-length", str(length))]
        self.peer.h2.send_headers(self.stream_id, [(":status", str(status)), *headers, *framing])
        self.peer.flush()

    async def send(self, data: bytes) -> None:
        """Send a piece as the client's windows allow."""
        connection = self.peer.h2
        while data:
            size = min(connection.local_flow_control_window(self.stream_id), connection.max_outbound_frame_size)
            if size <= 0:
                self.window.clear()
                await self.window.wait()
                continue
            connection.send_data(self.stream_id, data[:size])
            self.peer.flush()
            data = data[size:]
            await self.peer.room()

    def raw(self, data: bytes) -> None:
        """HTTP/2 has no bytes past the framing."""

    def end(self) -> None:
        """End the stream properly."""
        self.peer.h2.end_stream(self.stream_id)
        self.peer.flush()

    def drop(self, drop: Drop) -> None:
        """Reset the stream, or lose the whole connection."""
        if drop.connection or drop.reset:
            self.peer.break_off(drop)
        else:
            self.peer.h2.reset_stream(self.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.peer.flush()
