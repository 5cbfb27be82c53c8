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

    @property
    def repeatable(self) -> bool:
        """Whether the same call would be answered in the same way."""
        if SEARCHES & self.body.keys():
            return False
        return self.body.get("temperature") == 0 or "seed" in self.body

    def essence(self) -> list[Any]:
        """What the answer depends on: not who asks, and not in which form it is shown."""
        body = {name: value for name, value in self.body.items() if name not in ASIDE}
        return [self.model, self.choices, body]


SEARCHES = frozenset({"web_search_options", "enable_search"})
"""The web is another one tomorrow."""

ASIDE = frozenset(
    {
        "user", "safety_identifier", "metadata", "store", "prompt_cache_key", "prompt_cache_retention",
        "prompt_cache_options", "service_tier", "stream_options",
    }
)  # fmt: skip
"""Parameters that are not sent, or change nothing in the answer."""
