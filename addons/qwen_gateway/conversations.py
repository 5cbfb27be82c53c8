"""OpenAI's conversations: made, looked at, changed and deleted, with their items."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mitmproxy import ctx, http

from qwen_gateway import flows, local, options
from qwen_gateway.codec.ids import random_hex
from qwen_gateway.ledger import conversations
from qwen_gateway.openai.chat_request import check, parse_object
from qwen_gateway.openai.conversation_request import ChangeConversation, CreateConversation, CreateItems, new_items
from qwen_gateway.openai.errors import NotFound, OpenAIError
from qwen_gateway.openai.pages import list_object, parse_page
from qwen_gateway.openai.responses_resources import resources
from qwen_gateway.router import route
from qwen_gateway.shelf.shelf import Shelf

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Conversations:
    """Serves `/v1/conversations` and what is below it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            self._settings = options.read(ctx.options)

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.metadata.get(flows.SURFACE) != "conversations":
            return
        try:
            local.answer(flow, await self._answer(flow))
        except OpenAIError as error:
            local.refuse(flow, error)
        local.let_read(flow, self._settings.cors_origins)

    async def _answer(self, flow: http.HTTPFlow) -> dict[str, Any]:
        name, _, below = route(flow.request.path).argument.partition("/")
        method, owner = flow.request.method, flows.caller(flow)
        body: dict[str, Any] = {}
        if method == "POST":
            data = flows.body_of(flow.request, self._settings.body_limit)
            body = parse_object(data) if data.strip() or name else {}
        if not name:
            return await self._create(body, owner)
        if below:
            return await self._items(flow, name, below.partition("/")[2], body, owner)
        if method == "DELETE":
            if not await self._shelf.write(lambda connection: conversations.remove(connection, name, owner=owner)):
                raise _unknown(name)
            return {"id": name, "object": "conversation.deleted", "deleted": True}
        if method == "POST":
            check(body, ChangeConversation)
            await self._shelf.write(
                lambda connection: conversations.change(connection, name, body["metadata"] or {}, owner=owner)
            )
        return await self._conversation(name, owner)

    async def _create(self, body: dict[str, Any], owner: str) -> dict[str, Any]:
        check(body, CreateConversation)
        made = conversations.Conversation(
            f"conv_{random_hex(24)}", body.get("metadata") or {}, float(int(self._shelf.clock())), owner
        )
        items = new_items(body.get("items") or [])

        def create(connection: "Connection") -> None:
            conversations.create(connection, made)
            conversations.append(connection, made.id, items, made.created_at)

        await self._shelf.write(create)
        return shown(made)

    async def _conversation(self, name: str, owner: str) -> dict[str, Any]:
        return shown(await self._shelf.read(lambda connection: found(connection, name, owner)))

    async def _items(
        self, flow: http.HTTPFlow, name: str, item_id: str, body: dict[str, Any], owner: str
    ) -> dict[str, Any]:
        if flow.request.method == "POST":
            return await self._append(name, body, owner)
        if not item_id:
            return await self._list(name, flow.request.query, owner)
        if flow.request.method == "DELETE":

            def remove(connection: "Connection") -> "conversations.Conversation":
                conversation = found(connection, name, owner)
                if not conversations.remove_item(connection, name, item_id):
                    raise _unknown_item(item_id)
                return conversation

            return shown(await self._shelf.write(remove))

        def look_up(connection: "Connection") -> dict[str, Any] | None:
            found(connection, name, owner)
            return conversations.item(connection, name, item_id)

        item = await self._shelf.read(look_up)
        if item is None or not (given := resources([item])):
            raise _unknown_item(item_id)
        return given[0]

    async def _append(self, name: str, body: dict[str, Any], owner: str) -> dict[str, Any]:
        check(body, CreateItems)
        items = new_items(body["items"])
        now = self._shelf.clock()

        def append(connection: "Connection") -> None:
            found(connection, name, owner)
            conversations.append(connection, name, items, now)

        await self._shelf.write(append)
        return list_object(resources(items), more=False)

    async def _list(self, name: str, query: Mapping[str, str], owner: str) -> dict[str, Any]:
        page = parse_page(query)

        def read(connection: "Connection") -> list[dict[str, Any]]:
            found(connection, name, owner)
            if page.after is not None and conversations.item(connection, name, page.after) is None:
                raise _unknown_item(page.after)
            return conversations.items(
                connection, name, limit=page.limit + 1, after=page.after, newest_first=page.newest_first
            )

        rows = await self._shelf.read(read)
        return list_object(resources(rows[: page.limit]), more=len(rows) > page.limit)


def found(connection: "Connection", name: str, owner: str) -> "conversations.Conversation":
    """The conversation.

    Raises:
        NotFound: there is none for this caller.
    """
    conversation = conversations.find(connection, name, owner=owner)
    if conversation is None:
        raise _unknown(name)
    return conversation


def shown(conversation: "conversations.Conversation") -> dict[str, Any]:
    """A conversation as OpenAI gives it out."""
    return {
        "id": conversation.id,
        "object": "conversation",
        "metadata": conversation.metadata,
        "created_at": int(conversation.created_at),
    }


def _unknown(name: str) -> NotFound:
    return NotFound(f"Conversation with id '{name[:80]}' not found.", param="conversation_id")


def _unknown_item(name: str) -> NotFound:
    return NotFound(
        f"Item with id '{name[:80]}' not found in this conversation.", param="item_id", code="item_not_found"
    )
