"""Stored responses: what is kept of them, and the context of calls that refer to them."""

from typing import TYPE_CHECKING, Any

from qwen_gateway.ledger import conversations, objects
from qwen_gateway.openai.errors import BadRequest, NotFound
from qwen_gateway.openai.responses_items import Placed
from qwen_gateway.openai.responses_request import Context, ResponsesCall, Unresolved, conversation_of
from qwen_gateway.openai.responses_resources import named
from qwen_gateway.shelf.shelf import Shelf

if TYPE_CHECKING:
    from sqlalchemy import Connection

KIND = "response"
STEM = 48
"""Characters of a response's id that the ids of its items begin with."""


def keep(shelf: Shelf, call: ResponsesCall, response: dict[str, Any], owner: str, **more: Any) -> None:
    """Store a response with the input of its turn; its conversation grows by both."""
    items = named((item for _, item in call.items), call.id.removeprefix("resp_"))
    over = response["status"] in ("completed", "incomplete")
    shelf.put(
        call.id,
        KIND,
        {"response": response, "items": items, **more},
        owner=owner,
        parent_id=call.request.get("previous_response_id"),
        conversation_id=conversation_of(call.request),
        conversation_items=[*items, *response["output"]] if over else (),
    )


def find(connection: "Connection", response_id: str, owner: str, now: float) -> "objects.Stored":
    """A stored response.

    Raises:
        NotFound: there is none for this caller.
    """
    stored = objects.find(connection, response_id, kind=KIND, owner=owner, now=now)
    if stored is None:
        raise NotFound(f"Response with id '{response_id[:80]}' not found.", param="response_id")
    return stored


def gather(connection: "Connection", wanted: Unresolved, owner: str, now: float) -> Context:
    """The context of a call.

    Raises:
        BadRequest: the previous response, or one before it, is not there, or not over.
        NotFound: there is no such conversation.
    """
    items: list[Placed] = []
    if wanted.previous is not None:
        items = [("previous_response_id", item) for item in _chain(connection, wanted.previous, owner, now)]
    kept: dict[str, dict[str, Any]] = {}
    if wanted.conversation is not None:
        if conversations.find(connection, wanted.conversation, owner=owner) is None:
            raise NotFound(f"Conversation with id '{wanted.conversation[:80]}' not found.", param="conversation")
        rows = conversations.items(connection, wanted.conversation)
        items = [("conversation", item) for item in rows]
        kept = {item["id"]: item for item in rows}
    references = {name: kept[name] for name in wanted.references if name in kept}
    for name in wanted.references - references.keys():
        stored = objects.find(connection, f"resp_{name.partition('_')[2][:STEM]}", kind=KIND, owner=owner, now=now)
        for item in (*stored.content["items"], *stored.content["response"]["output"]) if stored else ():
            if item.get("id") == name:
                references[name] = item
    return Context(items, references)


def _chain(connection: "Connection", response_id: str, owner: str, now: float) -> list[dict[str, Any]]:
    """The input and output of a response and of all that it goes on from, the oldest first."""
    turns: list[list[dict[str, Any]]] = []
    wanted: str | None = response_id
    while wanted is not None:
        stored = objects.find(connection, wanted, kind=KIND, owner=owner, now=now)
        if stored is None:
            said = (
                "not found" if wanted == response_id else f"not found: it goes on from '{wanted[:80]}', which is gone"
            )
            raise BadRequest(
                f"Previous response with id '{response_id[:80]}' {said}.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        response = stored.content["response"]
        if response["status"] in ("queued", "in_progress"):
            raise BadRequest(
                f"Response '{wanted[:80]}' is still {response['status']}; wait until it is completed.",
                param="previous_response_id",
            )
        turns.append([*stored.content["items"], *response["output"]])
        if stored.conversation_id is not None:
            turns.append(_before(connection, stored))
        wanted = stored.parent_id
    return [item for turn in reversed(turns) for item in turn]


def _before(connection: "Connection", stored: "objects.Stored") -> list[dict[str, Any]]:
    """What stood in the conversation of a response before its turn."""
    assert stored.conversation_id is not None
    own = {item.get("id") for item in (*stored.content["items"], *stored.content["response"]["output"])}
    found: list[dict[str, Any]] = []
    for item in conversations.items(connection, stored.conversation_id):
        if item["id"] in own:
            break
        found.append(item)
    return found
