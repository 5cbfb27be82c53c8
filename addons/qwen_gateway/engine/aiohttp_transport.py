"""HTTP/1.1 to the upstreams, by the lower floors of aiohttp: its connector and its parser (see `connection`).

Measured against one fast upstream (Python 3.13, processor time), a small call costs half of what it does with aiohttp's
session, and that a seventh of httpx; most of the rest is the event loop's and the system's. The session serves what is
unusual: calls through a proxy, and URLs with a password in them.
"""

import ssl
from collections.abc import AsyncIterator, Mapping

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from qwen_auth.account import redact_url
from qwen_gateway.engine.connection import ROOM, DirectAnswer
from qwen_gateway.engine.connections import KEEP, Connections
from qwen_gateway.engine.last_bytes import LastBytes
from qwen_gateway.engine.request_head import Target, head_of, target_of, url_of
from qwen_gateway.engine.transport import Answer, TransportFault, describe, unspoken

NO_HEADERS_OF_ITS_OWN = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
"""Requests whose answers have bodies like any other."""

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
"""Requests that are sent once more when the connection broke before an answer (RFC 9110, 9.2.2)."""

SPOKEN = frozenset({"http", "https"})
"""What aiohttp speaks with a proxy. It does not look: one of another kind would get HTTP all the same, keys and all."""


class Pool(aiohttp.TCPConnector):
    """A connector that hands out no kept connection on which an answer has arrived.

    aiohttp looks at `should_close` when it takes a connection back, but not when it hands one out: an answer nobody
    asked for would be taken for the next call's, and every later one go to the call after it (aio-libs/aiohttp#13656).
    Relied on (aiohttp 3.14, `tests/engine/test_proxies.py` holds it to that): `_conns` has the kept connections by key,
    every one of them comes out by `_get`, and `_get` drops what is closed.
    """

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        for protocol, _ in self._conns.get(key, ()):
            if protocol.should_close:
                protocol.close()
        return await super()._get(key, traces)


class SessionAnswer:
    """An answer that aiohttp's session streams."""

    def __init__(self, response: aiohttp.ClientResponse, last_bytes: LastBytes) -> None:
        self._response = response
        self._last_bytes = last_bytes
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def set_cookies(self) -> list[str]:
        return self._response.headers.getall("set-cookie", [])

    async def chunks(self) -> AsyncIterator[bytes]:
        read = self._response.content.readany
        try:
            while chunk := await read():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFault("cut", f"the answer broke off ({describe(error)})") from None

    async def aclose(self, *, reuse: bool = False) -> None:
        if self._response.content.at_eof():
            self._response.release()
        elif reuse:  # a response that was read to its end gives its connection back before it is closed
            self._last_bytes.read(self.chunks(), self._response.close)
        else:
            self._response.close()


class AiohttpTransport:
    """One connector with one pool: no redirects, no cookies, nothing from the environment.

    Args:
        connect_timeout: seconds for all of a connection: the name, every address, the way through a proxy, TLS.
        ca_bundle: a PEM file to trust instead of the usual authorities, for upstreams with certificates of their own.
    """

    def __init__(self, *, connect_timeout: float = 10.0, ca_bundle: str | None = None) -> None:
        # `sock_connect` would count anew for every address. The pool has no limit: no time goes by in wait for a place.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)
        self._trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True
        self._session: aiohttp.ClientSession | None = None
        self._connections: Connections | None = None
        self._last_bytes = LastBytes()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None = None
    ) -> Answer:
        if proxy and url_of(proxy).scheme not in SPOKEN:
            raise unspoken(proxy)
        target = None if proxy else target_of(url)
        sent = {"accept-encoding": "identity", **headers}
        try:
            if target is not None and method in METHODS:
                return await self._ask(method, target, sent, body)
            return await self._request(method, url, sent, body, proxy)
        except aiohttp.ClientConnectorError as error:
            of_proxy = proxy and (error.host, error.port) == (url_of(proxy).host, url_of(proxy).port)
            place = f"the proxy {redact_url(proxy)}" if proxy and of_proxy else url_of(url).host
            raise TransportFault("connect", f"no connection to {place} ({describe(error)})") from None
        except aiohttp.ClientHttpProxyError as error:
            raise TransportFault("connect", f"no connection to {way(url, proxy)} (it answers {error.status})") from None
        except aiohttp.ConnectionTimeoutError:
            limit = f"the {self._timeout.connect:g} s of qwen_connect_timeout"
            raise TransportFault("connect", f"no connection to {way(url, proxy)} within {limit}") from None
        except aiohttp.InvalidURL as error:
            raise TransportFault("connect", f"no connection to {url_of(url).host} ({describe(error)})") from None
        except TimeoutError as error:
            raise TransportFault("timeout", f"no answer in time ({describe(error)})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFault("cut", f"the connection broke before an answer ({describe(error)})") from None

    async def _ask(self, method: str, target: Target, headers: Mapping[str, str], body: bytes) -> DirectAnswer:
        """On a connection of ours."""
        connections = self._connections or self._open()
        request = head_of(method, target, headers, body) + body
        connection = connections.waiting(target) or await connections.made(target)
        try:
            head, content = await connection.ask(request)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if method not in IDEMPOTENT:
                raise
            connection = connections.waiting(target) or await connections.made(target)
            head, content = await connection.ask(request)
        return DirectAnswer(connection, head, content, self._last_bytes)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None
    ) -> SessionAnswer:
        """By aiohttp's session, with all that it does."""
        self._open()
        assert self._session is not None
        response = await self._session.request(
            method,
            url_of(url),
            headers=headers,
            data=body or None,
            proxy=proxy,
            allow_redirects=False,
            timeout=self._timeout,
        )
        return SessionAnswer(response, self._last_bytes)

    def _open(self) -> Connections:
        """The connector with what stands on it, made in the loop that uses it."""
        if self._connections is None:
            connector = Pool(limit=0, limit_per_host=0, keepalive_timeout=KEEP, ssl=self._trust)
            self._connections = Connections(connector, self._timeout)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=NO_HEADERS_OF_ITS_OWN,
                trust_env=False,
                read_bufsize=ROOM,
            )
        return self._connections

    async def aclose(self) -> None:
        """Close every connection."""
        self._last_bytes.cancel()
        if self._connections is not None:
            self._connections.forget()
            self._connections = None
        if self._session is not None:
            await self._session.close()
            self._session = None


def way(url: str, proxy: str | None) -> str:
    """Where a connection was to go, for people."""
    host = url_of(url).host or ""
    return f"{host} through the proxy {redact_url(proxy)}" if proxy else host
