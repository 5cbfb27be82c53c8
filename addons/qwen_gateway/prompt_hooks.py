"""Hooks whose listeners have nothing to wait for, told on the spot.

mitmproxy makes a task of every hook, and the task waits for the lock of the connection it came from: two turns of the
loop, four times a call. Here the outermost layer of a connection is wrapped, so that listeners which return at once are
called where the hook comes up, and the layers go on in the same turn. What we rely on (mitmproxy 12.2,
`tests/test_prompt_hooks.py` holds it to that):

* `ConnectionHandler.server_event` gives every event to `handler.layer.handle_event` and looks at `handler.layer` anew;
* a blocking hook's `HookCompleted` is given after the commands of the event that brought it up;
* a task of a hook does `handle_lifecycle` (the hook, then `update` for a flow) and waits while the flow is intercepted.
"""

from collections import deque
from collections.abc import Awaitable, Iterator
from typing import Any

from mitmproxy import flow
from mitmproxy.hooks import UpdateHook
from mitmproxy.proxy import events
from mitmproxy.proxy.commands import Command, StartHook
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

from qwen_gateway.tuning import HookTable


class PromptHooks:
    """Stands before a connection's outermost layer."""

    def __init__(self, handler: ConnectionHandler, table: HookTable) -> None:
        self._handler = handler
        self._layer = handler.layer
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    @classmethod
    def install(cls, handler: ConnectionHandler, table: HookTable) -> None:
        """Take the layer's place."""
        handler.layer = cls(handler, table)  # type: ignore[assignment]

    def handle_event(self, event: events.Event) -> Iterator[Command]:
        """Pass everything on but hooks."""
        waiting = deque((event,))
        while waiting:
            for command in self._layer.handle_event(waiting.popleft()):
                if not isinstance(command, StartHook):
                    yield command
                elif (rest := self._tell(command)) is not None:
                    self._later(command, rest)
                elif command.blocking:
                    waiting.append(events.HookCompleted(command))

    def _tell(self, hook: StartHook) -> Awaitable[None] | None:
        """Tell the listeners; what is left to do when one of them, or an intercepted flow, takes its time."""
        (data,) = self._table.arguments(hook)
        rest = self._table.tell(hook)
        if not isinstance(data, flow.Flow):
            return rest
        if rest is None:
            rest = self._table.tell(UpdateHook([data])) if self._table.listens("update") else None
            if rest is None:
                return data.wait_for_resume() if data.intercepted else None
            return self._wait(data, rest)
        return self._wait(data, rest, update=True)

    async def _wait(self, data: flow.Flow, rest: Awaitable[None], *, update: bool = False) -> None:
        await rest
        if update:
            await self._table.trigger_event(UpdateHook([data]))
        await data.wait_for_resume()

    def _later(self, hook: StartHook, rest: Awaitable[None]) -> None:
        """As mitmproxy does it: a task, and the layers go on when it has ended."""
        asyncio_utils.create_task(
            self._complete(hook, rest),
            name=f"handle_hook({hook.name})",
            keep_ref=True,
            client=self._handler.client.peername,
        )

    async def _complete(self, hook: StartHook, rest: Awaitable[None]) -> None:
        with self._handler.timeout_watchdog.disarm():
            await rest
        if hook.blocking:
            await self._handler.server_event(events.HookCompleted(hook))
