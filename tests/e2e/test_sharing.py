"""Two gateways on one PostgreSQL are one: counts add up, rests are known to both, a login is renewed once."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import psycopg
import pytest

from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token, parse_granted
from qwen_gateway.simulator import Portal, Simulator
from tests.e2e.asking import ahttp, ask, body
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until
from tests.ledger.conftest import postgres

__all__ = ["postgres"]


@pytest.fixture
def pair(starter: Starter, sim: Simulator, postgres: str) -> Iterator[tuple[Mitm, Mitm]]:
    """Two gateways with homes of their own, one account and one database."""
    environ = {**one_account(sim), "QWEN_DATABASE_URL": postgres}
    with ExitStack() as running:
        made = [starter(f"pair{number}", environ=environ, options={"qwen_ledger_flush": 50}) for number in (1, 2)]
        yield tuple(running.enter_context(gateway) for gateway in made)  # type: ignore[misc]


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def calls_today(gateway: Mitm) -> int:
    """What the gateway shows of its account."""
    (account,) = httpx.get(gateway.url + "/accounts", timeout=5).json()["accounts"]
    return next(window["calls"] for window in account["windows"] if window["window"] == "5 hours")


def resting(gateway: Mitm) -> bool:
    """Whether the gateway keeps calls away from its account."""
    return "exhausted" in httpx.get(gateway.url + "/accounts", timeout=5).text


async def test_counts_are_exact_under_load(pair: tuple[Mitm, Mitm], sim: Simulator, postgres: str) -> None:
    async def many(gateway: Mitm) -> list[int]:
        async with ahttp(gateway) as client:
            answers = await asyncio.gather(
                *(client.post("/v1/chat/completions", json=body(stream=number % 2 == 0)) for number in range(60))
            )
        return [answer.status_code for answer in answers]

    statuses = await asyncio.gather(*map(many, pair))
    asked = sum(call.path.endswith("/chat/completions") for call in sim.log)

    assert statuses == [[200] * 60] * 2
    assert asked == 120
    for span in ("minute", "hour"):
        query = f"SELECT coalesce(sum(calls), 0) FROM windows WHERE span = '{span}'"
        await asyncio.to_thread(wait_until, lambda query=query: rows(postgres, query)[0][0] == 120, 20, query)
    for gateway in pair:
        await asyncio.to_thread(wait_until, lambda gateway=gateway: calls_today(gateway) == 120, 20, "not shared")
    await asyncio.to_thread(
        wait_until,
        lambda: (
            rows(postgres, "SELECT count(*), count(DISTINCT gateway) FROM requests WHERE outcome = 'finished'")
            == [(120, 2)]
        ),
        20,
        "not all are recorded",
    )
    tokens = "SELECT sum(prompt_tokens), sum(completion_tokens) FROM "
    assert rows(postgres, tokens + "responses") == rows(postgres, tokens + "windows WHERE span = 'hour'")


def test_a_rest_is_known_to_the_other_within_seconds(pair: tuple[Mitm, Mitm], sim: Simulator) -> None:
    first, second = pair
    sim.script([{"fault": "hour-quota", "times": 1}])
    refused = ask(first)
    asked = len(sim.log)

    wait_until(lambda: resting(second), 15, "the other does not know of the rest")
    assert refused.status_code == ask(second).status_code == 429
    assert len(sim.log) == asked  # it was not tried

    httpx.post(first.url + "/accounts/qwen/reset", timeout=5).raise_for_status()
    wait_until(lambda: not resting(second), 15, "the other does not know that it is over")
    assert ask(second).status_code == 200


def test_a_conversation_is_one_session_whichever_serves_it(pair: tuple[Mitm, Mitm], postgres: str) -> None:
    hello = [{"role": "user", "content": "hello"}]
    ask(pair[0], messages=hello)
    wait_until(lambda: rows(postgres, "SELECT 1 FROM responses"), 20, "no record")
    ask(pair[1], messages=[*hello, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "and?"}])
    wait_until(lambda: len(rows(postgres, "SELECT 1 FROM responses")) == 2, 20, "no record")

    assert rows(postgres, "SELECT count(DISTINCT session_id), count(DISTINCT gateway) FROM requests") == [(1, 2)]


async def test_a_login_is_renewed_once(starter: Starter, postgres: str) -> None:
    with Simulator.in_thread(interval=0.05) as qwen, ExitStack() as running:
        qwen.state.portal = Portal()
        environ = {"QWEN_BASE_URL": qwen.base_url, "QWEN_DATABASE_URL": postgres}
        gateways = [starter(f"logins{number}", environ=environ) for number in (1, 2)]
        granted = parse_granted(qwen.oauth.login("default"), time.time())
        token = Token(granted.access_token, granted.refresh_token, (time.time() - 60) * 1000, "Bearer", qwen.base_url)
        LoginFile(gateways[0].folder / ".qwen" / "oauth_creds.json").write(token)
        (gateways[1].folder / ".qwen").symlink_to(gateways[0].folder / ".qwen")
        for gateway in gateways:
            running.enter_context(gateway)

        async def many(gateway: Mitm) -> list[int]:
            async with ahttp(gateway) as client:
                answers = await asyncio.gather(*(client.post("/v1/chat/completions", json=body()) for _ in range(30)))
            return [answer.status_code for answer in answers]

        statuses = await asyncio.gather(*map(many, gateways))
        refreshes = [call.note for call in qwen.log if call.path == "/api/v1/oauth2/token"]

    assert statuses == [[200] * 30] * 2
    assert refreshes == ["refresh 1 of default"]
    assert rows(postgres, "SELECT count(*) FROM locks") == [(0,)]
