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
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

from mitmproxy import flow
from mitmproxy.hooks import UpdateHook
from mitmproxy.proxy import events
from mitmproxy.proxy.commands import Command, StartHook
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

from qwen_gateway.tuning import HookTable


class Beside(Protocol):
    """A way beside the layers: see `lane.py`."""

    def take(self, event: events.Event) -> Sequence[events.Event]:
        """Take what belongs to it; what the layers get instead of the event."""


Tell = Callable[[StartHook], Awaitable[None] | None]
"""Tells a hook's listeners, and gives what is left to wait for."""

OpenLane = Callable[[ConnectionHandler, Tell], Beside | None]
"""Gives a connection its way beside the layers, if it can have one."""


def no_lane(handler: ConnectionHandler, tell: Tell) -> None:
    """Everything goes through the layers."""


class PromptHooks:
    """Stands before a connection's outermost layer."""

    def __init__(self, handler: ConnectionHandler, table: HookTable, lane: OpenLane) -> None:
        self._handler = handler
        self._layer = handler.layer
        self._table = table
        self._lane = lane(handler, self.tell)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    @classmethod
    def install(cls, handler: ConnectionHandler, table: HookTable, lane: OpenLane = no_lane) -> None:
        """Take the layer's place."""
        handler.layer = cls(handler, table, lane)  # type: ignore[assignment]

    def handle_event(self, event: events.Event) -> Iterator[Command]:
        """Pass everything on but hooks, and what the lane takes."""
        if self._lane is None:
            return self._pass_on((event,))
        return self._pass_on(rest) if (rest := self._lane.take(event)) else iter(())

    def _pass_on(self, given: Sequence[events.Event]) -> Iterator[Command]:
        waiting = deque(given)
        while waiting:
            for command in self._layer.handle_event(waiting.popleft()):
                if not isinstance(command, StartHook):
                    yield command
                elif (rest := self.tell(command)) is not None:
                    self._later(command, rest)
                elif command.blocking:
                    waiting.append(events.HookCompleted(command))

    def tell(self, hook: StartHook) -> Awaitable[None] | None:
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
