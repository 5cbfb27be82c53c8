"""The door: is this request for us, may its sender call, and which surface is it for?

Credentials of the client are taken off the flow here, before any other addon sees it.
"""

import logging
from collections.abc import Awaitable, Callable

from mitmproxy import ctx, http
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.mode_specs import RegularMode, ReverseMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from qwen_gateway import flows, local, options
from qwen_gateway.callers import (
    KEY_HEADERS,
    Keys,
    check_admin,
    check_host,
    check_no_page,
    check_origin,
    check_peer,
    preflight_headers,
)
from qwen_gateway.keys.ring import KeyRing
from qwen_gateway.legs import Legs
from qwen_gateway.openai.errors import NotFound, OpenAIError
from qwen_gateway.pseudo import header
from qwen_gateway.router import ADMIN, INTERCEPTED, Route, route

logger = logging.getLogger(__name__)

LATER = {
    "responses": "stored responses",
    "images": "images",
    "audio": "audio",
    "files": "files",
    "batches": "batches",
    "moderations": "moderations",
    "assistants": "assistants",
    "threads": "threads",
    "vector_stores": "vector stores",
    "fine_tuning": "fine-tuning",
    "realtime": "realtime",
    "uploads": "uploads",
    "videos": "videos",
    "containers": "containers",
    "evals": "evals",
}
"""Endpoints of OpenAI's that are not served, by the first part of their path: the answer names them."""


