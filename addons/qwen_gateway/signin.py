"""Sign in to Qwen over HTTP: `/auth/initiate` and `/auth/poll` (upstream.md 2.2, 2.3; seed A's paths).

The device code and the PKCE verifier stay here: the caller gets an opaque id, the link to open, and never a token.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from mitmproxy import http

from qwen_auth.authorization import AuthorizationServer
from qwen_auth.device_flow import DeviceFlow, unreachable
from qwen_auth.errors import AccountError, AuthError, DeniedError, ExpiredError
from qwen_auth.logins import store_login
from qwen_auth.oauth import closed_tier
from qwen_auth.qwen_store import DEFAULT, LoginFile, QwenDirectory
from qwen_auth.token import Token, resolve_endpoint
from qwen_auth.transport import Connect, connect
from qwen_gateway import flows, local, options
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.engine.engine import Engine
from qwen_gateway.local import moment
from qwen_gateway.openai.errors import BadRequest, NotFound, OpenAIError, UpstreamError
from qwen_gateway.router import route

PER_MINUTE = 5
"""Sign-ins that may be begun."""

WAITING = 20
"""Sign-ins that are remembered; the oldest one goes."""

BODY_LIMIT = 4096


@dataclass(slots=True)
class Waiting:
    """A sign-in that somebody is asked to approve."""

    flow: DeviceFlow
    name: str
    file: LoginFile
    until: float
    next_poll: float


class SignIn:
    """Begins sign-ins and says how they stand.

    Args:
        connect: makes the client for the sign-in server.
        clock: a clock that never jumps.
    """

    def __init__(
        self, engine: Engine, *, connect: Connect = connect, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._connect = connect
        self._clock = clock
        self._waiting: dict[str, Waiting] = {}
        self._begun: deque[float] = deque(maxlen=PER_MINUTE)

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or flow.metadata.get(flows.SURFACE) != "signin":
            return
        try:
            body = parsed(flows.body_of(flow.request, BODY_LIMIT))
            step = self._initiate if route(flow.request.path).argument == "initiate" else self._poll
            local.answer(flow, await step(body), headers=[("cache-control", "no-store")])
        except OpenAIError as error:
            local.refuse(flow, error)
        except AccountError as error:
            local.refuse(flow, BadRequest(f"{error}.", param="account"))
        except AuthError as error:
            local.refuse(flow, UpstreamError(f"{error}.", code="upstream_auth"))
        except httpx.HTTPError as error:
            local.refuse(flow, UpstreamError(f"{unreachable(error)}.", code="upstream_unreachable"))

    async def _initiate(self, body: dict[str, Any]) -> dict[str, Any]:
        """Ask Qwen for a code. `account` names the login; without it, it is qwen-code's own."""
        self._count()
        name = text(body, "account") or DEFAULT
        if any(known.name == name and known.kind != "oauth" for known in self._engine.pool.accounts):
            raise BadRequest(f"Account '{name}' has a key already; choose another name.", param="account")
        environ = options.environment()
        file = QwenDirectory.from_environment(environ).file(name)
        device = DeviceFlow(AuthorizationServer.from_environment(environ))
        async with self._connect(None) as client:
            code = device.begun(await client.send(device.begin()))
        now = self._clock()
        self._waiting = {key: each for key, each in self._waiting.items() if now < each.until}
        while len(self._waiting) >= WAITING:
            del self._waiting[next(iter(self._waiting))]
        number = secrets.token_urlsafe(24)
        self._waiting[number] = Waiting(device, name, file, now + code.expires_in, now)
        return {
            "id": number,
            "account": name,
            "verification_uri": code.verification_uri,
            "verification_uri_complete": code.verification_uri_complete,
            "user_code": code.user_code,
            "expires_in": round(code.expires_in),
            "interval": device.interval,
        }

    async def _poll(self, body: dict[str, Any]) -> dict[str, Any]:
        """How it stands: pending, slow_down, done, expired or denied. The last three end it."""
        number = text(body, "id")
        waiting = self._waiting.get(number)
        if waiting is None:
            raise NotFound("There is no sign-in of this id; it is over, or POST /auth/initiate begins one.", param="id")
        now, device = self._clock(), waiting.flow
        if now >= waiting.until:
            del self._waiting[number]
            return {"status": "expired"}
        if now < waiting.next_poll:  # Qwen would say so too, and count it
            return {"status": "slow_down", "interval": device.interval}
        interval = device.interval
        waiting.next_poll = now + min(interval, 1.0)  # others who ask meanwhile
        try:
            async with self._connect(None) as client:
                token = device.polled(await client.send(device.poll()))
        except (DeniedError, ExpiredError) as over:
            self._waiting.pop(number, None)
            return {"status": "denied" if isinstance(over, DeniedError) else "expired"}
        except httpx.HTTPError as error:
            device.passing(str(unreachable(error)))
            token = None
        if token is None:
            waiting.next_poll = self._clock() + device.interval * 0.9  # the caller's clock is not ours
            status = "slow_down" if device.interval > interval else "pending"
            return {"status": status, "interval": device.interval}
        self._waiting.pop(number, None)
        await asyncio.to_thread(store_login, waiting.file, token)
        return done(waiting.name, token)

    def _count(self) -> None:
        now = self._clock()
        if len(self._begun) == PER_MINUTE and now - self._begun[0] < 60:
            raise OpenAIError(
                f"At most {PER_MINUTE} sign-ins a minute can be begun.",
                status=429,
                type="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=60 - (now - self._begun[0]),
            )
        self._begun.append(now)


def done(name: str, token: Token) -> dict[str, Any]:
    """The end of a sign-in, with nothing of the token but its life."""
    endpoint = resolve_endpoint(token.resource_url)
    expires = moment(token.expires_at)
    return {
        "status": "done", "account": name, "endpoint": endpoint, "expires": expires, "notice": closed_tier(endpoint)
    }  # fmt: skip


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; an empty one is an empty object.

    Raises:
        BadRequest: it is something else.
    """
    try:
        found = loads(body) if body.strip() else {}
    except BadJSON:
        found = None
    if not isinstance(found, dict):
        raise BadRequest("The body is no JSON object.", code="invalid_json")
    return found


def text(body: dict[str, Any], name: str) -> str:
    """A text of the body, empty when it is not there.

    Raises:
        BadRequest: it is no text.
    """
    value = body.get(name, "")
    if not isinstance(value, str):
        raise BadRequest(f"'{name}' is no text.", param=name, code="invalid_type")
    return value
