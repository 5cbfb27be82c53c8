"""The lock around a renewal, among gateways that share a ledger."""

import asyncio

import pytest

from qwen_gateway.engine.engine import Engine
from qwen_gateway.ledger import Ledger, LedgerSettings
from qwen_gateway.ledger.identity import Gateway
from qwen_gateway.sharing import Sharing
from tests.ledger.conftest import postgres

__all__ = ["postgres"]


async def together(*gateways: Sharing) -> list[str]:
    """What happens when all of them want to renew a login at once."""
    happened: list[str] = []

    async def renew(sharing: Sharing) -> None:
        async with sharing.guard("me"):
            happened.append("begin")
            await asyncio.sleep(0.05)
            happened.append("end")

    await asyncio.gather(*(renew(each) for each in gateways for _ in range(2)))
    return happened


async def test_one_gateway_at_a_time_renews_a_login(postgres: str) -> None:
    ledgers = [Ledger(LedgerSettings(postgres)) for _ in range(2)]
    happened = await together(*(Sharing(Engine(), ledger, Gateway()) for ledger in ledgers))
    for ledger in ledgers:
        await ledger.aclose()

    assert happened == ["begin", "end"] * 4


async def test_a_ledger_that_fails_keeps_no_login_from_being_renewed(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(LedgerSettings("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    happened = await together(Sharing(Engine(), ledger, Gateway()))
    await ledger.aclose()

    assert sorted(happened) == ["begin", "begin", "end", "end"]
    assert sum("renewed without asking other gateways" in line for line in caplog.messages) == 1
