"""What the simulated services remember, and the call they are answering."""

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

from .cache import Cache
from .faces import Face
from .faults import Faults
from .faults.table import Asked
from .keys import Key
from .log import Log, Received
from .oauth.logins import Logins
from .oauth.mood import Portal
from .script import Script
from .web import Site
from .windows import Windows
from .wire import Clock, JsonObject


@dataclass(slots=True)
class State:
    """Everything between two calls."""

    log: Log
    clock: Clock
    pace: float = 0.0
    """Seconds between the words of a stream."""
    seed: int = 0
    keys: dict[str, Key] = field(default_factory=dict)
    script: Script = field(default_factory=Script)
    windows: Windows = field(default_factory=Windows)
    cache: Cache = field(default_factory=Cache)
    logins: Logins = field(init=False)
    portal: Portal = field(default_factory=Portal)
    web: Site = field(init=False)
    base_url: str = ""
    stored: dict[str, JsonObject] = field(default_factory=dict)
    """Objects of the Responses face, by id."""
    _ids: int = 0

    def __post_init__(self) -> None:
        self.logins = Logins(self.now, self.seed)
        self.web = Site(self.now, self.seed)

    def now(self) -> float:
        """The time, by the clock of the moment: a test may put in another."""
        return self.clock()

    def next_id(self) -> str:
        """A new id in the form of a UUID; the same ones for the same seed."""
        self._ids += 1
        digest = hashlib.sha256(f"{self.seed}:{self._ids}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def reset(self) -> None:
        """Forget all but keys, logins, settings, and the open connections."""
        self.log.clear()
        self.script.clear()
        self.windows.clear()
        self.cache.clear()
        self.stored.clear()
        self.logins.codes.clear()
        self.web.reset()
        self._ids = 0


@dataclass(slots=True)
class Call:
    """One call to a face."""

    state: State
    received: Received
    face: Face
    rest: str
    """The path behind the face's prefix."""
    body: Any
    key_name: str | None
    key: Key
    request_id: str
    faults: Faults
    asked: Asked
    now: float
    entered: bool = False
    """The call is counted as running in its account's windows."""

    @property
    def account(self) -> str:
        """The Alibaba account behind the key: windows and caches belong to it."""
        return self.key.account or self.key_name or ""

    @property
    def object(self) -> JsonObject:
        """The body as an object; empty when it is none."""
        return self.body if isinstance(self.body, dict) else {}
