"""Chat-completion chunks and bodies, as Qwen services really send them, into deltas.

Loose on purpose (openai-surface.md, "Seen with real clients and real servers"): a missing `finish_reason`, usage in the
finish chunk or a chunk without `choices`, whole tool calls in one piece, ids repeated or empty, thoughts in
`reasoning_content` or `reasoning`, null everywhere.
"""

from dataclasses import dataclass
from typing import Any, TypeGuard

from qwen_gateway.codec.deltas import Begin, Delta, Extra, Finish, Refusal, Text, Thought, ToolCall, Usage
from qwen_gateway.codec.json import NUMBERS, dumps

SPEECH = frozenset({"role", "content", "reasoning_content", "reasoning"})
"""Nearly every message has no more than these."""

KNOWN = SPEECH | {"reasoning_details", "tool_calls", "function_call", "refusal", "name", "partial"}
"""Fields of a message that are read here; all others survive in an `Extra`."""

FINISH_REASONS = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter",
    "function_call": "tool_calls",
    "max_tokens": "length",  # some vLLM builds
    "eos": "stop", "eos_token": "stop", "stop_sequence": "stop",  # Ollama and llama.cpp variants
    "sensitive": "content_filter",
    "error": "stop",  # OpenRouter: the error itself comes in the same event
}  # fmt: skip
"""Finish reasons of upstreams in OpenAI's words; an unknown one is `stop`."""


class ChunkReader:
    """Reads one answer: remembers which tool calls are open, so that every piece has an index.

    Args:
        choices: how many answers were asked for; others are not read.
    """

    def __init__(self, choices: int = 1) -> None:
        self._begun = False
        self._choices = choices
        self._calls: dict[int, dict[int, _Call]] = {}  # choice -> index -> call
        self.finished: set[int] = set()

    def read(self, payload: dict[str, Any]) -> list[Delta]:
        """The deltas of one chunk or one whole completion."""
        deltas: list[Delta] = []
        if not self._begun:
            self._begun = True
            deltas.append(begin_of(payload))
        choices = payload.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._choice(choice, deltas)
        usage = payload.get("usage")
        if isinstance(usage, dict) and (found := usage_of(usage)):
            deltas.append(found)
        return deltas

    def _choice(self, choice: dict[str, Any], deltas: list[Delta]) -> None:
        index = choice.get("index")
        number = index if type(index) is int else 0
        if not 0 <= number < self._choices:
            return
        message = choice.get("delta")
        if not isinstance(message, dict):
            message = choice.get("message")
        if isinstance(message, dict):
            logprobs = choice.get("logprobs")
            self._message(message, number, logprobs if logprobs and told(logprobs) else None, deltas)
        elif isinstance(text := choice.get("text"), str) and text:  # a legacy completion (upstreams/filling.py)
            deltas.append(Text(text, number))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason and number not in self.finished:
            self.finished.add(number)
            deltas.append(Finish(FINISH_REASONS.get(reason, "stop"), number))

    def _message(
        self, message: dict[str, Any], choice: int, logprobs: dict[str, Any] | None, deltas: list[Delta]
    ) -> None:
        thought = message.get("reasoning_content") or message.get("reasoning")
        if thought and isinstance(thought, str):
            deltas.append(Thought(thought, choice))
        content = message.get("content")
        if not isinstance(content, str):
            content = text_of_content(content)
        if content or logprobs:
            deltas.append(Text(content, choice, logprobs))
        if SPEECH.issuperset(message):
            return
        refusal = message.get("refusal")
        if refusal and isinstance(refusal, str):
            deltas.append(Refusal(refusal, choice))
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            for call in calls:
                if isinstance(call, dict):
                    self._tool_call(call, choice, deltas)
        legacy = message.get("function_call")
        if isinstance(legacy, dict):
            self._tool_call({"index": 0, "function": legacy}, choice, deltas)
        if not KNOWN.issuperset(message):
            fields = {name: value for name, value in message.items() if name not in KNOWN and value is not None}
            if fields:
                deltas.append(Extra(fields, choice))

    def _tool_call(self, call: dict[str, Any], choice: int, deltas: list[Delta]) -> None:
        calls = self._calls.setdefault(choice, {})
        function = call.get("function")
        if not isinstance(function, dict):
            function = {}
        given = call.get("id")
        call_id = given if isinstance(given, str) else ""
        name = function.get("name")
        name = name if isinstance(name, str) else ""
        index = _index_of(call.get("index"), call_id, name, calls)
        arguments = function.get("arguments")
        if isinstance(arguments, dict | list):  # Ollama and others send the object itself
            arguments = dumps(arguments).decode()
        known = calls.get(index)
        if known is None:
            known = calls[index] = _Call()
        delta = ToolCall(
            index,
            arguments if isinstance(arguments, str) else "",
            (call_id or None) if not known.id else None,
            (name or None) if not known.name else None,
            choice,
        )
        known.id, known.name = known.id or call_id, known.name or name
        deltas.append(delta)


