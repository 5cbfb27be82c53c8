"""What an answer is made of, whichever upstream sends it and whichever surface shows it.

An upstream's decoder turns bytes into deltas; a surface's writer turns deltas into bytes. Nothing else crosses between
the two, so a new kind of upstream needs no knowledge of surfaces and the other way round.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Begin:
    """The upstream named its answer: its own id and the model behind the name asked for."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
    system_fingerprint: str | None = None


@dataclass(slots=True)
class Text:
    """More text of the answer."""

    text: str
    choice: int = 0
    logprobs: dict[str, Any] | None = None


@dataclass(slots=True)
class Thought:
    """More text of the model's thinking."""

    text: str
    choice: int = 0


@dataclass(slots=True)
class Refusal:
    """More text of a refusal."""

    text: str
    choice: int = 0


@dataclass(slots=True)
class ToolCall:
    """A piece of a tool call: `id` and `name` only with its first piece; `arguments` is JSON text to append.

    Attributes:
        problem: what is wrong with the whole of them, where somebody has looked.
    """

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None
    choice: int = 0
    problem: str = ""


@dataclass(slots=True)
class Extra:
    """Fields of a message that OpenAI's description does not know and that survive (`audio`, `annotations`, …)."""

    fields: dict[str, Any]
    choice: int = 0


@dataclass(slots=True)
class Finish:
    """Why a choice ended, in OpenAI's words."""

    reason: str
    choice: int = 0


@dataclass(slots=True)
class Usage:
    """Tokens as the upstream counts them; the last one of an answer counts."""

    prompt: int
    completion: int
    total: int
    prompt_details: dict[str, Any] = field(default_factory=dict)
    completion_details: dict[str, Any] = field(default_factory=dict)
    choice: int = 0


@dataclass(slots=True)
class Vector:
    """An embedding of one input: `row` counts the inputs of the whole call."""

    row: int
    values: list[float]
    choice: int = 0


@dataclass(slots=True)
class Fault:
    """The upstream failed, said in its own words; `judge` (upstreams/faults.py) decides what it means.

    Attributes:
        status: HTTP status, or the one hidden in the stream; 0 when there was none (no connection, cut off).
        code: the upstream's code, as it came.
        message: the upstream's message, as it came.
        retry_after: seconds the upstream asked us to wait.
        origin: where it was seen: `connect`, `timeout`, `cut`, `status`, `body`, `stream`, `empty`.
    """

    status: int
    code: str
    message: str
    retry_after: float | None = None
    origin: str = "status"
    request_id: str | None = None


@dataclass(slots=True)
class Unmet(Fault):
    """The answer came, and is not what it had to be.

    Attributes:
        added: messages to ask again with, behind the client's own; empty: there is no point in it.
        spent: tokens that the answer cost.
    """

    added: tuple[dict[str, Any], ...] = ()
    spent: Usage | None = None


Delta = Begin | Text | Thought | Refusal | ToolCall | Extra | Vector | Finish | Usage | Fault

CONTENT = (Text, Thought, Refusal, ToolCall, Extra, Vector)
"""Deltas that show a client something: with the first of these an answer has begun."""