class Door:
    """Lets in, turns away, or steps aside."""

    def __init__(self, legs: Legs, ring: KeyRing, look_up: Callable[[], Awaitable[None]]) -> None:
        self._legs = legs
        self._ring = ring
        self._look_up = look_up
        self._admin_keys = Keys()

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            self._settings = options.read(ctx.options)
            self._admin_keys = options.admin_keys()

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """See every HTTP layer; where mitmproxy has not chosen yet, let it choose now."""
        if nextlayer.layer is None and (default := ctx.master.addons.get("nextlayer")):
            default.next_layer(nextlayer)
        self._legs.hurry(nextlayer)
        self._legs.watch(nextlayer, speaks_openai)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        self._legs.seal(data.client, data.server)

    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Nobody comes in before it is known which keys there are: for a moment after the start."""
        if self._ring.loaded:
            self._safely(flow)
            return None
        return self._later(flow)

    async def _later(self, flow: http.HTTPFlow) -> None:
        await self._look_up()
        self._safely(flow)

    def _safely(self, flow: http.HTTPFlow) -> None:
        """Fails closed: what goes wrong here must not let a call through to wherever mitmproxy would send it."""
        try:
            self._admit(flow)
        except Exception:
            logger.exception("the door failed")
            local.refuse(flow, OpenAIError("The gateway itself failed; its log has the reason.", code="internal_error"))

    def request(self, flow: http.HTTPFlow) -> None:
        """Stands before the others: a reverse listener's call that nobody admitted goes nowhere."""
        if flow.response or flow.error or flow.is_replay or flows.ATTEMPT in flow.metadata:
            return
        if isinstance(flow.client_conn.proxy_mode, ReverseMode) and flows.SURFACE not in flow.metadata:
            local.refuse(flow, OpenAIError("The gateway itself failed; its log has the reason.", code="internal_error"))

    def _admit(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.is_replay or flows.ATTEMPT in flow.metadata:
            return
        reverse = isinstance(flow.client_conn.proxy_mode, ReverseMode)
        found = route_of(flow.request)
        if not reverse:
            if flow.request.pretty_host.lower() not in self._settings.intercept_hosts:
                return
            preflight = flow.request.method == "OPTIONS"
            ours = preflight or flow.request.method in found.allowed or asks_for_socket(found, flow.request)
            if found.surface not in INTERCEPTED or not ours:
                # OpenAI's own: it passes untouched, but nobody needs to see the key on the way.
                self._legs.hide(flow, flows.take_secrets(flow))
                return
        origin = header(flow.request, b"origin")
        secrets = flows.take_secrets(flow)
        flows.take_secret_parameters(flow)
        flow.metadata[flows.SURFACE] = found.surface
        try:
            if not self._ring and isinstance(flow.client_conn.proxy_mode, ReverseMode | RegularMode):
                check_peer(flow.client_conn.peername)
            if reverse:
                check_host(flow.request.host_header or "", self._settings.allowed_hosts)
                if flow.request.authority:  # RFC 9112 3.2.2: an absolute target outweighs the header
                    check_host(flow.request.authority, self._settings.allowed_hosts)
                check_origin(origin, self._settings.cors_origins)
            if found.surface in ADMIN:
                check_no_page(origin)
            if flow.request.method == "OPTIONS" and origin:
                wanted = header(flow.request, b"access-control-request-headers")
                flow.response = http.Response.make(204, b"", dict(preflight_headers(origin, wanted)))
                return
            given = {name: secrets.get(name, "") for name in KEY_HEADERS}
            if found.surface in ADMIN:
                forwarded = any(name in flow.request.headers for name in ("forwarded", "x-forwarded-for"))
                check_admin(self._admin_keys, given, flow.client_conn.peername, forwarded=forwarded)
            elif found.surface != "health" and (caller := self._ring.caller(given)):
                flow.metadata[flows.CALLER] = caller
            check_route(found, flow.request)
        except OpenAIError as error:
            # RFC 9110 15.5.6: the answer to a wrong method names the right ones.
            local.refuse(flow, error, [("allow", ", ".join(sorted(found.allowed)))] if error.status == 405 else [])
            if error.code not in ("origin_not_allowed", "admin_only"):
                local.allow_origin(flow, origin, self._settings.cors_origins, everyone=not reverse)


def speaks_openai(chosen: HttpLayer) -> bool:
    """Whether the errors of this layer are read by clients of OpenAI's API: not those of a plain proxy."""
    context = chosen.context
    return isinstance(context.client.proxy_mode, ReverseMode) or context.server.address is not None


def route_of(request: http.Request) -> Route:
    """Where a request goes. A WebSocket is asked for with GET, and is about what is otherwise posted."""
    if header(request, b"upgrade").lower() == "websocket":
        posted = route(request.path, "POST")
        if posted.surface == "responses":
            return posted
    return route(request.path, request.method)


def asks_for_socket(found: Route, request: http.Request) -> bool:
    """Whether a WebSocket is asked for where events are streamed. Codex does so first; told 426 it sends a POST at
    once and silently, told anything else it tries seven times (openai-surface.md section 2)."""
    return found.surface == "responses" and header(request, b"upgrade").lower() == "websocket"


def check_route(found: Route, request: http.Request) -> None:
    """Refuse unknown paths and wrong methods, in words.

    Raises:
        OpenAIError: 404 or 405.
    """
    path = request.path.split("?", 1)[0]
    if found.surface == "unknown":
        parts = path.strip("/").split("/")
        first = parts[1] if parts[0] == "v1" and len(parts) > 1 else parts[0]
        what = LATER.get(first)
        said = f"This gateway does not serve {what} ({path[:80]})." if what else f"There is nothing at {path[:80]}."
        raise NotFound(
            f"{said} It serves /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings, /v1/models and "
            "/health."
        )
    if asks_for_socket(found, request):
        raise OpenAIError(
            f"There is no WebSocket at {path[:80]}; send a POST and read the stream.",
            status=426,
            type="invalid_request_error",
            code="upgrade_required",
        )
    if request.method not in found.allowed:
        allowed = ", ".join(sorted(found.allowed))
        raise OpenAIError(
            f"{request.method[:20]} is not allowed at {path[:80]}; use {allowed}.",
            status=405,
            type="invalid_request_error",
            code="method_not_allowed",
        )
