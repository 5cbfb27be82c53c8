"""Embedding models: what is known of them, and which one answers to a name (upstream.md 4.10).

Vectors of different models do not compare, so nothing here falls back on whatever model there is: a name must be a
model, an alias of the operator's, or one of OpenAI's names of embedding models.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qwen_gateway.openai.errors import NotFound
from qwen_gateway.openai.notices import Notice
from qwen_gateway.upstreams.flavours import Flavour
from qwen_gateway.upstreams.models import EMBEDDING, Naming


@dataclass(frozen=True, slots=True)
class EmbeddingFacts:
    """What is known of a model.

    Attributes:
        rows: the most inputs of one upstream call.
        dimensions: the lengths that a vector may have, the usual one first; empty: nobody wrote them down.
    """

    rows: int
    dimensions: tuple[int, ...] = ()


ROWS = {
    "text-embedding-v4": EmbeddingFacts(10, (1024, 2048, 1536, 768, 512, 256, 128, 64)),
    "text-embedding-v3": EmbeddingFacts(10, (1024, 768, 512, 256, 128, 64)),
    "text-embedding-v2": EmbeddingFacts(25, (1536,)),
    "text-embedding-v1": EmbeddingFacts(25, (1536,)),
}
"""Models of DashScope's."""

UNWRITTEN = EmbeddingFacts(10)
"""A model of DashScope's that nothing is written about: ten inputs are taken by all that are known."""

ELSEWHERE = EmbeddingFacts(128)
"""Other hosts name no limit; calls of this size still come back in seconds from a server of one's own."""

OPENAI_LENGTHS = {"text-embedding-ada-002": 1536, "text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
"""How long OpenAI's vectors are: what a client's database was made for."""

EMBEDS = re.compile(r"embed|(?:^|/)(?:bge|gte|e5|jina|minilm)", re.IGNORECASE)
"""Names of models that embed."""


def embedding_facts(model: str, flavour: Flavour) -> EmbeddingFacts:
    """What is known of `model` at this host."""
    if flavour.default_model is None:
        return ELSEWHERE
    return ROWS.get(model, UNWRITTEN)


def resolve_embedding(
    name: str, naming: Naming, flavour: Flavour, known: Sequence[str] | None
) -> tuple[str, Notice | None]:
    """The host's model for the name that a client asked for.

    Args:
        known: everything on the host's own list, if it was read.

    Raises:
        NotFound: the host does not embed, or has no such model.
    """
    if not flavour.embeds:
        raise NotFound(
            f"{flavour.name} has no embeddings; add an account that has (a Model Studio key, or a server of your own "
            "with an embedding model).",
            param="model",
            code="model_not_found",
        )
    if alias := naming.alias(name):
        return alias, Notice("translated", "model", f"'{name}' is '{alias}' here (alias)")
    folded = name.casefold()
    for candidate in known or ():
        if candidate.casefold() == folded:
            return candidate, None
    openai = name in OPENAI_LENGTHS
    if flavour.default_model is not None:
        if openai:
            return EMBEDDING, Notice("translated", "model", f"'{name}' is '{EMBEDDING}' here")
        if EMBEDS.search(name):
            return name, None
    elif known is None:
        return name, None  # the list could not be read: only the host itself can tell
    elif openai and (found := next((model for model in known if EMBEDS.search(model)), None)):
        return found, Notice("translated", "model", f"'{name}' is '{found}' here")
    raise NotFound(
        f"'{name[:80]}' is no embedding model of this {flavour.name} account. `qwen_model_aliases` gives one a name of "
        "your own; no other model answers instead, for vectors of different models do not compare.",
        param="model",
        code="model_not_found",
    )
