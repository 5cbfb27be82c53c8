"""`/metrics` for Prometheus: for callers on this machine or with an admin key, as all that tells of accounts."""

import asyncio
import time

from mitmproxy import ctx, http
from prometheus_client.exposition import choose_encoder

from qwen_gateway import flows, local, options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.exchange import Exchange
from qwen_gateway.instruments import Instruments
from qwen_gateway.ledger import Ledger
from qwen_gateway.sessions import Sessions

LEFT = 499
"""The status of a request whose client went away, as nginx counts it."""


class Metrics:
    """Counts requests and exchanges when they end, and shows the sums."""

    def __init__(self, engine: Engine, sessions: Sessions, ledger: Ledger) -> None:
        self._engine = engine
        self._sessions = sessions
        self._instruments = Instruments(ledger, self._is_model)

    def configure(self, updated: set[str]) -> None:
        if "qwen_session_timeout" in updated:
            self._sessions.idle = options.read(ctx.options).session_timeout

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.metadata.get(flows.SURFACE) != "metrics":
            return
        engine = self._engine
        self._instruments.look(engine.pool.states(), self._sessions.active(time.time()), len(engine.running))
        encode, content_type = choose_encoder(flow.request.headers.get("accept", ""))
        body = await asyncio.to_thread(encode, self._instruments.registry)  # some thousand lines take their time
        headers = {"content-type": content_type, "cache-control": "no-store"}
        local.give(flow, http.Response.make(200, body, headers))

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            self._count(flow, flow.response.status_code)

    def error(self, flow: http.HTTPFlow) -> None:
        self._count(flow, LEFT)

    def qwen_exchange(self, _flow: http.HTTPFlow, exchange: Exchange) -> None:
        self._sessions.note(exchange.call, exchange.ended or time.time())
        self._instruments.ended(exchange)

    def _count(self, flow: http.HTTPFlow, status: int) -> None:
        surface = flow.metadata.get(flows.SURFACE)
        if surface is not None and flows.ATTEMPT not in flow.metadata and not flow.is_replay:
            seconds = time.time() - flow.request.timestamp_start
            self._instruments.answered(flow.request.method, surface, status, seconds)

    def _is_model(self, name: str) -> bool:
        catalogue = self._engine.catalogue
        return any(name in (catalogue.known(account) or ()) for account in self._engine.pool.accounts)
