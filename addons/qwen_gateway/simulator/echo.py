"""The engine: what the simulated model says, a deterministic function of the call.

* Text: an introduction, then the last user message again.
* Thoughts, when thinking is on.
* Tool calls, when `tool_choice` forces one or the last user message mentions tools by name: one call
  for each name, in the order of the text. Arguments conform to the tool's schema (`schema.py`).
* After a `tool` message: a text that repeats what the tools answered.
* JSON, when `response_format` asks for it.

`stop`, `max_tokens`, `max_completion_tokens`, `thinking_budget`, `n`, and `seed` (which picks the
introduction) have their effects; upstream.md 4.3 says which limit counts what.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any

from qwen_gateway.codec.json import dumps

from .schema import conform
from .tokens import count, pieces
from .wire import JsonObject


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Speech:
    """What the model says in one choice."""

    text: str = ""
    thoughts: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"

    @property
    def reasoning_tokens(self) -> int:
        """The tokens of the thoughts."""
        return count(self.thoughts)

    @property
    def text_tokens(self) -> int:
        """The tokens of the answer, with its tool calls."""
        return count(self.text) + sum(count(call.name) + count(call.arguments) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a call asks of the engine, after its parameters have been checked."""

    model: str
    messages: list[Any]
    thinking: bool = False
    tools: tuple[JsonObject, ...] = ()
    forced: str | None = None
    """The tool to call, or "required" for any."""
    parallel: bool = True
    json_schema: Any = None
    """The schema the answer must conform to; `{}` for any object."""
    stop: tuple[str, ...] = ()
    limit: int | None = None
    """Ceiling of the answer."""
    whole_limit: int | None = None
    """Ceiling of thoughts and answer together."""
    budget: int | None = None
    seed: int | None = None
    id_prefix: str = "call_"


INTRODUCTIONS = (
    "Hello! This is the qwen-gateway simulator, speaking in place of {model}. You said:",
    "Good day! No model was asked: the simulator answers for {model}. Your words were:",
    "The simulator, sitting in for {model}, has read your message:",
)


def speak(wish: Wish, choice: int = 0) -> Speech:
    """What the model says."""
    prompt = last_user_text(wish.messages)
    answers = _tool_answers(wish.messages)
    calls = _calls(wish, prompt, answered=bool(answers), choice=choice)
    thoughts = _thoughts(wish, prompt, calls) if wish.thinking else ""
    text = "" if calls else _text(wish, prompt, answers, choice)
    speech = Speech(text, thoughts, calls, "tool_calls" if calls else "stop")
    return _limited(_stopped(speech, wish.stop), wish)


def last_user_text(messages: list[Any]) -> str:
    """The text of the last user message."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def text_of(content: Any) -> str:
    """The text of a content, whatever its form; what is no text is named."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = []
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            parts.append(part["text"])
        elif isinstance(part, dict) and part.get("type"):
            parts.append(f"[{part['type']}]")
    return " ".join(parts)


def _tool_answers(messages: list[Any]) -> list[str]:
    answers = []
    for message in reversed(messages):
        if not isinstance(message, dict) or message.get("role") != "tool":
            break
        answers.append(text_of(message.get("content")))
    return answers[::-1]


def _text(wish: Wish, prompt: str, answers: list[str], choice: int) -> str:
    if wish.json_schema is not None:
        value = conform(wish.json_schema, prompt) if wish.json_schema else {"answer": prompt, "from": "simulator"}
        return dumps(value).decode()
    if answers:
        return "The tools have answered. " + " ".join(f"“{answer}”" for answer in answers)
    introduction = INTRODUCTIONS[(wish.seed or 0) % len(INTRODUCTIONS)].format(model=wish.model)
    again = f" (This is choice {choice + 1}.)" if choice else ""
    return f"{introduction} “{prompt}”{again}"


def _thoughts(wish: Wish, prompt: str, calls: tuple[ToolCall, ...]) -> str:
    plan = f"I shall call {', '.join(call.name for call in calls)}." if calls else "I shall repeat them."
    return f"The user has sent {len(wish.messages)} messages; the last one has {count(prompt)} tokens. {plan}"


def _calls(wish: Wish, prompt: str, *, answered: bool, choice: int) -> tuple[ToolCall, ...]:
    tools = {tool["function"]["name"]: tool["function"] for tool in wish.tools}
    mentioned = sorted(
        (found.start(), name)
        for name in tools
        if (found := re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", prompt))
    )
    names = [] if answered else [name for _, name in mentioned]
    if wish.forced == "required":
        names = names or list(tools)[:1]
    elif wish.forced is not None:
        names = [wish.forced]
    if not wish.parallel:
        names = names[:1]
    return tuple(
        ToolCall(
            wish.id_prefix + _digest(prompt, name, str(len(wish.messages)), str(choice)),
            name,
            dumps(conform(tools[name].get("parameters") or {"type": "object"}, prompt)).decode(),
        )
        for name in names
    )


def _stopped(speech: Speech, stops: tuple[str, ...]) -> Speech:
    places = [place for stop in stops if stop and (place := speech.text.find(stop)) >= 0]
    return replace(speech, text=speech.text[: min(places)]) if places else speech


def _limited(speech: Speech, wish: Wish) -> Speech:
    thoughts = pieces(speech.thoughts)
    if wish.budget is not None:
        thoughts = thoughts[: wish.budget]
    whole = wish.whole_limit
    if whole is not None and len(thoughts) >= whole:
        return Speech("", "".join(thoughts[:whole]), (), "length")
    limits = [limit for limit in (wish.limit, None if whole is None else whole - len(thoughts)) if limit is not None]
    speech = replace(speech, thoughts="".join(thoughts))
    if not limits or speech.text_tokens <= min(limits):
        return speech
    left = min(limits)
    text = pieces(speech.text)[:left]
    left -= len(text)
    calls = []
    for call in speech.calls:
        left -= count(call.name)
        if left < 0:
            break
        arguments = pieces(call.arguments)[:left]
        left -= len(arguments)
        calls.append(replace(call, arguments="".join(arguments)))
    return replace(speech, text="".join(text), calls=tuple(calls), finish="length")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
