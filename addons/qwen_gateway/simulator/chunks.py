"""Chat answers on the wire (upstream.md 4.4): one completion object, or a stream of chunks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from qwen_gateway.codec.json import dumps

from . import dialects
from .dialects import Dialect
from .echo import Speech, ToolCall
from .tokens import pieces
from .wire import Drop, JsonObject, Pause, Raw, Step

DONE = b"data: [DONE]\n\n"

Event = JsonObject | Step
"""A chunk, or something to send or do as it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """All there is to write; faults may change it before it is written."""

    id: str
    created: int
    model: str
    dialect: Dialect
    speeches: tuple[Speech, ...]
    prompt_tokens: int
    prompt_details: JsonObject = field(default_factory=dict)
    thinking: bool = False
    include_usage: bool = False
    top_logprobs: int | None = None
    thought: str = ""
    """The field of the thoughts; the dialect's when empty."""
    fragments: str = ""
    """How tool calls are cut; the dialect's way when empty."""
    usage: str = "numbers"
    """Or "null", "in-finish"."""
    cut: int = 0
    """Characters of each piece of text; 0: a token."""
    finish: str | None = ""
    """A reason in place of the right one; None for none at all."""

    @property
    def thought_field(self) -> str:
        """The field of the thoughts."""
        return self.thought or self.dialect.thought

    def reason(self, speech: Speech) -> str | None:
        """The finish reason of a choice."""
        return speech.finish if self.finish == "" else self.finish

    def numbers(self) -> JsonObject | None:
        """The usage object."""
        if self.usage == "null":
            return None
        reasoning = sum(speech.reasoning_tokens for speech in self.speeches)
        text = sum(speech.text_tokens for speech in self.speeches)
        total = self.prompt_tokens + reasoning + text
        made: JsonObject = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": reasoning + text,
            "total_tokens": total,
        }
        if self.dialect.usage_key:
            details = {"reasoning_tokens": reasoning} if self.thinking else {}
            made["completion_tokens_details"] = {**details, "text_tokens": text}
            made["prompt_tokens_details"] = {"cached_tokens": 0, **self.prompt_details}
        elif self.dialect.name == "openrouter":
            made |= {"completion_tokens_details": {"reasoning_tokens": reasoning}, "cost": 0}
            made["prompt_tokens_details"] = {"cached_tokens": 0}
        return made


def completion(answer: Answer) -> JsonObject:
    """The answer as one object."""
    made = _envelope(answer, "chat.completion")
    for index, speech in enumerate(answer.speeches):
        choice: JsonObject = {
            "message": dialects.message(answer.dialect, answer.thought_field, speech),
            **dialects.finish(answer.dialect, answer.reason(speech)),
            "index": index,
            "logprobs": _logprobs(answer, pieces(speech.text)),
        }
        made["choices"].append(choice)
    made["usage"] = answer.numbers()
    return made


def stream(answer: Answer) -> Iterator[Event]:
    """The answer as chunks, and `[DONE]`."""
    if answer.dialect.comments:
        yield b": OPENROUTER PROCESSING\n\n"
    choices = [_choice(answer, index, speech) for index, speech in enumerate(answer.speeches)]
    for turn in zip_longest(*choices):
        for choice in turn:
            if choice is not None:
                chunk = _envelope(answer, "chat.completion.chunk")
                chunk["choices"].append(choice)
                if answer.usage == "in-finish" and choice["finish_reason"]:
                    chunk["usage"] = answer.numbers()
                yield chunk
    if answer.usage != "in-finish" and (answer.include_usage or answer.dialect.usage_with_choice):
        chunk = _envelope(answer, "chat.completion.chunk")
        if answer.dialect.usage_with_choice:
            delta = {"role": "assistant", "content": ""}
            end = dialects.finish(answer.dialect, None)
            chunk["choices"] = [{"index": 0, "delta": delta, **end, "logprobs": None}]
        chunk["usage"] = answer.numbers()
        yield chunk
    yield DONE


def write(events: Iterable[Event]) -> Iterator[Step]:
    """The events as they go over the wire."""
    for event in events:
        if isinstance(event, bytes | Pause | Drop | Raw):
            yield event
        else:
            yield b"data: %b\n\n" % dumps(event)


def _envelope(answer: Answer, kind: str) -> JsonObject:
    return dialects.envelope(answer.dialect, kind=kind, id=answer.id, created=answer.created, model=answer.model)


def _choice(answer: Answer, index: int, speech: Speech) -> Iterator[JsonObject]:
    for delta, text in _deltas(answer, speech):
        if answer.dialect.role_in_every_delta:
            delta.setdefault("role", "assistant")
        logprobs = _logprobs(answer, [text]) if text else None
        end = dialects.finish(answer.dialect, None)
        yield {"delta": delta, "index": index, "logprobs": logprobs, **end}
    end = dialects.finish(answer.dialect, answer.reason(speech))
    yield {"delta": {"content": ""}, **end, "index": index, "logprobs": None}


def _deltas(answer: Answer, speech: Speech) -> Iterator[tuple[JsonObject, str]]:
    dialect, field_name = answer.dialect, answer.thought_field
    first: JsonObject = {"content": "", "role": "assistant"}
    if answer.thinking and dialect.usage_key:
        first[field_name] = ""
    yield first, ""
    for piece in pieces(speech.thoughts):
        yield dialects.thought_delta(dialect, field_name, piece), ""
    for piece in _cut(speech.text, answer.cut):
        delta: JsonObject = {"content": piece}
        if answer.thinking and dialect.usage_key:
            delta[field_name] = None
        yield delta, piece
    for number, call in enumerate(speech.calls):
        for fragment in _fragments(number, call, answer.fragments or dialect.fragments):
            made: JsonObject = {"content": None} if dialect.usage_key else {}
            yield {**made, "tool_calls": [fragment]}, ""


def _cut(text: str, size: int) -> list[str]:
    return [text[place : place + size] for place in range(0, len(text), size)] if size > 0 else pieces(text)


def _fragments(number: int, call: ToolCall, style: str) -> Iterator[JsonObject]:
    whole = dialects.tool_call(number, call)
    if style == "whole":
        yield whole
        return
    yield {**whole, "function": {"name": call.name, "arguments": ""}}
    for piece in pieces(call.arguments):
        if style == "omit":
            yield {"index": number, "function": {"arguments": piece}}
        elif style == "repeat":
            yield {**whole, "function": {"name": call.name, "arguments": piece}}
        else:
            function = {"name": "", "arguments": piece}
            yield {"index": number, "id": "", "type": "function", "function": function}


def _logprobs(answer: Answer, tokens: list[str]) -> JsonObject | None:
    if answer.top_logprobs is None:
        return None
    content = []
    for token in tokens:
        # Any fixed function will do: longer tokens are less likely.
        logprob = -len(token) / 100
        item = {"token": token, "bytes": list(token.encode()), "logprob": logprob}
        others = [
            {"token": token + "'" * rank, "bytes": list((token + "'" * rank).encode()), "logprob": logprob - rank}
            for rank in range(answer.top_logprobs)
        ]
        content.append({**item, "top_logprobs": others})
    return {"content": content}
