"""Leaves out the oldest of a conversation that is too long for a model (`truncation: auto`).

System messages stay, and so does the last question with all that follows it as far as there is room. A tool's result
goes with its call. What is left begins with a question, as Qwen's templates demand (upstream.md 4.13).
"""

from collections.abc import Callable, Sequence
from typing import Any

Message = dict[str, Any]
SYSTEM = frozenset({"system", "developer"})


def trim(messages: Sequence[Message], room: int, size: Callable[[list[Message]], int]) -> list[Message] | None:
    """The messages without the oldest ones.

    Args:
        room: tokens that may stay.
        size: tokens of some messages.

    Returns:
        None when even the least that must stay is too long.
    """
    kept = [message["role"] in SYSTEM for message in messages]
    units = units_of(messages)
    question = next((unit for unit in reversed(units) if messages[unit[0]]["role"] == "user"), None)
    must = [unit for unit in (question, units[-1] if units else None) if unit is not None]
    for unit in must:
        for place in unit:
            kept[place] = True
    used = size([message for message, stays in zip(messages, kept, strict=True) if stays])
    if used > room:
        return None
    for unit in reversed(units):
        if unit in must:
            continue
        used += size([messages[place] for place in unit])
        if used > room:
            break
        for place in unit:
            kept[place] = True
    first = next((place for place, message in enumerate(messages) if kept[place] and message["role"] == "user"), 0)
    return [
        message
        for place, message in enumerate(messages)
        if kept[place] and (place >= first or message["role"] in SYSTEM)
    ]


def units_of(messages: Sequence[Message]) -> list[list[int]]:
    """The places of what belongs together: a message by itself, a call with its results. System messages are none."""
    units: list[list[int]] = []
    for place, message in enumerate(messages):
        if message["role"] in SYSTEM:
            continue
        if message["role"] in ("tool", "function") and units:
            units[-1].append(place)
        else:
            units.append([place])
    return units
