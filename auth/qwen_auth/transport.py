"""The HTTP client that signs in, refreshes and tests accounts."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from qwen_auth.account import redact_url
from qwen_auth.errors import AccountError

Connect = Callable[[str | None], httpx.AsyncClient]
"""Makes a client for an egress proxy (None: what the environment says, or none)."""

TIMEOUT = httpx.Timeout(20.0, connect=10.0)


def connect(proxy: str | None = None) -> httpx.AsyncClient:
    """A client for a handful of calls. `HTTPS_PROXY` and `SSL_CERT_FILE` count, an account's own proxy wins.

    It never follows redirects: a token belongs to the host that was asked, and to no other.
    """
    try:
        return httpx.AsyncClient(proxy=proxy, timeout=TIMEOUT, http2=True, follow_redirects=False)
    except ImportError:
        raise AccountError(
            f"the proxy {redact_url(proxy or '')} speaks SOCKS, which needs the package `httpx[socks]`"
        ) from None
