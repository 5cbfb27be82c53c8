"""The simulator: state, application and server in one object that a test can hold."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from .app import App
from .certificates import make_context
from .faces import FACES
from .keys import Key
from .log import Connection, Log, Received
from .oauth.logins import Logins
from .oauth.mood import Portal
from .server import Server
from .state import State
from .web import Mood, Site
from .wire import Clock

NAMES = ("localhost", "127.0.0.1", "::1")


class Simulator:
    """Qwen on loopback. Use it as `async with Simulator() as sim:`, or `with Simulator.in_thread() as sim:`."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: bool = False,
        http2: bool = True,
        tls_names: Iterable[str] = (),
        pace: float = 0.0,
        seed: int = 0,
        clock: Clock = time.time,
        keys: Mapping[str, Key] | None = None,
        max_streams: int = 128,
        token_life: float = 21_600,
        code_life: float = 1_800,
        interval: float = 5,
        portal: Portal | None = None,
        web: Mood | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.http2 = http2
        self.tls_names = [*NAMES, *tls_names]
        self.ca_file: Path | None = None
        self.state = State(Log(), clock, pace, seed, dict(keys or {}))
        self.state.portal = portal or Portal()
        self.state.web.mood = web or Mood()
        self.oauth.token_life, self.oauth.code_life, self.oauth.interval = token_life, code_life, interval
        self._server = Server(App(self.state), self.state.log, max_streams=max_streams)
        self._folder = ExitStack()

    async def start(self) -> None:
        """Listen."""
        context = None
        if self.tls:
            folder = Path(self._folder.enter_context(tempfile.TemporaryDirectory(prefix="qwen-simulator-")))
            context = make_context(folder, self.tls_names, http2=self.http2)
            self.ca_file = folder / "ca.pem"
        self.port = await self._server.start(self.host, self.port, context)
        self.state.base_url = self.base_url
        # A bare host, as the service has it, can only mean https (2.7).
        self.oauth.resource_url = self.base_url.removeprefix("https://")

    async def stop(self) -> None:
        """Close every connection and leave."""
        await self._server.stop()
        self._folder.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @classmethod
    @contextmanager
    def in_thread(cls, **settings: Any) -> Iterator[Self]:
        """A simulator that runs its own event loop in a thread, for tests without one."""
        simulator = cls(**settings)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="qwen-simulator", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(simulator.start(), loop).result(10)
            try:
                yield simulator
            finally:
                asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    @property
    def base_url(self) -> str:
        """Scheme, host and port, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def url(self, face: str = "dashscope") -> str:
        """The base URL of a face, as a client of that service would write it."""
        return self.base_url + FACES[face].prefix

    def urls(self) -> dict[str, str]:
        """The base URL of every face."""
        return {name: self.url(name) for name in FACES}

    @property
    def log(self) -> list[Received]:
        """Every request received, oldest first."""
        return self.state.log.received

    @property
    def connections(self) -> list[Connection]:
        """Every connection."""
        return self.state.log.connections

    @property
    def clock(self) -> Clock:
        """The time by which windows, codes, tokens and `created` go."""
        return self.state.clock

    @clock.setter
    def clock(self, clock: Clock) -> None:
        self.state.clock = clock

    @property
    def keys(self) -> dict[str, Key]:
        """The table of keys, beside the names that need none."""
        return self.state.keys

    @keys.setter
    def keys(self, keys: dict[str, Key]) -> None:
        self.state.keys = keys

    @property
    def oauth(self) -> Logins:
        """The authorization server: its settings, and `login`, `approve`, `deny`, `expire`, `revoke`."""
        return self.state.logins

    @property
    def portal(self) -> Portal:
        """The mood of the portal."""
        return self.state.portal

    @property
    def web(self) -> Site:
        """chat.qwen.ai: its `mood`, `visitors`, `chats`, `files`, and `say` for what it answers next."""
        return self.state.web

    def script(self, entries: Iterable[Any]) -> None:
        """Lay out faults for the next calls, see `script.py`."""
        self.state.script.add(entries)

    def reset(self) -> None:
        """Forget all but keys, logins, visitors, settings, and the open connections."""
        self.state.reset()
