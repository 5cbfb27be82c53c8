"""The streamed form of a response: events, the last of which repeats the whole; there is no `[DONE]`."""

from collections.abc import Iterable

from qwen_gateway.codec.deltas import Delta
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.responses_answer import ResponsesAnswer
from qwen_gateway.openai.responses_events import Written
from qwen_gateway.openai.responses_request import ResponsesCall
from qwen_gateway.openai.sealing import Seal


class ResponsesStream(ResponsesAnswer):
    """Writes the events of one response."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, call: ResponsesCall, dress: Dress, seal: Seal) -> None:
        self._written = Written()
        super().__init__(call, dress, seal, self._written)

    def enqueue(self) -> bytes:
        """The events of a response that waits."""
        self.queue()
        return self._written.take()

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """The events that these deltas make."""
        self.take(deltas)
        return self._written.take()

    def end(self) -> bytes:
        """What is missing, and the last event."""
        self.complete()
        return self._written.take()

    def fail(self, error: OpenAIError) -> bytes:
        """`response.failed`, in which clients find what went wrong."""
        self.break_off(error)
        return self._written.take()
