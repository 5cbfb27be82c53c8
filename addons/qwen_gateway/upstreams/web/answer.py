"""One answer of chat.qwen.ai: a stream of phases, or any of the shapes in which it refuses (upstream.md 3.6, 3.11)."""

from collections.abc import Callable

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Delta, Fault
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.upstreams.error_body import plain_text
from qwen_gateway.upstreams.web.phases import Phases
from qwen_gateway.upstreams.web.refusals import fault_of_object, fault_of_site

BODY_LIMIT = 1024 * 1024
"""Bytes of an answer that is no stream: then it is a refusal."""


class WebAnswer:
    """A decoder (see `upstreams.decoders`).

    Args:
        phases: what is learned from the events, for the next turn of the chat.
        whole: told when the answer came to its own end.
    """

    def __init__(self, phases: Phases | None = None, whole: Callable[[], None] = lambda: None) -> None:
        self.done = False
        self.phases = phases or Phases()
        self._whole = whole
        self._parser = sse.Parser()
        self._blank = b""
        self._body: bytes | None = None  # an answer that is no stream
        self._streamed = False

    def feed(self, data: bytes) -> list[Delta]:
        if self.done:
            return []
        if not self._streamed and self._body is None:
            data = self._blank + data
            start = data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
            if not start:
                self._blank = data[-1024:]
                return []
            if start in b"{[<":
                self._body = b""
            else:
                self._streamed = True
        if self._body is not None:
            self._body += data
            if len(self._body) > BODY_LIMIT:
                return self._fail(Fault(0, "", f"an answer over {BODY_LIMIT} bytes that is no stream", origin="body"))
            return []
        try:
            return self._events(self._parser.feed(data))
        except sse.EventTooLong as error:
            return self._fail(Fault(0, "", str(error), origin="body"))

    def close(self) -> list[Delta]:
        """The connection ended, which is how the site ends some answers; silence is a refusal (3.6)."""
        if self.done:
            return []
        if self._body is not None:
            fault = fault_of_site(self._body)
            said = plain_text(self._body)[:200]
            return self._fail(fault or Fault(0, "", f"the answer is no stream of events: {said}", origin="body"))
        deltas = self._events(self._parser.close())
        if not self._over():
            deltas += self._ended()
        return deltas

    def _over(self) -> bool:
        return self.done

    def _events(self, events: list[sse.Event]) -> list[Delta]:
        deltas: list[Delta] = []
        for event in events:
            if event.data.strip() == b"[DONE]":
                deltas.extend(self._ended())
                break
            try:
                payload = loads(event.data)
            except BadJSON:
                said = f"an event is not JSON: {plain_text(event.data)[:200]}"
                deltas.extend(self._fail(Fault(0, "", said, origin="body")))
                break
            if not isinstance(payload, dict):
                continue
            if "choices" not in payload and (fault := fault_of_object(payload)):
                deltas.extend(self._fail(fault))
                break
            deltas.extend(self.phases.read(payload))
            if self.phases.finished:
                deltas.extend(self._ended())
                break
            if (usage := self.phases.usage) and "usage" in payload:
                deltas.append(usage)
        return deltas

    def _ended(self) -> list[Delta]:
        """An answer without words is an error, never an empty success (3.6)."""
        self.done = True
        if self.phases.spoke:
            self._whole()
            return self.phases.end()
        if self.phases.begun:
            return [Fault(0, "", "the answer ended after its thoughts", origin="empty")]
        return [Fault(0, "", "the answer ended without any content (a silent refusal)", origin="empty")]

    def _fail(self, fault: Fault) -> list[Delta]:
        self.done = True
        return [fault]
