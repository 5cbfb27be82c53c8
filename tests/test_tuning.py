"""The table of listeners says what mitmproxy's own way says, only sooner."""

import logging
from dataclasses import dataclass
from typing import Any

import pytest
from mitmproxy import exceptions, hooks
from mitmproxy.test import taddons

from qwen_gateway.tuning import HookTable


@dataclass
class ProbedHook(hooks.Hook):
    """An event of this test's own."""

    seen: list[str]


class Plain:
    name = "plain"

    def probed(self, seen: list[str]) -> None:
        seen.append(self.name)


class Waiting:
    name = "waiting"

    async def probed(self, seen: list[str]) -> None:
        seen.append(self.name)


class Parent:
    name = "parent"

    def __init__(self) -> None:
        self.addons = [Plain()]


class Broken:
    name = "broken"

    def probed(self, seen: list[str]) -> None:
        raise ValueError("broken on purpose")


class Halting:
    name = "halting"

    def probed(self, seen: list[str]) -> None:
        seen.append(self.name)
        raise exceptions.AddonHalt


async def told(manager: Any) -> list[str]:
    seen: list[str] = []
    await manager.trigger_event(ProbedHook(seen))
    return seen


async def test_listeners_are_told_in_order_children_and_coroutines_included() -> None:
    with taddons.context(Waiting(), Parent()) as context:
        expected = await told(context.master.addons)
        HookTable(context.master.addons).install()
        assert await told(context.master.addons) == expected == ["waiting", "plain"]


async def test_an_addon_that_comes_later_is_told_and_one_that_went_is_not() -> None:
    with taddons.context(Waiting()) as context:
        HookTable(context.master.addons).install()
        assert await told(context.master.addons) == ["waiting"]
        late = Plain()
        context.master.addons.add(late)
        assert await told(context.master.addons) == ["waiting", "plain"]
        context.master.addons.remove(late)
        assert await told(context.master.addons) == ["waiting"]


async def test_an_error_is_logged_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with taddons.context(Broken(), Plain()) as context, caplog.at_level(logging.ERROR):
        HookTable(context.master.addons).install()
        assert await told(context.master.addons) == ["plain"]
    assert "broken on purpose" in caplog.text


async def test_a_halt_ends_the_round() -> None:
    with taddons.context(Halting(), Plain()) as context:
        HookTable(context.master.addons).install()
        assert await told(context.master.addons) == ["halting"]


async def test_installing_twice_changes_nothing() -> None:
    with taddons.context(Plain()) as context:
        HookTable(context.master.addons).install()
        HookTable(context.master.addons).install()
        assert await told(context.master.addons) == ["plain"]
