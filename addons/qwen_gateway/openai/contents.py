"""The content of a message: a text, or a list of parts."""

from typing import Any


def joined(contents: list[Any]) -> Any:
    """One content out of many: a text where all of them are texts, else all their parts."""
    if len(contents) == 1:
        return contents[0]
    if all(isinstance(content, str) for content in contents):
        return "\n\n".join(content for content in contents if content)
    parts: list[Any] = []
    for content in contents:
        parts.extend(content if isinstance(content, list) else [{"type": "text", "text": content}])
    return parts
