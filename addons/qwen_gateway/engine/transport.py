"""The way to the upstreams: pooled connections, HTTP/2 where offered, one pool per egress proxy."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Protocol

import httpcore
import httpx


class TransportFault(Exception):
    """No answer, or half of one.

    Attributes:
        origin: `connect` when nothing was sent for certain, `timeout`, or `cut` when it broke off.
    """

    def __init__(self, origin: str, message: str) -> None:
        super().__init__(message)
        self.origin = origin
        self.message = message


class Answer(Protocol):
    """An upstream's answer: the head is here, the body comes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, unpacked.

        Raises:
            TransportFault: it broke off.
        """

    async def aclose(self) -> None:
        """Let go of it; an unfinished answer is cancelled at the upstream."""


class Transport(Protocol):
    """Sends one request."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None = None
    ) -> Answer:
        """Send and wait for the head of the answer.

        Raises:
            TransportFault: no connection, or no head.
        """


class HttpxAnswer:
    """An answer that httpx streams."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = response.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        packed = "content-encoding" in self._response.headers
        source = self._response.aiter_bytes() if packed else self._response.aiter_raw()
        try:
            async with aclosing(source) as stream:  # type: ignore[type-var]
                async for chunk in stream:
                    yield chunk
        except httpx.DecodingError as error:
            raise TransportFault("cut", f"the answer cannot be unpacked: {error}") from None
        except (httpx.TransportError, httpcore.ConnectionNotAvailable, OSError) as error:
            raise TransportFault("cut", f"the answer broke off ({describe(error)})") from None

    async def aclose(self) -> None:
        await self._response.aclose()


class HttpxTransport:
    """Pooled httpx transports, used below `httpx.Client`: no redirects, no cookies, no environment.

    Args:
        connect_timeout: seconds for TCP and TLS.
        ca_bundle: a PEM file to trust instead of the usual authorities, for upstreams with certificates of their own.
    """

    def __init__(self, *, connect_timeout: float = 10.0, ca_bundle: str | None = None) -> None:
        self._timeout = {"connect": connect_timeout, "read": None, "write": 60.0, "pool": None}
        self._verify = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True
        self._pools: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None = None
    ) -> HttpxAnswer:
        request = httpx.Request(
            method, url, headers=dict(headers), content=body or None, extensions={"timeout": self._timeout}
        )
        request.headers.setdefault("accept-encoding", "identity")
        try:
            return HttpxAnswer(await self._pool(proxy).handle_async_request(request))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            host = request.url.host
            raise TransportFault("connect", f"no connection to {host} ({describe(error)})") from None
        except httpx.TimeoutException as error:
            raise TransportFault("timeout", f"no answer in time ({describe(error)})") from None
        except (httpx.TransportError, OSError) as error:
            raise TransportFault("cut", f"the connection broke before an answer ({describe(error)})") from None

    def _pool(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        pool = self._pools.get(proxy)
        if pool is None:
            pool = httpx.AsyncHTTPTransport(
                verify=self._verify,
                http2=True,
                proxy=httpx.Proxy(proxy) if proxy else None,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=50.0),
            )
            self._pools[proxy] = pool
        return pool

    async def aclose(self) -> None:
        """Close every pooled connection."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()


def describe(error: BaseException) -> str:
    """The error's own words, or its name when it has none."""
    return str(error) or type(error).__name__
