"""Stored chat completions: what is kept of them, and lists of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qwen_gateway.ledger import objects
from qwen_gateway.openai.chat_kept import stored_messages
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import NotFound
from qwen_gateway.shelf.shelf import Shelf

if TYPE_CHECKING:
    from sqlalchemy import Connection

KIND = "chat.completion"
MOST = 10_000
"""Completions that are looked through for a list."""


def keep(shelf: Shelf, call: ChatCall, owner: str, completion: dict[str, Any]) -> None:
    """Store a completion with the messages that it answers."""
    completion = completion | {"metadata": call.body.get("metadata", {})}
    messages = stored_messages(call.body["messages"], completion["id"])
    shelf.put(completion["id"], KIND, {"completion": completion, "messages": messages}, owner=owner)


def find(connection: "Connection", completion_id: str, owner: str, now: float) -> "objects.Stored":
    """A stored completion.

    Raises:
        NotFound: there is none for this caller.
    """
    stored = objects.find(connection, completion_id, kind=KIND, owner=owner, now=now)
    if stored is None:
        raise NotFound(f"Chat completion with id '{completion_id[:80]}' not found.", param="completion_id")
    return stored


def change(
    connection: "Connection", completion_id: str, owner: str, now: float, metadata: dict[str, str]
) -> dict[str, Any]:
    """Give it other metadata; the completion as it is then."""
    stored = find(connection, completion_id, owner, now)
    completion: dict[str, Any] = stored.content["completion"] | {"metadata": metadata}
    content = stored.content | {"completion": completion}
    objects.keep(
        connection,
        objects.Stored(stored.id, KIND, content, stored.created_at, owner, expires_at=stored.expires_at),
    )
    return completion


def listed(connection: "Connection", owner: str, now: float, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Completions in the order in which they came, of the model and with the metadata that the query names."""
    model = query.get("model")
    metadata = {
        name[len("metadata[") : -1]: value
        for name, value in query.items()
        if name.startswith("metadata[") and name.endswith("]")
    }
    rows = objects.newest(connection, kind=KIND, owner=owner, limit=MOST)
    kept = [row.content["completion"] for row in reversed(rows) if row.expires_at is None or row.expires_at > now]
    return [
        completion
        for completion in kept
        if (model is None or completion["model"] == model) and metadata.items() <= completion["metadata"].items()
    ]
