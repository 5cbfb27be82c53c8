"""The operator's commands, as mitmproxy calls them."""

from collections.abc import Iterator

import pytest
from mitmproxy import exceptions
from mitmproxy.test import taddons

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.pool import Rest
from qwen_gateway.cockpit import Cockpit
from qwen_gateway.engine.engine import Engine

MODEL = "qwen3.7-plus"


@pytest.fixture
def engine() -> Engine:
    engine = Engine()
    engine.use(
        [
            Account(name, "key", "model-studio-intl", "http://x.test/v1", KeyCredentials(f"sk-canary-{name}"))
            for name in ("work", "home")
        ]
    )
    engine.pool.strategy = "fill-first"
    return engine


@pytest.fixture
def commands(engine: Engine) -> Iterator[taddons.context]:
    with taddons.context(Cockpit(engine)) as context:
        yield context


def call(commands: taddons.context, name: str, *arguments: str) -> object:
    return commands.master.commands.call_strings(name, list(arguments))


def test_every_account_has_a_line(engine: Engine, commands: taddons.context) -> None:
    engine.pool.failed("work", MODEL, Rest("resting", 30, 60, reason="throttle: slow down"))

    assert call(commands, "qwen.accounts") == [
        f"work [model-studio-intl] healthy; {MODEL}: resting for 30 s (throttle: slow down)",
        "home [model-studio-intl] healthy",
    ]


def test_a_disabled_account_is_not_picked_until_it_is_reset(engine: Engine, commands: taddons.context) -> None:
    call(commands, "qwen.account.disable", "work")
    while_disabled = engine.pool.pick(MODEL).account.name
    lines = call(commands, "qwen.accounts")
    call(commands, "qwen.account.reset", "work")

    assert while_disabled == "home"
    assert "work [model-studio-intl] disabled (disabled by hand)" in lines  # type: ignore[operator]
    assert engine.pool.pick(MODEL).account.name == "work"


def test_a_reset_ends_a_rest(engine: Engine, commands: taddons.context) -> None:
    engine.pool.failed("work", MODEL, Rest("exhausted", 3600, 3600, whole_account=True))

    assert call(commands, "qwen.account.reset", "work") == "work is healthy"
    assert engine.pool.pick(MODEL).account.name == "work"


@pytest.mark.parametrize("name", ["qwen.account.reset", "qwen.account.disable"])
def test_a_wrong_name_is_told_the_right_ones(commands: taddons.context, name: str) -> None:
    with pytest.raises(exceptions.CommandError, match="no account 'wrok'; accounts: work, home"):
        call(commands, name, "wrok")
