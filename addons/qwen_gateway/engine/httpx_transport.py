"""HTTP/2 to the upstreams, by httpx: fewer connections, at a price per call and per chunk (see `aiohttp_transport`)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

import h2.errors
import h2.exceptions
import httpcore
import httpx

from qwen_gateway.engine.transport import TransportFault, describe, unspoken

LAST_BYTES = 0.2
"""Seconds to wait for the end of an answer whose last event was seen, so that its connection can be used again."""


class HttpxAnswer:
    """An answer that httpx streams."""

    def __init__(self, response: httpx.Response, pool: httpx.AsyncHTTPTransport) -> None:
        self._response = response
        self._pool = pool
        self.status = response.status_code
        self.headers = response.headers

    @property
    def set_cookies(self) -> list[str]:
        return self._response.headers.get_list("set-cookie")

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

    async def aclose(self, *, reuse: bool = False) -> None:
        if reuse:
            try:
                async with asyncio.timeout(LAST_BYTES):
                    async for _ in self._response.stream:  # type: ignore[union-attr]
                        pass
            except (TimeoutError, httpx.HTTPError, httpx.StreamError, httpcore.ConnectionNotAvailable, OSError):
                pass
        await self._response.aclose()
        if not reuse:
            await reset_forgotten(self._pool)


async def reset_forgotten(pool: httpx.AsyncHTTPTransport) -> None:
    """Tell upstreams of streams that nobody reads any more: httpcore forgets a stream of HTTP/2 without a word, and the
    model would write to its end (httpcore 1.0; `test_cancelling_reaches_an_upstream_with_tls` holds it to that)."""
    for known in getattr(pool._pool, "connections", ()):
        connection = getattr(known, "_connection", None)
        if not isinstance(connection, httpcore.AsyncHTTP2Connection):
            continue
        left = [number for number, stream in connection._h2_state.streams.items() if not stream.closed]
        try:
            for number in left:
                if number not in connection._events:
                    connection._h2_state.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
            async with asyncio.timeout(LAST_BYTES):
                await connection._write_outgoing_data(NO_REQUEST)
        except (h2.exceptions.H2Error, TimeoutError, httpcore.NetworkError, OSError):
            pass  # it has ended already, or the connection has


NO_REQUEST = httpcore.Request("GET", "https://nowhere.invalid")
"""httpcore looks up time limits in the request that it writes for."""


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
            pool = self._pool(proxy)
        except ImportError:  # the package for SOCKS is not there
            assert proxy is not None
            raise unspoken(proxy) from None
        try:
            return HttpxAnswer(await pool.handle_async_request(request), pool)
        except asyncio.CancelledError:
            await reset_forgotten(pool)
            raise
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
