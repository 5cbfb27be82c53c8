"""Faults of the authorization server (upstream.md 2.3, 2.4)."""

from typing import Any

from ..wire import Reply, json_reply
from .table import Asked, Fault, Params


def _reply(_: Asked, params: Params) -> Reply:
    body = {"error": params["error"], "error_description": params["description"]}
    return json_reply(int(params["status"]), body)


def _body(name: str, section: str, text: str, body: Any) -> Fault:
    def reply(_: Asked, __: Params) -> Reply:
        return json_reply(200, body)

    return Fault(name, section, text, reply=reply)


def _error(name: str, section: str, text: str, status: int, error: str, description: str) -> Fault:
    params: Params = {"status": status, "error": error, "description": description}
    return Fault(name, section, text, params, reply=_reply)


_DEAD = "Invalid refresh token or client_id"

FAULTS = [
    _error("oauth-invalid-request", "2.4", "the refresh token is dead", 400, "invalid_request", _DEAD),
    _error("oauth-invalid-grant", "2.4", "the same in the words of the RFC", 400, "invalid_grant", _DEAD),
    _error("oauth-unauthorized", "2.4", "the same with 401", 401, "invalid_request", _DEAD),
    _error("oauth-error-in-200", "2.4", "an error with status 200", 200, "invalid_request", _DEAD),
    _error("oauth-slow-down", "2.3", "polled too fast", 429, "slow_down", "Polling too frequently"),
    _error("oauth-slow-down-400", "2.3", "the same, as the RFC has it", 400, "slow_down", "Polling too frequently"),
    _error("oauth-rate-limited", "2.3", "another 429", 429, "rate_limited", "Too many requests"),
    _error("oauth-pending", "2.3", "not yet approved", 400, "authorization_pending", "Still pending"),
    _error("oauth-expired-token", "2.3", "the code has expired", 400, "expired_token", "The device code has expired"),
    _error("oauth-expired-code", "2.3", "the same with 401", 401, "expired_token", "The device code has expired"),
    _error("oauth-access-denied", "2.3", "the user said no", 400, "access_denied", "The user has denied the request"),
    _body("oauth-status-pending", "2.3", "200 that says pending", {"status": "pending"}),
    _body("oauth-null-token", "2.3", "200 with a null token", {"access_token": None, "token_type": "Bearer"}),
    Fault("oauth-no-resource-url", "2.4", "tokens without a resource_url"),
    Fault("oauth-no-refresh-token", "2.4", "tokens without a refresh token"),
]
