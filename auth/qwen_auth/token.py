"""A Qwen login's tokens: the file of upstream.md 2.5 and the answers of 2.3 and 2.4, read with distrust."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from qwen_auth.account import check_base_url
from qwen_auth.errors import AccountError, UnreachableError

DEFAULT_ENDPOINT = "https://portal.qwen.ai/v1"
VALIDITY_MARGIN = 30.0
"""Seconds before its expiry at which qwen-code takes a token for expired (upstream.md 2.5)."""

_DEFAULT_LIFE = 3600.0  # when an answer has no expires_in: the shorter of the two seen (upstream.md 9.8)
_FIELDS = ("access_token", "refresh_token", "token_type", "resource_url", "expiry_date")


@dataclass(frozen=True, slots=True)
class Token:
    """One state of a login. `expiry_date` is in milliseconds since the epoch, `extra` what we do not know."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expiry_date: float
    token_type: str = "Bearer"  # noqa: S105 - a scheme
    resource_url: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def expires_at(self) -> float:
        """Seconds since the epoch."""
        return self.expiry_date / 1000

    def secrets(self) -> tuple[str, ...]:
        """The raw strings that must not be seen; an `id_token` is one (upstream.md 2.5)."""
        id_token = self.extra.get("id_token")
        return (self.access_token, self.refresh_token) + ((id_token,) if isinstance(id_token, str) else ())

    def to_json(self) -> bytes:
        """The file of upstream.md 2.5, with 2-space indent; fields that we do not know survive."""
        document: dict[str, Any] = {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": self.token_type,
        }
        if self.resource_url is not None:
            document["resource_url"] = self.resource_url
        # Whole milliseconds: JavaScript wrote and reads an integer here.
        document["expiry_date"] = int(self.expiry_date)
        return orjson.dumps(document | dict(self.extra), option=orjson.OPT_INDENT_2)


def parse_stored(document: Mapping[str, Any]) -> Token:
    """The token of a credentials file, or `ValueError` with what is wrong with it.

    Accepted is what qwen-code accepts (upstream.md 2.5): three non-empty strings and a number.
    """
    for name in ("access_token", "refresh_token", "token_type"):
        _header_safe(document.get(name), name)
    expiry = document.get("expiry_date")
    if isinstance(expiry, bool) or not isinstance(expiry, (int, float)) or not math.isfinite(expiry) or not expiry:
        raise ValueError("has no number expiry_date")
    resource_url = document.get("resource_url")
    return Token(
        access_token=document["access_token"],
        refresh_token=document["refresh_token"],
        token_type=document["token_type"],
        expiry_date=expiry,
        resource_url=resource_url if isinstance(resource_url, str) and resource_url else None,
        extra={name: value for name, value in document.items() if name not in _FIELDS},
    )


def parse_granted(document: Mapping[str, Any], now: float, previous: Token | None = None) -> Token:
    """The token of a 200 answer (upstream.md 2.3, 2.4), or `ValueError` with what is wrong with it.

    What an answer to a refresh leaves out is kept from the previous token: the refresh token, the
    `resource_url` (which qwen-code loses), and fields that we do not know.
    """
    access_token = _header_safe(document.get("access_token"), "access_token")
    refresh_token = document.get("refresh_token") or (previous.refresh_token if previous else None)
    _header_safe(refresh_token, "refresh_token")
    resource_url = document.get("resource_url")
    if not isinstance(resource_url, str) or not resource_url:
        resource_url = previous.resource_url if previous else None
    token_type = document.get("token_type")
    extra = dict(previous.extra) if previous else {}
    if isinstance(document.get("id_token"), str):
        extra["id_token"] = document["id_token"]
    return Token(
        access_token=access_token,
        refresh_token=str(refresh_token),
        token_type=token_type if isinstance(token_type, str) and token_type else "Bearer",
        expiry_date=float(int((now + life_of(document)) * 1000)),
        resource_url=resource_url,
        extra=extra,
    )


def life_of(document: Mapping[str, Any]) -> float:
    """Seconds that a granted token lives: `expires_in`, number or digits (upstream.md 9.8)."""
    try:
        life = float(document.get("expires_in") or 0)
    except (TypeError, ValueError):
        return _DEFAULT_LIFE
    return life if math.isfinite(life) and life > 0 else _DEFAULT_LIFE


def resolve_endpoint(resource_url: str | None) -> str:
    """The base URL of the API for a login (upstream.md 2.7); the portal when the login names nothing usable."""
    if not resource_url:
        return DEFAULT_ENDPOINT
    url = resource_url if "://" in resource_url else f"https://{resource_url}"
    url = url.rstrip("/")
    try:
        return check_base_url(url if url.endswith("/v1") else f"{url}/v1")
    except AccountError:
        return DEFAULT_ENDPOINT


def answer_object(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; `UnreachableError` for HTML from the edge, nothing, or anything else."""
    try:
        parsed = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        kind = response.headers.get("content-type", "no type").split(";")[0][:60]
        what = "an empty body" if not response.content.strip() else f"a body that is no JSON object ({kind})"
        host = response.request.url.host
        raise UnreachableError(f"{host} answered {response.status_code} with {what}; try again in a minute")
    return parsed


def _header_safe(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"has no {name}")
    if not all("!" <= character <= "~" for character in value):
        raise ValueError(f"has characters in {name} that no header can carry")
    return value
