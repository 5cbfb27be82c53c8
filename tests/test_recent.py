"""mitmweb's list keeps the newest flows, and those that somebody needs."""

import asyncio

import pytest
from mitmproxy.addons.view import View
from mitmproxy.test import taddons, tflow

from qwen_gateway import flows, options, recent
from qwen_gateway.ledger import Ledger
from qwen_gateway.recent import Recent


class Declared:
    """Our options, without the rest of the gateway."""

    def load(self, loader):
        options.declare(loader, {})


class Waiting(Ledger):
    """A ledger whose last records are not written yet."""

    waiting = 0


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(recent, "LOOK", 0.005)
    view, ledger = View(), Waiting()
    with taddons.context(Declared(), view) as testing:
        shelf = Recent(ledger)
        testing.master.addons.add(shelf)
        testing.options.qwen_keep_flows = 10
        yield view, ledger, shelf
        shelf.done()


def ended(**fields):
    found = tflow.tflow(resp=True)
    found.live = False
    for name, value in fields.items():
        setattr(found, name, value)
    return found


async def until(there):
    async with asyncio.timeout(5):
        while not there():
            await asyncio.sleep(0.01)


async def settled():
    """Several looks later."""
    await asyncio.sleep(0.05)


async def test_the_oldest_leave(made):
    view, _, shelf = made
    all_of_them = [ended() for _ in range(150)]
    view.add(all_of_them)
    gone = []

    def told(flow, index):
        gone.append(flow)

    view.sig_view_remove.connect(told)

    shelf.running()
    await until(lambda: view.store_count() == 10)

    assert list(view.resolve("@all")) == all_of_them[-10:]
    assert gone == all_of_them[:-10]  # which mitmweb tells its page


async def test_what_runs_is_held_or_marked_stays(made):
    view, _, shelf = made
    kept = [ended(live=True), ended(intercepted=True), ended(marked=":star:"), ended(marked=":warning:")]
    attempt = ended(marked=flows.ATTEMPT_MARK, metadata={flows.ATTEMPT: "req_1"})
    others = [ended() for _ in range(20)]
    view.add([*kept, attempt, *others])

    shelf.running()
    await until(lambda: view.store_count() == 10)

    assert list(view.resolve("@all")) == [*kept, *others[-6:]]


async def test_what_is_not_written_yet_stays(made):
    view, ledger, shelf = made
    ledger.waiting = 30
    view.add([ended() for _ in range(50)])

    shelf.running()
    await until(lambda: view.store_count() == 40)
    await settled()
    assert view.store_count() == 40
    ledger.waiting = 0

    await until(lambda: view.store_count() == 10)


async def test_zero_keeps_everything(made):
    view, _, shelf = made
    shelf._keep = 0
    view.add([ended() for _ in range(50)])

    shelf.running()
    await settled()

    assert view.store_count() == 50


async def test_without_a_view_there_is_nothing_to_do():
    with taddons.context(Declared()) as testing:
        shelf = Recent(Ledger())
        testing.master.addons.add(shelf)

        shelf.running()

        assert shelf._task is None
