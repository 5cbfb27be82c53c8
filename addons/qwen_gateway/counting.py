"""How many tokens the input of a response would have: an estimate, and no upstream is asked."""

from typing import Any

from mitmproxy import ctx, http

from qwen_gateway import flows, local, options
from qwen_gateway.encoders.chat import ChatEncoder
from qwen_gateway.engine.engine import Engine
from qwen_gateway.openai.chat_request import ChatCall
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.responses_request import parse_responses
from qwen_gateway.seals import SEAL
from qwen_gateway.shelf import keeping
from qwen_gateway.shelf.shelf import Shelf


class Counting:
    """Serves `/v1/responses/input_tokens`."""

    def __init__(self, engine: Engine, shelf: Shelf) -> None:
        self._engine = engine
        self._shelf = shelf

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            self._settings = options.read(ctx.options)

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.metadata.get(flows.SURFACE) != "input tokens":
            return
        try:
            local.answer(flow, await self._count(flow))
        except OpenAIError as error:
            local.refuse(flow, error)
        local.let_read(flow, self._settings.cors_origins)

    async def _count(self, flow: http.HTTPFlow) -> dict[str, Any]:
        body = flows.body_of(flow.request, self._settings.body_limit)
        call = await keeping.resolve(self._shelf, parse_responses(body, SEAL), flows.caller(flow))
        assert isinstance(call, ChatCall)
        encoder = ChatEncoder(call, self._settings, self._engine)
        await encoder.prepare(None)
        models = (encoder.model_of(account) for account in self._engine.pool.serving())
        model = next((model for model in models if model), call.model)
        return {"object": "response.input_tokens", "input_tokens": await self._engine.estimator.count(call, model)}
