"""Stored responses: given out, listed, deleted, followed, cancelled."""

import asyncio
import time

from mitmproxy import ctx, http

from qwen_gateway import flows, local, options
from qwen_gateway.ledger import objects
from qwen_gateway.legs import Legs
from qwen_gateway.openai.errors import BadRequest, OpenAIError
from qwen_gateway.openai.pages import cut, parse_page
from qwen_gateway.openai.responses_resources import resources
from qwen_gateway.router import route
from qwen_gateway.shelf import background, responses
from qwen_gateway.shelf.background import RUNNING, Background, Running
from qwen_gateway.shelf.shelf import Shelf

CANCELLING = 5.0
"""Seconds for which a cancelled response may take to let go."""


class StoredResponses:
    """Serves `/v1/responses/{id}` and what is below it."""

    def __init__(self, shelf: Shelf, making: Background, legs: Legs) -> None:
        self._shelf = shelf
        self._making = making
        self._legs = legs

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            self._settings = options.read(ctx.options)

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.metadata.get(flows.SURFACE) != "stored response":
            return
        response_id, _, part = route(flow.request.path).argument.partition("/")
        owner = flows.caller(flow)
        try:
            if part == "input_items":
                await self._input_items(flow, response_id, owner)
            elif part == "cancel":
                local.answer(flow, await self._cancel(response_id, owner))
            elif flow.request.method == "DELETE":
                await self._delete(flow, response_id, owner)
            elif flow.request.query.get("stream", "").lower() in ("true", "1"):
                await self._follow(flow, response_id, owner)
            else:
                local.answer(flow, await self._response(response_id, owner))
        except OpenAIError as error:
            local.refuse(flow, error)
        local.let_read(flow, self._settings.cors_origins)

    async def _find(self, response_id: str, owner: str) -> "objects.Stored":
        now = self._shelf.clock()
        return await self._shelf.read(lambda connection: responses.find(connection, response_id, owner, now))

    async def _response(self, response_id: str, owner: str) -> dict[str, object]:
        if running := self._making.find(response_id, owner):
            return running.response
        stored = await self._find(response_id, owner)
        response: dict[str, object] = stored.content["response"]
        return background.interrupted(response) if background.lost(stored, time.time()) else response

    async def _input_items(self, flow: http.HTTPFlow, response_id: str, owner: str) -> None:
        page = parse_page(flow.request.query)
        stored = await self._find(response_id, owner)
        local.answer(flow, cut(resources(stored.content["items"]), page))

    async def _delete(self, flow: http.HTTPFlow, response_id: str, owner: str) -> None:
        if running := self._making.find(response_id, owner):
            await self._stop(running)
        await self._find(response_id, owner)
        await self._shelf.write(
            lambda connection: objects.remove(connection, response_id, kind=responses.KIND, owner=owner)
        )
        local.answer(flow, {"id": response_id, "object": "response", "deleted": True})

    async def _cancel(self, response_id: str, owner: str) -> dict[str, object]:
        running = self._making.find(response_id, owner)
        if running is not None:
            await self._stop(running)
            return running.response
        response = await self._response(response_id, owner)
        if not response["background"]:
            raise BadRequest(
                "Only responses that are made in the background can be cancelled; end the connection of another one.",
                param="response_id",
            )
        if response["status"] in RUNNING:
            raise OpenAIError(
                "Another gateway makes this response; cancel it there.",
                status=409,
                type="invalid_request_error",
                code="made_elsewhere",
            )
        return response

    async def _stop(self, running: Running) -> None:
        if running.task is not None and not running.task.done():
            running.task.cancel("cancelled by the client")
            await asyncio.wait([running.task], timeout=CANCELLING)

    async def _follow(self, flow: http.HTTPFlow, response_id: str, owner: str) -> None:
        after = _number(flow.request.query.get("starting_after", "-1"))
        pause = self._settings.limits.keep_alive
        if running := self._making.find(response_id, owner):
            pieces = running.follow(after, pause)
        else:
            stored = await self._find(response_id, owner)
            events = stored.content.get("events")
            if not events:
                raise BadRequest(
                    "Only responses that are made in the background with 'stream': true can be streamed afterwards.",
                    param="stream",
                )
            pieces = background.told(background.split(events.encode()), after)
        try:
            self._legs.attach(flow, lambda client: local.stream(flow, client, pieces))
        except LookupError:
            raise OpenAIError("The client left.", status=499, code="client_closed_request") from None


def _number(text: str) -> int:
    try:
        return max(-1, int(text))
    except ValueError:
        raise BadRequest(f"'starting_after' is '{text[:20]}'; it must be a number.", param="starting_after") from None
