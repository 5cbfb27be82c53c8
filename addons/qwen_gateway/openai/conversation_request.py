"""Bodies of conversations, checked."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from qwen_gateway.codec.ids import random_hex
from qwen_gateway.openai.errors import BadRequest
from qwen_gateway.openai.responses_content import chat_content
from qwen_gateway.openai.responses_items import item_type
from qwen_gateway.openai.responses_resources import PREFIXES, named

Metadata = Annotated[dict[str, str], Meta(max_length=16)]
Items = Annotated[list[dict[str, Any]], Meta(max_length=20)]


class CreateConversation(Struct):
    """A new conversation."""

    items: Items | None = None
    metadata: Metadata | None = None


class ChangeConversation(Struct):
    """Another set of metadata."""

    metadata: Metadata | None


class CreateItems(Struct):
    """More items."""

    items: Items


def new_items(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items with ids.

    Raises:
        BadRequest: one that is none, or that cannot be kept.
    """
    for number, item in enumerate(items):
        place = f"items[{number}]"
        if (kind := item_type(item)) not in PREFIXES:
            raise BadRequest(
                f"Items of type '{kind[:40]}' cannot be kept; send one of {', '.join(PREFIXES)}.", param=f"{place}.type"
            )
        if kind == "message":
            if item.get("role") not in ("user", "assistant", "system", "developer"):
                raise BadRequest(
                    f"Invalid '{place}.role': it must be user, assistant, system or developer.", param=f"{place}.role"
                )
            chat_content(item.get("content"), f"{place}.content")
    return named(items, random_hex(24))
