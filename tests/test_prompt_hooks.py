"""Hooks told on the spot do what mitmproxy's tasks do: the same listeners, the same order, the layers go on after."""

import asyncio
import inspect

import pytest
from mitmproxy import exceptions
from mitmproxy.connection import Client
from mitmproxy.proxy import commands, events, server
from mitmproxy.proxy.layers.http import HttpRequestHook, HttpResponseHeadersHook
from mitmproxy.test import taddons, tflow

from qwen_gateway.prompt_hooks import PromptHooks
from qwen_gateway.tuning import HookTable

EVENT = events.Start()


class Layer:
    """Gives a hook and a log line for the first event; keeps what it is given."""

    def __init__(self, hook):
        self.hook = hook
        self.given = []
        hook.blocking = self if hook.blocking else False

    def handle_event(self, event):
        self.given.append(event)
        if event is EVENT:
            yield self.hook
            yield commands.Log("after the hook")


class Handler:
    """What `PromptHooks` needs of a connection's handler."""

    def __init__(self, layer):
        self.client = Client(peername=("127.0.0.1", 5), sockname=("127.0.0.1", 8080), timestamp_start=0.0)
        self.layer = layer
        self.timeout_watchdog = server.TimeoutWatchdog(60, self.never)
        self.later = []

    async def never(self):
        raise AssertionError

    async def server_event(self, event):
        self.later += list(self.layer.handle_event(event))


class Hears:
    def __init__(self, said, name="hears", *, waits=None, halts=False, intercepts=False):
        self.name = name
        self.said, self.waits, self.halts, self.intercepts = said, waits, halts, intercepts

    def hear(self, name, flow):
        self.said.append(name)
        if self.intercepts:
            flow.intercept()
        if self.halts:
            raise exceptions.AddonHalt
        return self.waits.wait() if self.waits else None

    def request(self, flow):
        return self.hear("request", flow)

    def responseheaders(self, flow):
        return self.hear("responseheaders", flow)

    def update(self, flows):
        self.said.append("update")


def give(hook, *addons):
    """Let a layer bring up the hook; what the layer was given, and what came out of it."""
    with taddons.context(*addons) as context:
        layer = Layer(hook)
        handler = Handler(layer)
        table = HookTable(context.master.addons)
        PromptHooks.install(handler, table)
        return layer, handler, list(handler.layer.handle_event(EVENT))


async def test_listeners_that_do_not_wait_are_told_in_the_same_turn():
    said = []
    layer, _, out = give(HttpRequestHook(tflow.tflow()), Hears(said), Hears(said, "second"))

    assert said == ["request", "request", "update", "update"]
    assert [type(command) for command in out] == [commands.Log]
    assert [type(event) for event in layer.given] == [events.Start, events.HookCompleted]


async def test_the_layer_goes_on_only_after_all_commands_of_the_event():
    order = []
    hook = HttpRequestHook(tflow.tflow())
    with taddons.context() as context:
        layer = Layer(hook)
        handler = Handler(layer)
        PromptHooks.install(handler, HookTable(context.master.addons))
        for command in handler.layer.handle_event(EVENT):
            order.append((type(command), len(layer.given)))

    assert order == [(commands.Log, 1)]
    assert len(layer.given) == 2


async def test_a_listener_that_waits_is_waited_for():
    said, gate = [], asyncio.Event()
    layer, handler, out = give(HttpRequestHook(tflow.tflow()), Hears(said, waits=gate), Hears(said, "second"))
    assert said == ["request"]
    assert [type(command) for command in out] == [commands.Log]
    assert len(layer.given) == 1

    gate.set()
    await asyncio.sleep(0.05)

    assert said == ["request", "request", "update", "update"]
    assert type(layer.given[-1]) is events.HookCompleted
    assert handler.timeout_watchdog.can_timeout.is_set()


async def test_an_intercepted_flow_is_waited_for():
    flow = tflow.tflow()
    layer, _, _ = give(HttpRequestHook(flow), Hears([], intercepts=True))
    await asyncio.sleep(0.05)
    assert len(layer.given) == 1

    flow.resume()
    await asyncio.sleep(0.05)

    assert type(layer.given[-1]) is events.HookCompleted


async def test_a_halt_ends_the_round_and_the_layer_goes_on():
    said = []
    layer, _, _ = give(HttpResponseHeadersHook(tflow.tflow(resp=True)), Hears(said, halts=True), Hears(said, "second"))

    assert said == ["responseheaders", "update", "update"]
    assert type(layer.given[-1]) is events.HookCompleted


async def test_an_error_is_logged_and_the_layer_goes_on(caplog):
    class Broken:
        def request(self, flow):
            raise ValueError("broken on purpose")

    layer, _, _ = give(HttpRequestHook(tflow.tflow()), Broken())

    assert "broken on purpose" in caplog.text
    assert type(layer.given[-1]) is events.HookCompleted


async def test_a_hook_that_blocks_nothing_is_not_answered():
    hook = HttpRequestHook(tflow.tflow())
    hook.blocking = False
    layer, _, _ = give(hook, Hears([]))

    assert [type(event) for event in layer.given] == [events.Start]


@pytest.mark.parametrize("words", ["self.layer.handle_event(event)", "isinstance(command, commands.StartHook)"])
def test_mitmproxy_looks_at_the_layer_anew_for_every_event(words):
    assert words in inspect.getsource(server.ConnectionHandler.server_event)


def test_mitmproxys_own_task_does_what_we_do():
    task = inspect.getsource(server.ConnectionHandler.hook_task)

    assert "await self.handle_hook(hook)" in task
    assert "if hook.blocking:" in task
