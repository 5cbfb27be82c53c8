"""What an encoder may need to know beside the call and the host: about the account, and about the conversation."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Literal

from qwen_gateway.upstreams.tool_prompt.toolbox import Convention

Parent = Literal["response", "question"]
"""Which id continues a chat of chat.qwen.ai: the answer's, or that of the question before it (upstream.md 9.1)."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat at the upstream that this call continues.

    Attributes:
        id: the upstream's.
        parent: the id that the next turn names as its parent.
    """

    id: str
    parent: str


@dataclass(frozen=True, slots=True)
class Situation:
    """The circumstances of one attempt.

    Attributes:
        origin: the account's base URL.
        guest: nobody is signed in with the account.
        known: the upstream's own list of models, if it was read.
        chat: the chat that has all of the call's messages but the last one.
        parent: see `Parent`.
        tool_prompt: how tools are put into words for an upstream that has none.
        dispose: a chat that nobody will go on with is deleted.
    """

    origin: str = ""
    guest: bool = False
    known: Collection[str] | None = None
    chat: Chat | None = None
    parent: Parent = "response"
    tool_prompt: Convention = "json"
    dispose: bool = False


@cache
def nowhere(tool_prompt: Convention = "json") -> Situation:
    """Where neither account nor conversation matters."""
    return Situation(tool_prompt=tool_prompt)


NOWHERE = nowhere()
