"""One output item of a Responses stream, and the parts that are written into it piece by piece."""

import json
from dataclasses import dataclass
from typing import Any

type Node = dict[str, Any]

# family of `response.FAMILY.delta` events -> key of the list in the item, key of the index, key of the text
PARTS = {
    "output_text": ("content", "content_index", "text"),
    "refusal": ("content", "content_index", "refusal"),
    "reasoning_text": ("content", "content_index", "text"),
    "reasoning_summary_text": ("summary", "summary_index", "text"),
}
PART_FRAMES = {"content_part": ("content", "content_index"), "reasoning_summary_part": ("summary", "summary_index")}
# the same for text that is a key of the item itself -> type of the item, key of the text
WHOLE = {
    "function_call_arguments": ("function_call", "arguments"),
    "custom_tool_call_input": ("custom_tool_call", "input"),
    "mcp_call_arguments": ("mcp_call", "arguments"),
}
FAMILIES = {
    "message": {"output_text", "refusal"},
    "reasoning": {"reasoning_text", "reasoning_summary_text"},
}


@dataclass
class Text:
    """Text that arrives in deltas: what came so far, what its `done` said, and its finished part."""

    part: Node
    so_far: str = ""
    done: bool = False
    final: Node | None = None


class Item:
    """An output item between `output_item.added` and `output_item.done`."""

    def __init__(self, added: Node) -> None:
        self.added = added
        self.id = added.get("id")
        self.final: Node | None = None
        self.lists: dict[str, list[Text]] = {"content": [], "summary": []}
        self.whole: Text | None = None

    def complaints_at_start(self) -> list[str]:
        """A new item is in progress and has nothing in it yet."""
        found = [] if self.id else ["the item has no id"]
        if self.added.get("status", "in_progress") != "in_progress":
            found.append(f"a new item has status {self.added['status']!r}")
        filled = [key for key in ("content", "summary", "arguments", "input") if self.added.get(key)]
        return found + [f"a new item already has {key}" for key in filled]

    def feed(self, kind: str, payload: Node) -> list[str]:
        """Complaints about the next event of this item."""
        if self.final is not None:
            return ["the item is done already"]
        if kind == "response.output_item.done":
            return self.close(payload.get("item") or {})
        if payload.get("item_id") != self.id:
            return [f"item_id {payload.get('item_id')!r} is not {self.id!r}, the id it was added with"]
        family, _, verb = kind.removeprefix("response.").rpartition(".")
        if family in PART_FRAMES:
            key, index = PART_FRAMES[family]
            return self.feed_frame(verb, self.lists[key], payload.get(index), payload.get("part") or {})
        if family in PARTS and verb in ("delta", "done"):
            return self.feed_part(family, verb, payload)
        if family in WHOLE:
            return self.feed_whole(family, verb, payload)
        return []

    def feed_frame(self, verb: str, parts: list[Text], index: Any, part: Node) -> list[str]:
        """A part opens empty, and closes with all of its text."""
        if verb == "added":
            parts.append(Text(part))
            found = [f"part {index} opens with text in it"] if part.get("text") or part.get("refusal") else []
            return found if index == len(parts) - 1 else [*found, f"part {index} skips a number: {len(parts) - 1}"]
        if not isinstance(index, int) or not 0 <= index < len(parts):
            return [f"part {index} was never added"]
        text = parts[index]
        found = []
        if text.final is not None:
            found.append(f"part {index} is done already")
        if not text.done:
            found.append(f"part {index} closes before its text is done")
        if part.get("type") != text.part.get("type"):
            found.append(f"part {index} changes its type")
        if part.get("text", part.get("refusal")) != text.so_far:
            found.append(f"part {index} is not what its deltas said")
        text.final = part
        return found

    def feed_part(self, family: str, verb: str, payload: Node) -> list[str]:
        """A piece of text for an open part."""
        if family not in FAMILIES.get(str(self.added.get("type")), set()):
            return [f"{family} does not belong into an item of type {self.added.get('type')!r}"]
        key, index_key, text_key = PARTS[family]
        parts, index = self.lists[key], payload.get(index_key)
        if not isinstance(index, int) or not 0 <= index < len(parts):
            return [f"part {index} was never added"]
        if parts[index].final is not None:
            return [f"part {index} is done already"]
        return feed_text(parts[index], verb, payload, text_key)

    def feed_whole(self, family: str, verb: str, payload: Node) -> list[str]:
        """A piece of the arguments of a call."""
        kind, key = WHOLE[family]
        if self.added.get("type") != kind:
            return [f"{family} does not belong into an item of type {self.added.get('type')!r}"]
        self.whole = self.whole or Text({})
        found = feed_text(self.whole, verb, payload, key)
        if verb == "done" and "name" in payload and payload["name"] != self.added.get("name"):
            found.append(f"the call is named {self.added.get('name')!r}, not {payload['name']!r}")
        return found

    def close(self, final: Node) -> list[str]:
        """The finished item repeats what its events said."""
        self.final = final
        found = [f"{key} changes" for key in ("id", "type", "call_id", "name") if final.get(key) != self.added.get(key)]
        if final.get("status") == "in_progress":
            found.append("a finished item is still in progress")
        for key, parts in self.lists.items():
            if any(part.final is None for part in parts):
                found.append(f"a part of {key} was never done")
            if (final.get(key) or []) != [part.final for part in parts if part.final is not None]:
                found.append(f"{key} is not what the events of its parts said")
        for kind, key in WHOLE.values():
            if final.get("type") == kind:
                found += self.close_whole(final, key)
        return found

    def close_whole(self, final: Node, key: str) -> list[str]:
        """The arguments of a finished call: announced, complete, and for a function JSON."""
        if self.whole is None or not self.whole.done:
            return [f"{key} was never done"]
        found = [] if final.get(key) == self.whole.so_far else [f"{key} is not what its deltas said"]
        if key == "arguments" and final.get("status") != "incomplete":
            try:
                json.loads(self.whole.so_far)
            except ValueError:
                found.append(f"the arguments are no JSON: {self.whole.so_far[:80]!r}")
        return found


def feed_text(text: Text, verb: str, payload: Node, key: str) -> list[str]:
    """A delta, or the `done` that repeats all of them."""
    if text.done:
        return ["its text is done already"]
    if verb == "delta":
        text.so_far += payload.get("delta") or ""
        return []
    text.done = True
    return [] if payload.get(key) == text.so_far else [f"{key} is not what its deltas said"]
