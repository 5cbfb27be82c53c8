"""Which surface a path belongs to. A table; paths with and without `/v1` are the same, as clients' base URLs differ."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Surface = Literal[
    "chat",
    "responses",
    "compact",
    "input tokens",
    "stored response",
    "stored chat",
    "conversations",
    "completions",
    "embeddings",
    "models",
    "model",
    "health",
    "accounts",
    "account",
    "signin",
    "metrics",
    "records",
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        allowed: the methods of the path; empty when the path is unknown.
        argument: what stands in the path (a model's name).
    """

    surface: Surface
    allowed: frozenset[str] = frozenset()
    argument: str = ""


_PREFIX = r"(?:/openai)?(?:/v1)?"

TABLE: tuple[tuple[re.Pattern[str], Surface, frozenset[str]], ...] = (
    (re.compile(rf"{_PREFIX}/chat/completions"), "chat", frozenset({"GET", "POST"})),
    (
        re.compile(rf"{_PREFIX}/chat/completions/(?P<argument>chatcmpl-[^/]+)"),
        "stored chat",
        frozenset({"GET", "HEAD", "POST", "DELETE"}),
    ),
    (
        re.compile(rf"{_PREFIX}/chat/completions/(?P<argument>chatcmpl-[^/]+/messages)"),
        "stored chat",
        frozenset({"GET", "HEAD"}),
    ),
    (re.compile(rf"{_PREFIX}/responses"), "responses", frozenset({"POST"})),
    (re.compile(rf"{_PREFIX}/completions"), "completions", frozenset({"POST"})),
    (re.compile(rf"{_PREFIX}/responses/compact"), "compact", frozenset({"POST"})),
    (re.compile(rf"{_PREFIX}/responses/input_tokens"), "input tokens", frozenset({"POST"})),
    (
        re.compile(rf"{_PREFIX}/responses/(?P<argument>resp_[^/]+/input_items)"),
        "stored response",
        frozenset({"GET", "HEAD"}),
    ),
    (re.compile(rf"{_PREFIX}/responses/(?P<argument>resp_[^/]+/cancel)"), "stored response", frozenset({"POST"})),
    (
        re.compile(rf"{_PREFIX}/responses/(?P<argument>resp_[^/]+)"),
        "stored response",
        frozenset({"GET", "HEAD", "DELETE"}),
    ),
    (re.compile(rf"{_PREFIX}/conversations"), "conversations", frozenset({"POST"})),
    (
        re.compile(rf"{_PREFIX}/conversations/(?P<argument>[^/]+/items)"),
        "conversations",
        frozenset({"GET", "HEAD", "POST"}),
    ),
    (
        re.compile(rf"{_PREFIX}/conversations/(?P<argument>[^/]+/items/[^/]+)"),
        "conversations",
        frozenset({"GET", "HEAD", "DELETE"}),
    ),
    (
        re.compile(rf"{_PREFIX}/conversations/(?P<argument>[^/]+)"),
        "conversations",
        frozenset({"GET", "HEAD", "POST", "DELETE"}),
    ),
    (re.compile(rf"{_PREFIX}/embeddings"), "embeddings", frozenset({"POST"})),
    (re.compile(rf"{_PREFIX}/models"), "models", frozenset({"GET", "HEAD"})),
    (re.compile(rf"{_PREFIX}/models/(?P<argument>.+)"), "model", frozenset({"GET", "HEAD"})),
    (re.compile(r"/accounts"), "accounts", frozenset({"GET", "HEAD"})),
    (re.compile(r"/accounts/(?P<argument>[^/]+/(?:reset|disable))"), "account", frozenset({"POST"})),
    (re.compile(r"/auth/(?P<argument>initiate|poll)"), "signin", frozenset({"POST"})),
    (re.compile(r"/health(?:/(?P<argument>live|ready))?"), "health", frozenset({"GET", "HEAD"})),
    (re.compile(r"/metrics"), "metrics", frozenset({"GET", "HEAD"})),
    *(
        (re.compile(rf"{_PREFIX}/(?P<argument>{path})"), "records", methods)
        for path, methods in (
            (r"(?:sessions|requests|responses)", frozenset({"GET", "HEAD"})),
            (r"sessions/[^/]+", frozenset({"GET", "HEAD", "DELETE"})),
            (r"sessions/[^/]+/(?:stats|requests)", frozenset({"GET", "HEAD"})),
            (r"requests/[^/]+(?:/response)?", frozenset({"GET", "HEAD"})),
            (r"responses/(?!resp_)[^/]+", frozenset({"GET", "HEAD"})),  # resp_…: OpenAI's object
        )
    ),
)

INTERCEPTED: frozenset[Surface] = frozenset(
    {
        "chat",
        "responses",
        "compact",
        "input tokens",
        "stored response",
        "stored chat",
        "conversations",
        "completions",
        "embeddings",
        "models",
        "model",
    }
)
"""Surfaces that are answered when a client's traffic to OpenAI is intercepted; all else passes through."""

CALLS: frozenset[Surface] = INTERCEPTED - {
    "input tokens",
    "stored response",
    "stored chat",
    "conversations",
    "models",
    "model",
}
"""Surfaces whose calls an upstream answers; a gateway that is about to end takes no new ones."""

ADMIN: frozenset[Surface] = frozenset({"accounts", "account", "signin", "metrics", "records"})
"""Surfaces for the operator alone."""


@lru_cache(maxsize=64)
def route(path: str, method: str = "") -> Route:
    """The route of a path; the query does not matter, nor does a slash at the end.

    Args:
        method: tells surfaces of one path apart. One that none of them allows is the first one's matter.
    """
    bare = path.split("?", 1)[0].rstrip("/") or "/"
    first: Route | None = None
    for pattern, surface, allowed in TABLE:
        if found := pattern.fullmatch(bare):
            argument = found.groupdict().get("argument") or ""
            if not method or method in allowed:
                return Route(surface, allowed, argument)
            first = (
                Route(first.surface, first.allowed | allowed, first.argument)
                if first
                else Route(surface, allowed, argument)
            )
    return first or Route("unknown")
