"""Model names with a suffix that asks for more than the model (upstream.md 3.7): `qwen3.7-plus-thinking-search`."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mode:
    """What a name's suffix asks for.

    Attributes:
        thinking: think, whatever the call says.
        search: search the web.
        chat_type: of 3.5.
    """

    thinking: bool = False
    search: bool = False
    chat_type: str = "t2t"


SUFFIXES = {
    "-thinking-search": Mode(thinking=True, search=True),
    "-thinking": Mode(thinking=True),
    "-search": Mode(search=True),
    "-image-edit": Mode(chat_type="image_edit"),
    "-image": Mode(chat_type="t2i"),
    "-deep-research": Mode(chat_type="deep_research"),
    "-video": Mode(chat_type="t2v"),
}
"""Longer ones first: RF's convention (3.7)."""

PLAIN = Mode()


def split(name: str, known: Collection[str] | None = None) -> tuple[str, Mode]:
    """The model and what its suffix asks for; a model whose own name ends like that has no suffix."""
    if known is not None and name in known:
        return name, PLAIN
    for suffix, mode in SUFFIXES.items():
        base = name.removesuffix(suffix)
        if base not in ("", name) and (known is None or base in known or not known):
            return base, mode
    return name, PLAIN
