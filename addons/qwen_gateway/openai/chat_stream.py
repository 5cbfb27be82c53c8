"""The streamed form of a chat answer: deltas into chunks.

The first delta of a choice has the role, `finish_reason` is in every choice and null until the last, usage comes last
and only when asked for, then `[DONE]`; a stream that fails ends with one error event and nothing after it
(openai-surface.md section 5).
"""

from typing import Any

from qwen_gateway.codec import sse
from qwen_gateway.codec.deltas import Extra, Finish, Refusal, Text, Thought, ToolCall
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai.chat_choice import CLOSING, OPENING, ChatAnswer, Choice, Dress
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.logprobs import logprobs_object
from qwen_gateway.openai.tool_calls import freeform_input


class ChatStream(ChatAnswer):
    """Writes the chunks of one streamed answer."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, call: ChatCall, dress: Dress) -> None:
        super().__init__(call, dress)
        self._head: bytes | None = None
        self._tail = b',"usage":null}\n\n' if call.include_usage else b"}\n\n"
        self._quiet = b',"logprobs":null,"finish_reason":null}]' + self._tail

    def end(self) -> bytes:
        """What is missing: finish reasons, usage if asked for, then `[DONE]`."""
        out: list[bytes] = []
        for number, choice in enumerate(self._choices):
            if choice.finish is None:
                self._close(Finish("stop", number), choice, out)
        if self._call.include_usage:
            usage = dumps(self._usage_or_estimate())
            out.append(b'%b"choices":[],"usage":%b}\n\n' % (self._begin_head(), usage))
        out.append(sse.DONE)
        return b"".join(out)

    def fail(self, error: OpenAIError) -> bytes:
        """The answer broke off: one error event, and no `[DONE]`."""
        return sse.data_line(error.encode())

    def _begin_head(self) -> bytes:
        """What every chunk begins with; made with the first one, so that it never changes."""
        if self._head is None:
            fields: dict[str, Any] = {
                "id": self._dress.id,
                "object": "chat.completion.chunk",
                "created": self._dress.created,
                "model": self._call.model,
            }
            if self._dress.service_tier:
                fields["service_tier"] = self._dress.service_tier
            if self._fingerprint:
                fields["system_fingerprint"] = self._fingerprint
            self._head = b"data: " + dumps(fields)[:-1] + b","
        return self._head

    def _chunk(
        self,
        number: int,
        choice: Choice,
        delta: dict[str, Any],
        finish: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> bytes:
        if choice.opened is None:
            choice.opened = b'%b"choices":[{"index":%d,"delta":' % (self._begin_head(), number)
            delta = {"role": "assistant", **({"content": ""} if "content" not in delta else {}), **delta}
        if finish is None and logprobs is None:
            return choice.opened + dumps(delta) + self._quiet
        return b'%b%b,"logprobs":%b,"finish_reason":%b}]%b' % (
            choice.opened,
            dumps(delta),
            dumps(logprobs_object(logprobs)) if logprobs else b"null",
            dumps(finish),
            self._tail,
        )

    def _text(self, delta: Text, choice: Choice, out: list[bytes]) -> None:
        text = self._leave_thinking(choice) + delta.text if choice.thinking else delta.text
        out.append(self._chunk(delta.choice, choice, {"content": text}, logprobs=delta.logprobs))

    def _thought(self, delta: Thought, choice: Choice, out: list[bytes]) -> None:
        match self._dress.thinking:
            case "reasoning_content":
                out.append(self._chunk(delta.choice, choice, {"reasoning_content": delta.text}))
            case "tags":
                opening = "" if choice.thinking else OPENING
                choice.thinking = True
                out.append(self._chunk(delta.choice, choice, {"content": opening + delta.text}))
            case "hidden":
                pass

    def _leave_thinking(self, choice: Choice) -> str:
        if not choice.thinking:
            return ""
        choice.thinking = False
        return CLOSING

    def _close_thinking(self, number: int, choice: Choice, out: list[bytes]) -> None:
        if closing := self._leave_thinking(choice):
            out.append(self._chunk(number, choice, {"content": closing}))

    def _refusal(self, delta: Refusal, choice: Choice, out: list[bytes]) -> None:
        self._close_thinking(delta.choice, choice, out)
        out.append(self._chunk(delta.choice, choice, {"refusal": delta.text}))

    def _extra(self, delta: Extra, choice: Choice, out: list[bytes]) -> None:
        out.append(self._chunk(delta.choice, choice, delta.fields))

    def _tool_call(self, piece: ToolCall, choice: Choice, out: list[bytes]) -> None:
        number = piece.choice
        self._close_thinking(number, choice, out)
        if piece.name in self._call.custom_tools or piece.index in choice.calls:
            choice.collect(piece)  # the text of a freeform call can be unwrapped only when it is whole
            return
        function: dict[str, Any] = {"arguments": piece.arguments}
        entry: dict[str, Any] = {"index": piece.index, "function": function}
        if piece.id is not None:
            function = {"name": piece.name, "arguments": piece.arguments}
            entry = {"index": piece.index, "id": piece.id, "type": "function", "function": function}
        if self._call.legacy_functions:
            out.append(self._chunk(number, choice, {"function_call": function}))
        else:
            out.append(self._chunk(number, choice, {"tool_calls": [entry]}))

    def _finish(self, delta: Finish, choice: Choice, out: list[bytes]) -> None:
        number = delta.choice
        self._close_thinking(number, choice, out)
        for piece, arguments in choice.calls.values():
            # OpenAI's description of chunks has no freeform calls; `type` stays away so that the chunk is valid.
            call = {
                "index": piece.index,
                "id": piece.id,
                "custom": {"name": piece.name, "input": freeform_input("".join(arguments))},
            }
            out.append(self._chunk(number, choice, {"tool_calls": [call]}))
        out.append(self._chunk(number, choice, {}, finish=delta.reason))
