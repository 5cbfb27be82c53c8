"""The gateway: a call comes in, an exchange is made of it, the engine answers through the leg."""

import logging
import weakref
from contextlib import suppress

from mitmproxy import ctx, eventsequence, http
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.utils import asyncio_utils

from qwen_gateway import flows, local, options
from qwen_gateway.callers import cors_headers, origin_allowed
from qwen_gateway.engine.delivery import Client, Headers, Writer
from qwen_gateway.engine.encoder import Encoder
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.hooks import QwenAttemptHook, QwenExchangeHook, QwenStartHook
from qwen_gateway.legs import Legs
from qwen_gateway.openai.call import Call
from qwen_gateway.openai.errors import OpenAIError, Unsupported
from qwen_gateway.openai.responses_request import ResponsesCall
from qwen_gateway.openai.responses_stream import ResponsesStream
from qwen_gateway.pseudo import header
from qwen_gateway.shelf import keeping
from qwen_gateway.shelf.background import Background, Running
from qwen_gateway.shelf.shelf import Shelf
from qwen_gateway.surfaces import SURFACES, Surface

logger = logging.getLogger(__name__)


class Gateway:
    """Serves every surface whose calls a model answers."""

    def __init__(self, engine: Engine, legs: Legs, shelf: Shelf, making: Background) -> None:
        self._engine = engine
        self._legs = legs
        self._shelf = shelf
        self._making = making
        # Both ways, and neither may keep the other alive: each call would stay in memory for good.
        self._flows: weakref.WeakKeyDictionary[Exchange, weakref.ref[http.HTTPFlow]] = weakref.WeakKeyDictionary()
        self._exchanges: weakref.WeakKeyDictionary[http.HTTPFlow, Exchange] = weakref.WeakKeyDictionary()

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            self._settings = options.read(ctx.options)
            self._engine.attempts.observe = self._observe

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flows.ATTEMPT in flow.metadata:
            return
        surface = SURFACES.get(flow.metadata.get(flows.SURFACE, ""))
        if surface is None or (flow.request.method != "POST" and not flow.is_replay):
            return
        try:
            await self._take(flow, surface)
        except Exception:  # mitmproxy would log it and send the call on to the listener's target
            logger.exception("the gateway failed on a call")
            local.refuse(flow, OpenAIError("The gateway itself failed; its log has the reason.", code="internal_error"))

    async def _take(self, flow: http.HTTPFlow, surface: Surface) -> None:
        try:
            body = flows.body_to_serve(flow, self._settings.body_limit)
            owner = flows.caller(flow)
            call = await keeping.resolve(self._shelf, surface.parse(body), owner)
            if not flow.is_replay:
                keeping.attend(self._shelf, surface.name, call, owner)
            self._check_policy(call)
            wanted = header(flow.request, b"x-qwen-account") or None
            encoder = surface.encoder(call, self._settings, self._engine)
            await encoder.prepare(wanted)
        except OpenAIError as error:
            if error.status == 413:
                flow.request.raw_content = b""  # nobody shall unpack it by looking at it
                flow.request.headers.pop("content-encoding", None)
            local.refuse(flow, error)
            self._allow_origin(flow)
            return
        flows.keep_client_request(flow, body)
        exchange = Exchange(call, surface.name, body, wanted_account=wanted, caller=owner)
        exchange.cache = header(flow.request, b"x-gateway-cache")
        self._flows[exchange], self._exchanges[flow] = weakref.ref(flow), exchange
        await ctx.master.addons.trigger_event(QwenStartHook(flow, exchange))
        if flow.is_replay:
            await self._replay(flow, exchange, encoder)
            return
        if isinstance(call, ResponsesCall) and call.background:
            self._begin_background(flow, exchange, call, encoder)
            return
        try:
            self._legs.attach(flow, lambda client: self._serve(flow, exchange, encoder, client))
        except LookupError:
            # The client left before its call was taken up. Unanswered, the call would go to the listener's target.
            exchange.end("cancelled")
            local.refuse(flow, OpenAIError("The client left.", status=499, code="client_closed_request"))
            flow.comment = exchange.summary()
            await ctx.master.addons.trigger_event(QwenExchangeHook(flow, exchange))

    def error(self, flow: http.HTTPFlow) -> None:
        """The client went away: said in the flow now, for this is when it is saved."""
        if (exchange := self._exchanges.get(flow)) and exchange.end("cancelled"):
            flow.comment = exchange.summary()

    def _check_policy(self, call: Call) -> None:
        """Strict policy: nothing that the client asked for is left out, not even by the parser."""
        if self._settings.policy == "strict":
            for notice in call.notices:
                if notice.action == "dropped":
                    said = f"'{notice.param}' cannot be honoured: {notice.detail}. (strict policy)"
                    raise Unsupported(said, param=notice.param)

    async def _serve(self, flow: http.HTTPFlow, exchange: Exchange, encoder: Encoder, client: Client) -> None:
        shown = flows.Shown(client, exchange.sent)

        def ended() -> None:
            flow.comment = exchange.summary()
            if flow.response is not None and shown.streamed:
                flow.response.data.content = shown.content()

        try:
            await self._engine.serve(
                exchange, encoder, shown, self._writer(exchange), headers=self._cors(flow), ended=ended
            )
        finally:
            if exchange.outcome != "finished":  # then it was told before the last bytes went out
                ended()
            await ctx.master.addons.trigger_event(QwenExchangeHook(flow, exchange))

    def _begin_background(self, flow: http.HTTPFlow, exchange: Exchange, call: ResponsesCall, encoder: Encoder) -> None:
        """Answer at once with a response that waits, or follow it; it is made whether the client stays or not."""
        followed, call.stream = call.stream, True
        writer = self._writer(exchange)
        assert isinstance(writer, ResponsesStream)
        running = self._making.begin(exchange, call, writer, flows.caller(flow))
        running.task = asyncio_utils.create_task(
            self._make(flow, exchange, encoder, writer, running), name="qwen background response", keep_ref=True
        )
        headers = [("x-request-id", exchange.id), *self._cors(flow)]
        if not followed:
            local.answer(flow, running.response, headers=headers)
            return
        events = running.follow(-1, self._settings.limits.keep_alive)
        try:
            self._legs.attach(flow, lambda client: local.stream(flow, client, events, headers))
        except LookupError:  # the client left already; the response is made all the same
            local.answer(flow, running.response, headers=headers)

    async def _make(
        self, flow: http.HTTPFlow, exchange: Exchange, encoder: Encoder, writer: Writer, running: Running
    ) -> None:
        try:
            await self._engine.serve(exchange, encoder, flows.Shown(running, exchange.sent), writer)
        finally:
            self._making.end(running)
            flow.comment = exchange.summary()
            await ctx.master.addons.trigger_event(QwenExchangeHook(flow, exchange))

    async def _replay(self, flow: http.HTTPFlow, exchange: Exchange, encoder: Encoder) -> None:
        """A replay has no client that waits: the answer is collected and set."""
        collected = flows.Collected()
        await self._engine.serve(exchange, encoder, flows.Shown(collected, exchange.sent), self._writer(exchange))
        flow.response = collected.response()
        flow.comment = exchange.summary()
        await ctx.master.addons.trigger_event(QwenExchangeHook(flow, exchange))

    def _writer(self, exchange: Exchange) -> Writer:
        return SURFACES[exchange.surface].writer(exchange.call, self._settings)

    async def _observe(self, exchange: Exchange, attempt: Attempt) -> None:
        """Show the attempt in the flow; a failed one also as a marked flow of its own."""
        known = self._flows.get(exchange)
        flow = known() if known else None
        if flow is None:
            return
        if attempt.fault is None:
            flows.show_attempt(flow, attempt)
            return
        failed = flows.attempt_flow(flow, exchange, attempt)
        for event in eventsequence.iterate(failed):
            await ctx.master.addons.handle_lifecycle(event)
        await ctx.master.addons.trigger_event(QwenAttemptHook(flow, exchange, attempt))

    def _cors(self, flow: http.HTTPFlow) -> Headers:
        origin = header(flow.request, b"origin")
        everyone = not isinstance(flow.client_conn.proxy_mode, ReverseMode)
        if origin and (everyone or origin_allowed(origin, self._settings.cors_origins)):
            return cors_headers(origin)
        return []

    def _allow_origin(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        for name, value in self._cors(flow):
            flow.response.headers[name] = value

    def done(self) -> None:
        """Let go of the upstreams' connections, if there is still a loop to do it in."""
        with suppress(RuntimeError):
            asyncio_utils.create_task(self._engine.aclose(), name="close upstreams", keep_ref=True)
