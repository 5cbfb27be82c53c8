"""Upstream bytes into deltas. A decoder has no I/O and never raises: what it cannot read becomes a `Fault`.

`feed(bytes)` gives the deltas that are complete ([] means "nothing yet"), `close()` what the end of the bytes means: a
stream that stops before its end was told is a fault, never a short success.
"""

from typing import Protocol

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import CONTENT, Delta, Fault, Finish
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.upstreams.chat_chunks import ChunkReader
from qwen_gateway.upstreams.error_body import clip, fault_of_payload, plain_text, text_of

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of one non-streamed answer that are kept."""


class Decoder(Protocol):
    """One answer of an upstream."""

    @property
    def done(self) -> bool:
        """The answer's end was seen; bytes after it say nothing."""

    def feed(self, data: bytes) -> list[Delta]: ...

    def close(self) -> list[Delta]: ...


class ChatStream:
    """The SSE of chat completions, all four error shapes included (upstream.md 4.4, 4.5)."""

    def __init__(self, choices: int = 1) -> None:
        self.done = False
        self._choices = choices
        self._parser = sse.Parser()
        self._reader = ChunkReader(choices)
        self._begun = False

    def feed(self, data: bytes) -> list[Delta]:
        if self.done:
            return []
        try:
            events = self._parser.feed(data)
        except sse.EventTooLong as error:
            self.done = True
            return [Fault(0, "", str(error), origin="body")]
        return self._events(events)

    def close(self) -> list[Delta]:
        """The connection ended: fine after `[DONE]` or after every choice finished, a cut otherwise."""
        if self.done:
            return []
        deltas = self._events(self._parser.close())
        if self._ended():
            return deltas
        self.done = True
        if len(self._reader.finished) >= self._choices:
            return deltas  # no [DONE]: `transformers serve` and others (openai-surface.md section 2)
        if self._begun:
            deltas.append(Fault(0, "", "the stream ended without a finish reason", origin="cut"))
        else:
            deltas.append(Fault(0, "", "the stream ended without any content", origin="empty"))
        return deltas

    def _ended(self) -> bool:
        return self.done

    def _events(self, events: list[sse.Event]) -> list[Delta]:
        deltas: list[Delta] = []
        for event in events:
            self._event(event, deltas)
            if self.done:
                break
        return deltas

    def _event(self, event: sse.Event, deltas: list[Delta]) -> None:
        if event.data.strip() == b"[DONE]":
            self.done = True
            if not self._reader.finished and not self._begun:
                deltas.append(Fault(0, "", "the stream ended without any content", origin="empty"))
            else:
                # transformers and some vLLM builds end without a reason; the end itself was told.
                deltas.extend(
                    Finish("stop", choice) for choice in range(self._choices) if choice not in self._reader.finished
                )
            return
        try:
            payload = loads(event.data)
        except BadJSON:
            self.done = True
            text = clip(plain_text(event.data))
            if event.name == "error" or event.status:
                deltas.append(Fault(event.status or 0, "", text, origin="stream"))
            else:
                deltas.append(Fault(0, "", f"an event is not JSON: {text[:200]}", origin="body"))
            return
        status = event.status if event.status and event.status >= 400 else 0
        failed = event.name == "error" or bool(status)
        if not isinstance(payload, dict):
            payload = {"error": text_of(payload)} if failed else {}
        if failed or "error" in payload or "choices" not in payload:
            fault = fault_of_payload(payload, status=status, origin="stream")
            if fault is None and failed:
                fault = Fault(status, "", clip(plain_text(event.data)) or "an error without a word", origin="stream")
            if fault:
                self.done = True
                deltas.append(fault)
                return
        found = self._reader.read(payload)
        if not self._begun:
            self._begun = any(isinstance(delta, CONTENT) for delta in found)
        deltas.extend(found)


class ChatBody:
    """A non-streamed chat completion; also an error that came with HTTP 200, or a stream in spite of the question."""

    def __init__(self, choices: int = 1, *, limit: int = BODY_LIMIT) -> None:
        self.done = False
        self._choices = choices
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Delta]:
        if self.done:
            return []
        self._pieces.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self.done = True
            self._pieces.clear()
            return [Fault(0, "", f"the answer is over {self._limit} bytes", origin="body")]
        return []

    def close(self) -> list[Delta]:
        if self.done:
            return []
        self.done = True
        body = b"".join(self._pieces).removeprefix(b"\xef\xbb\xbf")
        try:
            payload = loads(body)
        except BadJSON as error:
            if body.lstrip().startswith((b"data:", b"id:", b"event:", b":")):
                stream = ChatStream(self._choices)
                return stream.feed(body) + stream.close()
            if not body.strip():
                return [Fault(0, "", "the answer has no body", origin="empty")]
            return [Fault(0, "", f"the answer is not JSON ({error}): {plain_text(body)[:200]}", origin="body")]
        fault = fault_of_payload(payload, status=0, origin="stream")
        if fault:
            return [fault]
        choices = payload.get("choices") if isinstance(payload, dict) else None
        if not isinstance(choices, list) or not [choice for choice in choices if isinstance(choice, dict)]:
            return [Fault(0, "", f"the answer has no choices: {plain_text(body)[:200]}", origin="body")]
        reader = ChunkReader(self._choices)
        deltas = reader.read(payload)
        if len(reader.finished) < self._choices:
            deltas.extend(Finish("stop", choice) for choice in range(self._choices) if choice not in reader.finished)
        return deltas


class ChatAnswer:
    """Whichever of the two it is: an error may come as JSON where a stream was asked for (upstream.md 4.5, E3)."""

    def __init__(self, choices: int = 1) -> None:
        self._choices = choices
        self._decoder: Decoder | None = None
        self._blank = b""

    @property
    def done(self) -> bool:
        return self._decoder is not None and self._decoder.done

    def feed(self, data: bytes) -> list[Delta]:
        if self._decoder is None:
            data = self._blank + data
            start = data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
            if not start:
                self._blank = data[-1024:]
                return []
            self._decoder = ChatBody(self._choices) if start in b"{[<" else ChatStream(self._choices)
        return self._decoder.feed(data)

    def close(self) -> list[Delta]:
        if self._decoder is None:
            self._decoder = ChatBody(self._choices)
        return self._decoder.close()
