"""Stored chat completions: listed, given out, changed, deleted, and their messages."""

from typing import Any

from mitmproxy import ctx, http

from qwen_gateway import flows, local, options
from qwen_gateway.ledger import objects
from qwen_gateway.openai.chat_request import check, parse_object
from qwen_gateway.openai.conversation_request import ChangeConversation
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.pages import cut, parse_page
from qwen_gateway.router import route
from qwen_gateway.shelf import chats
from qwen_gateway.shelf.shelf import Shelf


class StoredChats:
    """Serves `GET /v1/chat/completions`, and `/v1/chat/completions/{id}` with what is below it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            self._settings = options.read(ctx.options)

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.is_replay:
            return
        surface = flow.metadata.get(flows.SURFACE)
        if surface != "stored chat" and not (surface == "chat" and flow.request.method == "GET"):
            return
        try:
            local.answer(flow, await self._answer(flow, flows.caller(flow)))
        except OpenAIError as error:
            local.refuse(flow, error)
        local.let_read(flow, self._settings.cors_origins)

    async def _answer(self, flow: http.HTTPFlow, owner: str) -> dict[str, Any]:
        name, _, below = route(flow.request.path).argument.partition("/")
        method, query, now = flow.request.method, flow.request.query, self._shelf.clock()
        if not name:
            page = parse_page(query, newest_first=False)
            rows = await self._shelf.read(lambda connection: chats.listed(connection, owner, now, query))
            return cut(rows, page)
        if method == "POST":
            body = parse_object(flows.body_of(flow.request, self._settings.body_limit))
            check(body, ChangeConversation)
            metadata: dict[str, str] = body["metadata"] or {}
            return await self._shelf.write(lambda connection: chats.change(connection, name, owner, now, metadata))
        stored = await self._shelf.read(lambda connection: chats.find(connection, name, owner, now))
        if method == "DELETE":
            await self._shelf.write(lambda connection: objects.remove(connection, name, kind=chats.KIND, owner=owner))
            return {"id": name, "object": "chat.completion.deleted", "deleted": True}
        if below:
            return cut(stored.content["messages"], parse_page(query, newest_first=False))
        completion: dict[str, Any] = stored.content["completion"]
        return completion
