"""What makes the host cheaper, each with its reason; `scripts/bench` has the figures.

mitmproxy offers every event to some 40 addons, most of which do not listen to it: a table of who does costs nothing in
meaning (`qwen_hook_table`). The launcher also takes a faster event loop, writes less, and keeps the garbage collector
away from what stays (`--no-tune` goes without).
"""

import asyncio
import gc
import inspect
import logging
from collections.abc import Callable
from typing import Any

from mitmproxy import exceptions
from mitmproxy.addonmanager import AddonManager, safecall, traverse
from mitmproxy.hooks import Hook

QUIET_LOGGERS = ("mitmproxy.proxy.server",)
"""They write three lines for each connection."""


class HookTable:
    """Who listens to which hook, looked up once instead of on every event.

    Does what `AddonManager.trigger_event` does: every addon in order, errors logged and not raised, `AddonHalt` obeyed.
    Whoever adds or removes an addon empties the table.
    """

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._table: dict[str, list[tuple[Callable[..., Any], bool]]] = {}

    def install(self) -> None:
        """Take the place of the manager's own `trigger_event`, once."""
        if "trigger_event" in vars(self._manager):
            return
        for name in ("register", "remove"):
            setattr(self._manager, name, self._emptying(getattr(self._manager, name)))
        self._manager.trigger_event = self.trigger_event  # type: ignore[method-assign]

    def _emptying(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any) -> Any:
            try:
                return method(*args)
            finally:
                self._table.clear()

        return wrapped

    def _listeners(self, name: str) -> list[tuple[Callable[..., Any], bool]]:
        found = []
        for addon in traverse(self._manager.chain):
            function = getattr(addon, name, None)
            if callable(function):
                found.append((function, inspect.iscoroutinefunction(function)))
        self._table[name] = found
        return found

    async def trigger_event(self, event: Hook) -> None:
        """Tell every listener of this event."""
        listeners = self._table.get(event.name)
        if listeners is None:
            listeners = self._listeners(event.name)
        if not listeners:
            return
        arguments = event.args()
        for function, awaits in listeners:
            try:
                with safecall():
                    result = function(*arguments)
                    if awaits or (result is not None and inspect.isawaitable(result)):
                        await result
            except exceptions.AddonHalt:
                return


def quiet() -> None:
    """Silence what is written for each connection; warnings and errors stay."""
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def settle() -> None:
    """What was loaded at start stays for good: keep the collector away from it, and let it run less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def use_uvloop() -> bool:
    """A faster event loop, where there is one for this platform; must be called before mitmproxy starts."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return False

    class Loop(uvloop.Loop):
        def set_task_factory(self, factory: Any) -> None:
            """mitmproxy sets the eager one, and uvloop 0.23 hands it an argument that Python 3.13.0 refuses."""
            super().set_task_factory(eager if factory is asyncio.eager_task_factory else factory)

        def get_task_factory(self) -> Any:
            """anyio knows the eager factory by identity, and starts its tasks otherwise then."""
            factory = super().get_task_factory()
            return asyncio.eager_task_factory if factory is eager else factory

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            loop: asyncio.AbstractEventLoop = Loop()
            return loop

    asyncio.set_event_loop_policy(Policy())
    return True


def eager(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> Any:
    """`asyncio.eager_task_factory` without the argument that only newer Pythons know."""
    kwargs.pop("eager_start", None)
    return asyncio.eager_task_factory(loop, coro, **kwargs)
