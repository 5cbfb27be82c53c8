"""An HTTP/2 client that does what libraries do not: reset one stream, send what it likes, announce nothing."""

import json
import socket
import ssl
from collections.abc import Iterable
from typing import Any, Self

import h2.config
import h2.connection
import h2.events

from tests.e2e.asking import trusting
from tests.e2e.mitm import Mitm

type Headers = Iterable[tuple[str, str]]


class RawHttp2:
    """One connection to a gateway; blocking."""

    def __init__(self, gateway: Mitm, *, check: bool = True) -> None:
        plain = socket.create_connection(("127.0.0.1", gateway.port), 10)
        context = trusting(gateway.ca_file)
        context.set_alpn_protocols(["h2"])
        self._socket: ssl.SSLSocket = context.wrap_socket(plain, server_hostname="localhost")
        config = h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=check, normalize_outbound_headers=check
        )
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._flush()
        self.events: list[h2.events.Event] = []

    def send(self, body: bytes | None, headers: Headers = (), *, path: str = "/v1/chat/completions") -> int:
        """Ask; without a body the request stays open."""
        stream: int = self._connection.get_next_available_stream_id()
        pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        self._connection.send_headers(stream, [*pseudo, ("content-type", "application/json"), *headers])
        if body is not None:
            for start in range(0, len(body), 16_384):
                while self._connection.local_flow_control_window(stream) < 16_384:
                    if self.receive(stream):
                        return stream
                self._connection.send_data(stream, body[start : start + 16_384])
                self._flush()
            self._connection.end_stream(stream)
        self._flush()
        return stream

    def ask(self, **fields: Any) -> int:
        """Ask for a chat."""
        messages = [{"role": "user", "content": "Say hi"}]
        return self.send(json.dumps({"model": "qwen3.7-plus", "messages": messages, **fields}).encode())

    def receive(self, stream: int) -> bool:
        """Read once; whether the stream is over."""
        data = self._socket.recv(65_536)
        found = self._connection.receive_data(data) if data else [h2.events.ConnectionTerminated()]
        for event in found:
            if isinstance(event, h2.events.DataReceived):
                self._connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        self._flush()
        self.events += found
        return any(self._ends(event, stream) for event in self.events)

    @staticmethod
    def _ends(event: h2.events.Event, stream: int) -> bool:
        if isinstance(event, h2.events.ConnectionTerminated):
            return True
        return isinstance(event, h2.events.StreamEnded | h2.events.StreamReset) and event.stream_id == stream

    def answer(self, stream: int) -> tuple[int, bytes, bool]:
        """The status, the body, and whether it ended properly."""
        while not self.receive(stream):
            pass
        mine = [event for event in self.events if getattr(event, "stream_id", None) == stream]
        heads = [event.headers for event in mine if isinstance(event, h2.events.ResponseReceived)]
        data = b"".join(event.data or b"" for event in mine if isinstance(event, h2.events.DataReceived))
        status = int(dict(heads[0])[":status"]) if heads else 0
        return status, data, any(isinstance(event, h2.events.StreamEnded) for event in mine)

    def until_data(self, stream: int) -> None:
        """Wait for the first bytes of an answer."""
        while not any(isinstance(event, h2.events.DataReceived) and event.stream_id == stream for event in self.events):
            self.receive(stream)

    def reset(self, stream: int) -> None:
        """Give up one stream."""
        self._connection.reset_stream(stream)
        self._flush()

    def _flush(self) -> None:
        self._socket.sendall(self._connection.data_to_send())

    def close(self) -> None:
        """Leave without a word."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
