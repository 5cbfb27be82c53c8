"""`/v1/models` and `/v1/models/{id}`: what the accounts' upstreams list, and the names of our own."""

import asyncio
from typing import Any
from urllib.parse import unquote

from mitmproxy import ctx, http
from mitmproxy.proxy.mode_specs import ReverseMode

from qwen_auth.plans import find_plan
from qwen_gateway import flows, local, options
from qwen_gateway.engine.engine import Engine
from qwen_gateway.keys.grants import Grant
from qwen_gateway.keys.ring import KeyRing
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.openai.model_list import find_model, model_list, model_object
from qwen_gateway.router import route
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.models import ADVERTISED, chats

ALIAS_CREATED = 1_754_686_206
"""`created` of names that no upstream lists (the date of seed A's static list, upstream.md 2.7)."""


class ModelLists:
    """Serves the lists."""

    def __init__(self, engine: Engine, ring: KeyRing) -> None:
        self._engine = engine
        self._ring = ring

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            self._settings = options.read(ctx.options)

    async def request(self, flow: http.HTTPFlow) -> None:
        surface = flow.metadata.get(flows.SURFACE)
        if flow.response or flow.error or surface not in ("models", "model"):
            return
        models, stale = await self._list(self._ring.grant(flow.metadata.get(flows.CALLER, "")))
        headers = [("x-gateway-stale", "true")] if stale else []
        try:
            if surface == "models":
                local.answer(flow, models, headers=headers)
            else:
                name = unquote(route(flow.request.path).argument)
                local.answer(flow, find_model(models, name), headers=headers)
        except OpenAIError as error:
            local.refuse(flow, error)
        local.allow_origin(
            flow,
            flow.request.headers.get("origin", ""),
            self._settings.cors_origins,
            everyone=not isinstance(flow.client_conn.proxy_mode, ReverseMode),
        )

    async def _list(self, grant: Grant | None) -> tuple[dict[str, Any], bool]:
        """All accounts' models, then the aliases, of those that the caller's key may use; and whether any is stale."""
        accounts = [one for one in self._engine.pool.serving() if grant is None or grant.may_use(one.name)]
        lists = await asyncio.gather(*(self._engine.catalogue.models(account) for account in accounts))
        rows: list[dict[str, Any]] = []
        for account, (models, _) in zip(accounts, lists, strict=True):
            rows.extend(
                model_object(model.id, model.created, model.owner, model.extras)
                for model in models
                if chats(model.id) and (account.models is None or model.id in account.models)
            )
        names = [name for name in self._settings.naming.aliases if not set(name) & set("*?[")]
        if any(flavour(find_plan(account.plan).flavour).default_model for account in accounts):
            names += ADVERTISED
        rows.extend(model_object(name, ALIAS_CREATED, "qwen-gateway") for name in names)
        if grant is not None:
            rows = [row for row in rows if grant.may_ask(row["id"], None)]
        return model_list(rows), any(stale for _, stale in lists)
