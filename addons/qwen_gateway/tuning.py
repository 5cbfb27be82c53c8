"""What makes the host cheaper, each with its reason; `scripts/bench` has the figures.

mitmproxy offers every event to some 40 addons, most of which do not listen to it: a table of who does costs nothing in
meaning (`qwen_hook_table`). The launcher also writes less, keeps the garbage collector away from what stays, and lets
more new connections wait (`--no-tune` goes without).
"""

import asyncio
import copy
import dataclasses
import gc
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import exceptions, optmanager
from mitmproxy.addonmanager import AddonManager, safecall, traverse
from mitmproxy.hooks import Hook

QUIET_LOGGERS = ("mitmproxy.proxy.server",)
"""They write three lines for each connection."""


Listeners = list[tuple[Callable[..., Any], bool]]
"""Functions, and whether each is a coroutine function."""


class HookTable:
    """Who listens to which hook, looked up once instead of on every event.

    Does what `AddonManager.trigger_event` does: every addon in order, errors logged and not raised, `AddonHalt` obeyed.
    Whoever adds or removes an addon empties the table.
    """

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._table: dict[str, Listeners] = {}
        self._names: dict[type[Hook], tuple[str, ...]] = {}

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

    def _listeners(self, name: str) -> Listeners:
        found = []
        for addon in traverse(self._manager.chain):
            function = getattr(addon, name, None)
            if callable(function):
                found.append((function, inspect.iscoroutinefunction(function)))
        self._table[name] = found
        return found

    async def trigger_event(self, event: Hook) -> None:
        """Tell every listener of this event."""
        if (rest := self.tell(event)) is not None:
            await rest

    def listens(self, name: str) -> bool:
        """Whether anyone listens to a hook of this name."""
        found = self._table.get(name)
        return bool(self._listeners(name) if found is None else found)

    def arguments(self, event: Hook) -> list[Any]:
        """What `Hook.args` gives; the fields of each kind are looked up once."""
        names = self._names.get(type(event))
        if names is None:
            names = self._names[type(event)] = tuple(field.name for field in dataclasses.fields(event))  # type: ignore[arg-type]
        return [getattr(event, name) for name in names]

    def tell(self, event: Hook) -> Awaitable[None] | None:
        """Tell the listeners, up to one that waits; what is left to await from there, None when all were told."""
        listeners = self._table.get(event.name)
        if listeners is None:
            listeners = self._listeners(event.name)
        if not listeners:
            return None
        arguments = self.arguments(event)
        for number, (function, awaits) in enumerate(listeners):
            try:
                result = function(*arguments)
            except exceptions.AddonHalt:
                return None
            except Exception as error:
                log(error)
                continue
            if awaits or (result is not None and inspect.isawaitable(result)):
                return self._rest(result, listeners[number + 1 :], arguments)
        return None

    async def _rest(self, result: Awaitable[Any], listeners: Listeners, arguments: list[Any]) -> None:
        """Await one listener's answer, then tell the others."""
        try:
            await result
        except exceptions.AddonHalt:
            return
        except Exception as error:
            log(error)
        for function, _ in listeners:
            try:
                answer = function(*arguments)
                if answer is not None and inspect.isawaitable(answer):
                    await answer
            except exceptions.AddonHalt:
                return
            except Exception as error:
                log(error)


def log(error: Exception) -> None:
    """mitmproxy's own way to log what an addon raised; entering it for each call would cost more than the call."""
    with safecall():
        raise error from None


def read_options_quickly() -> None:
    """mitmproxy copies an option twice each time it is read, some 40 times a call; plain values need no copy."""

    def current(option: Any) -> Any:
        value = option._default if option.value is optmanager.unset else option.value
        return value if isinstance(value, PLAIN) else copy.deepcopy(value)

    optmanager._Option.current = current  # type: ignore[assignment, method-assign]


PLAIN = (str, int, float, bool, type(None))


def quiet() -> None:
    """Silence what is written for each connection; warnings and errors stay."""
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


SETTLED = 5.0
"""Seconds after the start when what the first records need has been imported as well."""


def settle() -> None:
    """What was loaded stays for good: keep the collector away from it, and let it run less often.

    A connection that ended leaves some sixty objects that refer to each other in circles (6 KiB). They wait for the
    collector, and those of long connections for its second and third generation, so these come soon after the first:
    with a connection for each call that is 30 MiB less.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 2, 2)


BACKLOG = 2_048
"""Connections that may wait to be accepted. asyncio's 100 overflows when a thousand clients come at once."""


class ServingPolicy(asyncio.DefaultEventLoopPolicy):
    """Loops whose servers let more connections wait; must be set before mitmproxy starts.

    Not uvloop: it hands on each chunk of a stream by itself, where asyncio joins what arrived meanwhile. With 1,000
    streams that costs 122 to 146 µs per chunk instead of 74, and wins a tenth on small calls.
    """

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        create_server = loop.create_server

        def patient(*args: Any, **kwargs: Any) -> Any:
            kwargs.setdefault("backlog", BACKLOG)
            return create_server(*args, **kwargs)

        loop.create_server = patient  # type: ignore[method-assign]
        return loop


def serve_many() -> None:
    """Use loops of that kind."""
    asyncio.set_event_loop_policy(ServingPolicy())
