"""Qwen's authorization server: where it is, who we are to it, and how a refresh is asked and answered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import httpx

from qwen_auth.account import check_base_url
from qwen_auth.environment import signin_base_url
from qwen_auth.errors import DeadTokenError, UnreachableError, redact
from qwen_auth.token import Token, answer_object, parse_granted
from qwen_auth.transport import TIMEOUT

# upstream.md 2.1
BASE_URL = "https://chat.qwen.ai"
CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"
SCOPE = "openid profile email model.completion"
DEVICE_PATH = "/api/v1/oauth2/device/code"
TOKEN_PATH = "/api/v1/oauth2/token"  # noqa: S105 - a path
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

# 400 and 401 mean that the refresh token is dead, however that is spelled (upstream.md 2.4), except these
# (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5), which pass. In a 200 only the spellings seen mean it.
_PASSING = ("temporarily_unavailable", "server_error", "slow_down")
_DEAD = ("invalid_request", "invalid_grant", "invalid_client", "unauthorized_client")
_SECRETS = ("refresh_token", "device_code", "code_verifier", "client_secret")  # fields of our forms


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """The server and our registration there. A public client: a secret is rare."""

    device_url: str = BASE_URL + DEVICE_PATH
    token_url: str = BASE_URL + TOKEN_PATH
    client_id: str = CLIENT_ID
    scope: str = SCOPE
    client_secret: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> AuthorizationServer:
        """Seed A's variables (upstream.md 2.1), each a default of upstream.md when unset."""
        base_url = (signin_base_url(environ) or BASE_URL).rstrip("/")
        return cls(
            device_url=check_base_url(_said(environ, "QWEN_DEVICE_CODE_ENDPOINT", base_url + DEVICE_PATH)),
            token_url=check_base_url(_said(environ, "QWEN_TOKEN_ENDPOINT", base_url + TOKEN_PATH)),
            client_id=_said(environ, "QWEN_CLIENT_ID", CLIENT_ID),
            scope=_said(environ, "QWEN_SCOPE", SCOPE),
            client_secret=_said(environ, "QWEN_CLIENT_SECRET", ""),
        )

    def form(self, url: str, fields: Mapping[str, str], *, request_id: bool = False) -> httpx.Request:
        """A form to this server, with the headers of upstream.md 2.2."""
        body = {"client_id": self.client_id, **fields}
        if self.client_secret:
            body["client_secret"] = self.client_secret
        headers = {"Accept": "application/json", "User-Agent": "qwen-gateway"}
        if request_id:
            headers["x-request-id"] = str(uuid.uuid4())
        # A request that no client built carries no time limits of its own.
        return httpx.Request("POST", url, data=body, headers=headers, extensions={"timeout": TIMEOUT.as_dict()})

    def refresh_request(self, token: Token) -> httpx.Request:
        """Ask for the next token (upstream.md 2.4)."""
        return self.form(self.token_url, {"grant_type": "refresh_token", "refresh_token": token.refresh_token})


def parse_refresh(response: httpx.Response, previous: Token, now: float) -> Token:
    """The next token, or why there is none (upstream.md 2.4).

    Raises:
        DeadTokenError: the server refused this refresh token.
        UnreachableError: an edge failure, a rate limit, nonsense: worth trying again later.
    """
    status, host = response.status_code, response.request.url.host
    document = answer_object(response)
    if status != 200 or document.get("error") is not None:
        code, text = describe_error(response, document)
        said = f"{host} answered {status} {text}"
        dead = code.lower() in _DEAD if status == 200 else status in (400, 401) and code.lower() not in _PASSING
        raise DeadTokenError(said) if dead else UnreachableError(f"{said}; try again in a minute")
    try:
        return parse_granted(document, now, previous)
    except ValueError as fault:
        raise UnreachableError(f"the token that {host} sent {fault}; try again in a minute") from None


def describe_error(response: httpx.Response, document: Mapping[str, object]) -> tuple[str, str]:
    """The code of an OAuth error answer, and code and description for people, in one short line.

    A server may repeat what it was sent: no secret of the request is in the line.
    """
    error = document.get("error")
    if isinstance(error, dict):  # the API's envelope (upstream.md 2.12), in case the edge answers
        document, error = error, error.get("code")
    code = error if isinstance(error, str) else ""
    description = document.get("error_description") or document.get("message") or ""
    sent = parse_qsl(response.request.content.decode(errors="replace"))
    secrets = [value for name, value in sent if name in _SECRETS]
    words = (" ".join(redact(str(each), secrets).split()) for each in (code, description))
    line = ": ".join(word for word in words if word)[:260]
    return code, line or "an error without words"


def _said(environ: Mapping[str, str], name: str, default: str) -> str:
    return environ.get(name, "").strip() or default
