"""The upstreams' own lists of models: read once an hour, served stale when an upstream is down.

`GET {base}/models` is in no official document of DashScope's, but answers (upstream.md 4.8, 9.13); a host without it is
taken to have the models that are written down.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from qwen_auth.account import Account
from qwen_auth.web.credentials import WebCredentials
from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.engine.errands import errand
from qwen_gateway.engine.transport import Transport
from qwen_gateway.upstreams.chat_chunks import count
from qwen_gateway.upstreams.flavours import flavour
from qwen_gateway.upstreams.models import chats
from qwen_gateway.upstreams.steps import Reply, Request
from qwen_gateway.upstreams.web.headers import page_headers

LIST_LIMIT = 4 * 1024 * 1024
"""Bytes of a list that are read. OpenRouter's has about half a megabyte."""

WRITTEN_DOWN = ("qwen3.7-plus", "qwen3.6-plus", "qwen3.5-plus", "qwen3-coder-plus", "qwen3-max-2026-01-23")
"""Models of hosts whose list could not be read (upstream.md 4.7)."""

CREATED, OWNER = 1_754_686_206, "qwen"
"""What is said of models that no list tells of (upstream.md 2.7: seed A's static list)."""

RETRY = 30.0
"""Seconds until a list that could not be read is asked for again."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of an upstream's list: its name, and what else the list says."""

    id: str
    created: int
    owner: str
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Cached:
    models: list[Listed]
    until: float
    stale: bool = False
    chatting: list[str] = field(init=False)
    windows: dict[str, int | None] = field(init=False)

    def __post_init__(self) -> None:
        """What every call asks for is read off the list once."""
        self.chatting = [model.id for model in self.models if chats(model.id)]
        self.windows = {
            model.id: model.extras.get("max_model_len") or model.extras.get("context_length") for model in self.models
        }


class Catalogue:
    """Reads and keeps the lists, one per account.

    Args:
        keep: seconds for which a list is fresh.
    """

    def __init__(
        self, transport: Transport, *, keep: float, timeout: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._keep = keep
        self._timeout = timeout
        self._clock = clock
        self._lists: dict[str, _Cached] = {}
        self._failed: dict[str, float] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    def known(self, account: Account) -> list[str] | None:
        """The names on the account's list, if it was ever read; never waits."""
        if fixed := flavour(account.flavour).models:
            return list(fixed)
        cached = self._lists.get(account.name)
        return cached.chatting if cached else None

    def listed(self, account: Account) -> list[str] | None:
        """The same with the models that do not chat."""
        cached = self._lists.get(account.name)
        return [model.id for model in cached.models] if cached else None

    def context(self, account: Account, model: str) -> int | None:
        """The window that the account's list names for a model, if it was read and names one."""
        cached = self._lists.get(account.name)
        return cached.windows.get(model) if cached else None

    async def prepare(self, account: Account) -> None:
        """Read the account's list if it was never tried: a host of few models has no usual one to fall back on."""
        if account.name not in self._lists and self._clock() >= self._failed.get(account.name, 0.0):
            await self.models(account)

    async def models(self, account: Account) -> tuple[list[Listed], bool]:
        """The account's models, and whether the list is stale or made up because it could not be read."""
        if fixed := flavour(account.flavour).models:
            return written(fixed), False
        cached = self._lists.get(account.name)
        failed = cached is None and self._clock() < self._failed.get(account.name, 0.0)
        if not failed and (cached is None or self._clock() >= cached.until):
            task = self._reading.get(account.name)
            if task is None:
                task = asyncio.get_running_loop().create_task(self._read(account))
                self._reading[account.name] = task
                task.add_done_callback(lambda _: self._reading.pop(account.name, None))
            await asyncio.shield(task)
            cached = self._lists.get(account.name)
        if cached is None:
            return written(WRITTEN_DOWN), True
        return cached.models, cached.stale

    async def _read(self, account: Account) -> None:
        models = await self._fetch(account)
        if models is not None:
            self._lists[account.name] = _Cached(models, self._clock() + self._keep)
        elif cached := self._lists.get(account.name):
            cached.until = self._clock() + min(RETRY, self._keep)
            cached.stale = True
        else:
            self._failed[account.name] = self._clock() + RETRY

    async def _fetch(self, account: Account) -> list[Listed] | None:
        row = flavour(account.flavour)
        headers = page_headers(account.endpoint) if account.kind == "web" else {"accept": "application/json"}
        for path in row.lists:
            reply = await errand(self._transport, account, Request("GET", path, headers), self._timeout)
            if isinstance(reply, Reply) and reply.status == 200 and (rows := _rows(reply.body)) is not None:
                read = listed_on_site if account.kind == "web" else listed
                guest = isinstance(account.credentials, WebCredentials) and account.credentials.guest
                found = [model for each in rows if isinstance(each, dict) and (model := read(each))]
                return [model for model in found if model.extras.pop(GUESTS, True) or not guest]
        return None


def _rows(body: bytes) -> list[Any] | None:
    """The rows of a list: under `data`, or one level deeper (upstream.md 3.3)."""
    try:
        payload = loads(body)
    except BadJSON:
        return None
    rows = payload.get("data") if isinstance(payload, dict) else None
    if isinstance(rows, dict):
        rows = rows.get("data")
    return rows if isinstance(rows, list) else None


def written(names: Iterable[str]) -> list[Listed]:
    """Models that no list tells of."""
    return [Listed(name, CREATED, OWNER) for name in names]


def listed(row: dict[str, Any]) -> Listed | None:
    """One row of a list; None without a name."""
    name = row.get("id")
    if not isinstance(name, str) or not name:
        return None
    created, owner = row.get("created"), row.get("owned_by")
    extras = {key: row[key] for key in ("context_length", "max_model_len") if isinstance(row.get(key), int)}
    return Listed(
        name,
        count(created),
        owner if isinstance(owner, str) and owner else "qwen",
        extras,
    )


GUESTS = "is_visitor_active"


def listed_on_site(row: dict[str, Any]) -> Listed | None:
    """One row of chat.qwen.ai's list (upstream.md 3.10), with what the model can; None for what does not chat."""
    model = listed(row)
    info = row.get("info")
    info = info if isinstance(info, dict) else {}
    meta = info.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    types = meta.get("chat_type")
    if model is None or info.get("is_active") is False or (isinstance(types, list) and "t2t" not in types):
        return None
    extras: dict[str, Any] = {
        ours: meta[theirs]
        for ours, theirs, kind in (
            ("context_length", "max_context_length", int),
            ("max_completion_tokens", "max_generation_length", int),
            ("capabilities", "capabilities", dict),
            ("modalities", "modality", list),
        )
        if isinstance(meta.get(theirs), kind)
    }
    if info.get(GUESTS) is False:
        extras[GUESTS] = False
    return Listed(model.id, count(info.get("created_at")) or model.created, model.owner, extras)
