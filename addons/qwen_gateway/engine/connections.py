"""The connections to the upstreams that are open: made by aiohttp's connector, kept for the next request."""

import asyncio
from functools import partial

import aiohttp

from qwen_gateway.engine.connection import Connection
from qwen_gateway.engine.request_head import Origin, Target

KEEP = 50.0
"""Seconds for which a connection waits for its next request."""


class Connections:
    """A pool without a limit, of connections for which aiohttp's connector cares no further."""

    def __init__(self, connector: aiohttp.TCPConnector, timeout: aiohttp.ClientTimeout) -> None:
        self._loop = asyncio.get_running_loop()
        self._connector = connector
        self._timeout = timeout
        self._idle: dict[Origin, list[Connection]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def waiting(self, target: Target) -> Connection | None:
        """The connection that was used last, if it can carry another request."""
        idle = self._idle.get(target.origin)
        while idle:
            connection = idle.pop()
            if self._usable(connection):
                return connection
            connection.close()
        return None

    async def made(self, target: Target) -> Connection:
        """A new connection.

        Raises:
            aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError: there is none to be had.
        """
        request = aiohttp.ClientRequest("GET", target.url, loop=self._loop)
        try:
            lease = await self._connector.connect(request, [], self._timeout)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {target.url}") from None
        return Connection(lease, partial(self._keep, target.origin))

    def _keep(self, origin: Origin, connection: Connection) -> None:
        connection.idle_since = self._loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(KEEP, self._sweep)

    def _sweep(self) -> None:
        """Close what has waited for too long."""
        kept: dict[Origin, list[Connection]] = {}
        for origin, idle in self._idle.items():
            for connection in idle:
                if self._usable(connection):
                    kept.setdefault(origin, []).append(connection)
                else:
                    connection.close()
        self._idle = kept
        self._sweeper = self._loop.call_later(KEEP, self._sweep) if kept else None

    def _usable(self, connection: Connection) -> bool:
        return connection.idle_since + KEEP >= self._loop.time() and not connection.transport.is_closing()

    def forget(self) -> None:
        """Keep nothing any longer; closing the connector closes the connections."""
        self._idle.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
