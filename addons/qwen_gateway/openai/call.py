"""What every parsed call has, whichever surface it came by."""

from dataclasses import dataclass, field
from typing import Any

from qwen_gateway.openai.notices import Notice


@dataclass(slots=True, kw_only=True)
class Call:
    """A parsed call.

    Attributes:
        model: the name that the client asked for.
        body: the request as plain JSON without nulls.
        choices: how many answers are wanted (`n`).
        stickiness: calls of equal stickiness should stay on one account (`prompt_cache_key`).
        notices: what parsing itself changed.
    """

    model: str
    body: dict[str, Any]
    stream: bool = False
    choices: int = 1
    stickiness: str | None = None
    notices: list[Notice] = field(default_factory=list)
