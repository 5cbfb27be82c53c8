"""Signing in on another screen: the device flow of RFC 8628 as Qwen speaks it (upstream.md 2.2, 2.3).

Theory of operation: the flow does no I/O. `DeviceFlow` hands out requests and is sent the responses::

    flow = DeviceFlow(server)
    code = flow.begun(send(flow.begin()))        # show code.verification_uri_complete to the user
    while (token := flow.polled(send(flow.poll()))) is None:
        sleep(flow.interval)

`sign_in` drives it with httpx. Answers to a poll, whatever their status, fall into five kinds:

============  ==========================================================================================
granted       200 with an `access_token` and a `refresh_token`
pending       `authorization_pending`; 200 `{"status": "pending"}`; 200 with a null `access_token`
slower        `slow_down`, with status 429 (Qwen) or 400 (the RFC): interval x1.5
passing       HTML from the edge, an empty body, 5xx, a broken connection: like `slower`, and told
over          everything else: denied, expired, rate limited, refused
============  ==========================================================================================
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from qwen_auth.authorization import DEVICE_GRANT, AuthorizationServer, describe_error
from qwen_auth.errors import DeniedError, ExpiredError, RefusedError, UnreachableError
from qwen_auth.pkce import Pkce, new_pkce
from qwen_auth.token import Token, answer_object, parse_granted

_AGAIN = "start again with `qwen-auth login`"


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the server gave us to show, and to poll with."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: float
    interval: float


class DeviceFlow:
    """One sign-in. `interval` is how long to wait before the next poll, `remark` why it is slow."""

    def __init__(
        self, server: AuthorizationServer, *, pkce: Pkce | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._server = server
        self._pkce = pkce or new_pkce()
        self._clock = clock
        self._code: DeviceCode | None = None
        self._pace = 2.0  # qwen-code's first interval (upstream.md 2.3)
        self.interval = self._pace
        self.remark = ""

    def begin(self) -> httpx.Request:
        """Ask for a code."""
        fields = {
            "scope": self._server.scope,
            "code_challenge": self._pkce.challenge,
            "code_challenge_method": "S256",
        }
        return self._server.form(self._server.device_url, fields, request_id=True)

    def begun(self, response: httpx.Response) -> DeviceCode:
        """The code, or why there is none. An error may come with status 200 (upstream.md 2.2)."""
        host = response.request.url.host
        document = answer_object(response)
        if response.status_code != 200 or document.get("error") is not None:
            said = f"{host} answered {response.status_code} {describe_error(response, document)[1]}"
            if response.status_code == 429 or response.status_code >= 500:
                raise UnreachableError(f"{said}; try again in a minute")
            raise RefusedError(f"{said}; no sign-in was begun, check QWEN_CLIENT_ID and QWEN_SCOPE if you set them")
        code = _parse_code(document)
        if code is None:
            raise UnreachableError(f"{host} answered without a device code or a link; try again in a minute")
        self._code = code
        self._pace = max(2.0, code.interval)
        self.interval = self._pace
        return code

    def poll(self) -> httpx.Request:
        """Ask whether the user has approved."""
        assert self._code is not None, "poll before begun"
        fields = {
            "grant_type": DEVICE_GRANT,
            "device_code": self._code.device_code,
            "code_verifier": self._pkce.verifier,
        }
        return self._server.form(self._server.token_url, fields)

    def polled(self, response: httpx.Response) -> Token | None:
        """The token, None for "not yet", or an error that ends the sign-in."""
        self.remark = ""
        try:
            document = answer_object(response)
        except UnreachableError as error:
            self.passing(str(error))
            return None
        if response.status_code == 200 and document.get("error") is None:
            return self._granted(document)
        self._refused(response, document)
        return None

    def passing(self, remark: str) -> None:
        """Something went wrong that may pass: wait longer, and say why."""
        self._slower()
        self.remark = remark

    def _granted(self, document: Mapping[str, Any]) -> Token | None:
        if not document.get("access_token"):  # {"status": "pending"}, or a null token
            self.interval = self._pace
            return None
        try:
            return parse_granted(document, self._clock())
        except ValueError as fault:
            raise RefusedError(f"the login that Qwen sent {fault}; {_AGAIN}") from None

    def _refused(self, response: httpx.Response, document: Mapping[str, Any]) -> None:
        status = response.status_code
        code, said = describe_error(response, document)
        match code.lower():
            case "authorization_pending":
                self.interval = self._pace
                return
            case "slow_down":
                self._slower()
                return
            case "access_denied":
                raise DeniedError(f"the sign-in was denied on the other screen; {_AGAIN}")
            case "expired_token":
                raise ExpiredError(f"the code has expired; {_AGAIN}")
        if status >= 500:
            self.passing(f"{response.request.url.host} answered {status}")
            return
        if status == 401:  # qwen-code reads it as "expired or invalid" (upstream.md 2.3)
            raise ExpiredError(f"the code has expired or is unknown; {_AGAIN}")
        if status == 429:
            raise RefusedError(
                f"{response.request.url.host} limits sign-ins now ({said}); wait some minutes and {_AGAIN}"
            )
        raise RefusedError(f"{response.request.url.host} answered {status} {said}; {_AGAIN}")

    def _slower(self) -> None:
        self.interval = min(self.interval * 1.5, max(10.0, self._pace))


async def sign_in(
    client: httpx.AsyncClient,
    flow: DeviceFlow,
    show: Callable[[DeviceCode], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Token:
    """Drive a flow to its token: begin, `show` the code, poll until approved, refused or expired."""
    try:
        code = flow.begun(await client.send(flow.begin()))
    except httpx.HTTPError as error:
        raise unreachable(error) from error
    deadline = monotonic() + code.expires_in
    show(code)
    while True:
        await sleep(min(flow.interval, max(0.0, deadline - monotonic())))
        try:
            token = flow.polled(await client.send(flow.poll()))
            if token is not None:
                return token
        except httpx.HTTPError as error:
            flow.passing(str(unreachable(error)))
        if monotonic() >= deadline:
            raise ExpiredError(f"nobody approved within {code.expires_in / 60:.0f} minutes; {_AGAIN}")


def unreachable(error: httpx.HTTPError) -> UnreachableError:
    """The connection fault in words."""
    try:
        host = error.request.url.host
    except RuntimeError:
        host = "the server"
    kind = type(error).__name__
    detail = str(error).strip()[:200]
    words = f"{kind}: {detail}" if detail else kind
    return UnreachableError(f"{host} was not reached ({words}); check the network and HTTPS_PROXY, then try again")


def _parse_code(document: Mapping[str, Any]) -> DeviceCode | None:
    texts = {name: document.get(name) for name in ("device_code", "user_code", "verification_uri")}
    if not all(isinstance(value, str) and value for value in texts.values()):
        return None
    # Open the complete one as given (upstream.md 2.2); without it the user types the code.
    link = str(document.get("verification_uri_complete") or texts["verification_uri"])
    if not link.startswith(("https://", "http://")):
        return None
    return DeviceCode(
        device_code=str(texts["device_code"]),
        user_code=str(texts["user_code"]),
        verification_uri=str(texts["verification_uri"]),
        verification_uri_complete=link,
        expires_in=_seconds(document.get("expires_in"), default=1800.0, longest=86400.0),
        interval=_seconds(document.get("interval"), default=2.0, longest=60.0),
    )


def _seconds(value: object, *, default: float, longest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        return default
    return min(float(value), longest)
