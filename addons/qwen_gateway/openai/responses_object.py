"""The whole form of a response: the same steps, shown when they are over."""

from collections.abc import Iterable

from qwen_gateway.codec.deltas import Delta
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.responses_answer import ResponsesAnswer
from qwen_gateway.openai.responses_events import Unheard
from qwen_gateway.openai.responses_request import ResponsesCall
from qwen_gateway.openai.sealing import Seal


class ResponsesObject(ResponsesAnswer):
    """Collects one response."""

    content_type = "application/json"

    def __init__(self, call: ResponsesCall, dress: Dress, seal: Seal) -> None:
        super().__init__(call, dress, seal, Unheard())

    def write(self, deltas: Iterable[Delta]) -> bytes:
        """Nothing: it is sent whole."""
        self.take(deltas)
        return b""

    def end(self) -> bytes:
        """The object as JSON."""
        return dumps(self.complete())

    def fail(self, error: OpenAIError) -> bytes:
        """The error as JSON; it is sent with its own status, for nothing went out before."""
        return error.encode()