@dataclass(slots=True)
class _Call:
    """What was told of a tool call so far; some upstreams repeat it in every piece, some tell it late."""

    id: str = ""
    name: str = ""


def _index_of(given: Any, call_id: str, name: str, calls: dict[int, _Call]) -> int:
    """The index of the call that a piece belongs to, also when the upstream gives none, or the same to all."""
    same = next((number for number, call in calls.items() if call_id and call.id == call_id), None)
    if same is not None:
        return same
    if type(given) is int:
        open_call = calls.get(given)
        if open_call is None or not (call_id and name and open_call.id and open_call.name):
            return given
        return max(calls) + 1  # another id and a name: Ollama numbers each call of a turn 0 (ollama issue 7881)
    return max(calls, default=-1) + (1 if name or not calls else 0)


def told(logprobs: Any) -> TypeGuard[dict[str, Any]]:
    """Whether there are log probabilities in it: some upstreams always send the object."""
    return isinstance(logprobs, dict) and bool(logprobs.get("content") or logprobs.get("refusal"))


def begin_of(payload: dict[str, Any]) -> Begin:
    """What the first chunk says about the answer as a whole."""
    created = payload.get("created")
    answer_id, model, fingerprint = payload.get("id"), payload.get("model"), payload.get("system_fingerprint")
    return Begin(
        answer_id if isinstance(answer_id, str) and answer_id else None,
        model if isinstance(model, str) and model else None,
        count(created) or None,
        fingerprint if isinstance(fingerprint, str) and fingerprint else None,
    )


def usage_of(usage: dict[str, Any]) -> Usage | None:
    """Usage with every number an integer; None when it says nothing."""
    prompt = count(usage.get("prompt_tokens", usage.get("input_tokens")))
    completion = count(usage.get("completion_tokens", usage.get("output_tokens")))
    total = count(usage.get("total_tokens")) or prompt + completion
    if not total:
        return None
    if not prompt and not completion:  # embeddings may give only the total (upstream.md 4.10)
        prompt = total
    return Usage(
        prompt,
        completion,
        max(total, prompt + completion),
        details_of(usage.get("prompt_tokens_details", usage.get("input_tokens_details"))),
        details_of(usage.get("completion_tokens_details", usage.get("output_tokens_details"))),
    )


def details_of(details: Any) -> dict[str, Any]:
    """The details that are numbers: nulls, and what is no count of tokens, are left out."""
    if not isinstance(details, dict):
        return {}
    return {name: value for name, value in details.items() if type(value) in NUMBERS}


def count(value: Any) -> int:
    """A token count: never negative, never a float."""
    return min(int(value), LARGEST) if type(value) in NUMBERS and value > 0 else 0


LARGEST = 2**53 - 1
"""The largest whole number that every client can read."""


def text_of_content(content: Any) -> str:
    """Content as text; some answers carry a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return ""
