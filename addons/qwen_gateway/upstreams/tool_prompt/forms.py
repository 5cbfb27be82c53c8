"""The forms in which models write a call, each read piece by piece (upstream.md 3.12).

`advance` is given all the text since the call's beginning, as much of it as there is, and answers whether the call is
complete, is none, or needs more. It answers the same for a text whichever way it came: nothing is decided before enough
is there to see.
"""

from dataclasses import dataclass, field
from typing import Protocol

from qwen_gateway.upstreams.tool_prompt.arguments import Settled

CLOSERS = ("</tool_call>", "</tool_calls>", "</function_call>", "</function_calls>")
"""Ends of a block of calls."""


@dataclass(slots=True)
class Call:
    """One call, read to its end."""

    name: str
    settled: Settled


@dataclass(slots=True)
class More:
    """Nothing can be said yet, except perhaps whose call it is."""

    name: str | None = None


@dataclass(slots=True)
class Done:
    """Complete.

    Attributes:
        end: where the text goes on.
        torn: it was not complete, and the text is over.
    """

    end: int
    calls: list[Call] = field(default_factory=list)
    torn: bool = False


class NoCall:
    """Prose after all."""


Step = More | Done | NoCall


class Form(Protocol):
    """A call that is being read."""

    def advance(self, text: str, *, final: bool) -> Step:
        """Read on.

        Args:
            text: everything from the form's beginning on; it only grows.
            final: there will be no more.
        """
