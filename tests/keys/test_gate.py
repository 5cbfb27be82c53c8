"""Limits of keys hold: under concurrency, over several gateways, on SQLite and on PostgreSQL."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from qwen_gateway.codec.deltas import Usage
from qwen_gateway.keys.gate import LEAST_ANSWER, USUAL_ANSWER, Unavailable
from qwen_gateway.ledger import Ledger
from qwen_gateway.openai.errors import OpenAIError
from tests import referee
from tests.keys.gateways import NOON, World, account

TOMORROW = NOON + 12 * 3600
DECEMBER = NOON + 9.5 * 86_400


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger)


async def test_a_key_without_limits_is_only_counted(world: World) -> None:
    key = await world.key()
    gateway = world.gateway()

    for _ in range(5):
        assert await gateway.ask(key) is None
    assert world.asked == 0
    await gateway.gate.tell()

    spent = await world.spent(key, "month")
    assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (5, 500, 250)
    assert spent.cost == pytest.approx(5 * (100 * 1.0 + 50 * 2.0) / 1e6)


@pytest.mark.parametrize(
    ("limit", "resets"),
    [
        ({"tokens_per_day": 10_000}, TOMORROW),
        ({"tokens_per_month": 10_000}, DECEMBER),
        ({"money_per_day": 0.015}, TOMORROW),
        ({"money_per_month": 0.015}, DECEMBER),
    ],
)
async def test_a_budget_really_stops_and_names_its_end(world: World, limit: dict[str, float], resets: float) -> None:
    key = await world.key(**limit)
    gateway = world.gateway()

    refused: OpenAIError | None = None
    calls = 0
    while refused is None and calls < 200:
        refused = await gateway.ask(key, uses=(100, 200), max_completion_tokens=200)
        calls += 1

    assert refused is not None
    referee.assert_valid(refused.body(), "error")
    assert (refused.status, refused.code, refused.type) == (429, "insufficient_quota", "insufficient_quota")
    assert refused.retry_after == resets - world.clock.now
    assert refused.should_retry is False
    assert "'team'" in refused.message
    await gateway.gate.tell()
    spent = await world.spent(key)
    tokens = spent.prompt_tokens + spent.completion_tokens
    assert 9_400 <= tokens <= 10_000 if "tokens" in next(iter(limit)) else 0.0145 <= spent.cost <= 0.015
    world.clock.now = resets + 1
    assert await gateway.ask(key, max_completion_tokens=200) is None


@pytest.mark.parametrize(("name", "calls"), [("requests_per_minute", 7), ("tokens_per_minute", 3)])
async def test_a_rate_stops_until_the_minute_is_over(world: World, name: str, calls: int) -> None:
    key = await world.key(**{name: 7 if calls == 7 else 500})
    gateway = world.gateway()

    answers = [await gateway.ask(key, max_completion_tokens=50) for _ in range(calls + 2)]

    assert answers[:calls] == [None] * calls
    for refused in answers[calls:]:
        assert refused is not None
        assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
        assert refused.retry_after == 55
    world.clock.now += 55
    assert await gateway.ask(key, max_completion_tokens=50) is None


async def test_a_prompt_larger_than_the_rate_is_told_so(world: World) -> None:
    key = await world.key(tokens_per_minute=500)

    refused = await world.gateway().ask(key, prompt=600)

    assert refused is not None
    assert "larger than that" in refused.message
    assert (refused.retry_after, refused.should_retry) == (None, False)


@pytest.mark.parametrize("gateways", [1, 3])
async def test_a_crowd_never_uses_up_more_than_the_budget(world: World, gateways: int) -> None:
    """Each call may use 300 tokens, and does; 30,000 are enough for a hundred of them."""
    key = await world.key(tokens_per_day=30_000)
    several = [world.gateway() for _ in range(gateways)]

    async def client(number: int) -> Counter[Any]:
        told: Counter[Any] = Counter()
        for _ in range(20):
            gateway = several[number % gateways]
            refused = await gateway.ask(key, uses=(100, 200), max_completion_tokens=200)
            told[refused.code if refused else "served"] += 1
            if refused is not None:
                await gateway.gate.tell()  # what it has set aside and does not use goes back
        return told

    told = sum(await asyncio.gather(*(client(number) for number in range(30))), Counter[Any]())
    for gateway in several:
        await gateway.gate.tell()
        await gateway.gate.tell()

    spent = await world.spent(key)
    assert spent.prompt_tokens + spent.completion_tokens == 300 * told["served"] <= 30_000
    assert told["served"] >= 95
    assert told["insufficient_quota"] > 0
    assert (await world.held(key)).prompt_tokens == 0, "nothing stays set aside"


async def test_most_calls_need_no_database(world: World) -> None:
    key = await world.key(tokens_per_month=10_000_000, requests_per_minute=10_000)
    gateway = world.gateway()

    for _ in range(500):
        assert await gateway.ask(key, max_completion_tokens=200) is None

    assert world.asked <= 25


async def test_an_answer_without_a_limit_gets_one_that_the_client_is_told_of(world: World) -> None:
    key = await world.key(tokens_per_day=1_000_000)

    exchange, _ = await world.gateway().enter(key)

    assert exchange.call.body["max_completion_tokens"] == USUAL_ANSWER
    assert [str(notice) for notice in exchange.call.notices] == [
        f"clamped max_completion_tokens: {USUAL_ANSWER} tokens are left for it in the budget of the key"
    ]


async def test_the_last_answer_is_as_long_as_the_budget_allows(world: World) -> None:
    key = await world.key(tokens_per_day=2_000)

    exchange, _ = await world.gateway().enter(key, max_tokens=4_000, n=2)

    assert LEAST_ANSWER <= 2 * exchange.call.body["max_tokens"] <= 1_900


async def test_an_answer_that_fits_is_left_alone(world: World) -> None:
    key = await world.key(tokens_per_day=1_000_000)

    exchange, _ = await world.gateway().enter(key, max_tokens=4_000)

    assert exchange.call.body["max_tokens"] == 4_000
    assert exchange.call.notices == []


async def test_what_is_only_reserved_is_worth_a_second_try(world: World) -> None:
    key = await world.key(tokens_per_day=1_000)
    gateway = world.gateway()
    exchange, _ = await gateway.enter(key, max_tokens=800)

    refused = await gateway.ask(key, max_tokens=200)
    gateway.gate.leave(exchange, Usage(100, 20, 120), pieces=1)

    assert refused is not None
    assert (refused.code, refused.retry_after) == ("rate_limit_exceeded", 2)
    assert await gateway.ask(key, max_tokens=200) is None


@pytest.mark.parametrize(("pieces", "tokens"), [(0, 0), (30, 160), (1_000, 300)])
async def test_a_call_whose_end_nobody_saw_is_charged_what_was_received(world: World, pieces: int, tokens: int) -> None:
    key = await world.key(tokens_per_day=1_000)
    gateway = world.gateway()
    exchange, _ = await gateway.enter(key, max_tokens=200)

    gateway.gate.leave(exchange, None, pieces)
    gateway.gate.leave(exchange, None, pieces)
    await gateway.gate.tell()

    spent = await world.spent(key)
    assert (spent.calls, spent.prompt_tokens + spent.completion_tokens) == (1, tokens)


async def test_a_client_that_leaves_while_the_ledger_is_asked_costs_nothing(world: World) -> None:
    key = await world.key(tokens_per_day=1_000)
    gateway = world.gateway()
    waiting = asyncio.create_task(gateway.ask(key, max_tokens=200))
    while not world.asked:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(10):
        while (await world.held(key)).prompt_tokens == 0:
            await asyncio.sleep(0.01)
        while (await world.held(key)).prompt_tokens > 0:  # the gateway hears of it after the database
            await gateway.gate.tell()

    assert await gateway.ask(key, max_tokens=800) is None


async def test_without_the_ledger_a_limited_key_waits_and_nothing_is_forgotten(world: World) -> None:
    key, free = await world.key(tokens_per_day=100_000), await world.key("free")
    gateway = world.gateway()
    assert await gateway.ask(key, max_tokens=200) is None
    working = world.fetch

    async def broken(*_: Any) -> Any:
        raise Unavailable

    gateway.gate._fetch = broken
    with pytest.raises(Unavailable):
        await gateway.gate.tell()
    refused = await gateway.ask(key, prompt=50_000)
    assert await gateway.ask(free) is None
    gateway.gate._fetch = working
    await gateway.gate.tell()

    assert refused is not None
    assert (refused.status, refused.code, refused.retry_after) == (503, "keys_unavailable", 5)
    assert (await world.spent(key)).calls == 1
    assert (await world.spent(free)).calls == 1


class TestRights:
    async def test_models_by_either_name(self, world: World) -> None:
        key = await world.key(models=["qwen3*", "gpt-4o-mini"])
        gateway = world.gateway()

        _, allowed = await gateway.enter(key, model="gpt-4o")
        _, mini = await gateway.enter(key, model="gpt-4o-mini", model_of=lambda _: "other")

        assert allowed(account("a")) == "qwen3.7-plus"
        assert mini(account("a")) == "other"

    async def test_another_model_is_refused_with_those_it_may(self, world: World) -> None:
        key = await world.key(models=["qwen3-coder*"])

        with pytest.raises(OpenAIError, match=r"may not use the model 'gpt-4o'; it may use: qwen3-coder\*") as refused:
            await world.gateway().enter(key, model="gpt-4o")

        assert (refused.value.status, refused.value.code) == (403, "model_not_allowed")

    async def test_other_accounts_are_not_picked(self, world: World) -> None:
        key = await world.key(accounts=["b"])

        _, allowed = await world.gateway().enter(key, accounts=("a", "b"))

        assert [allowed(account(name)) for name in "ab"] == [None, "qwen3.7-plus"]

    @pytest.mark.parametrize("how", [{"wanted": "a"}, {"accounts": ("a",)}])
    async def test_another_account_is_refused(self, world: World, how: dict[str, Any]) -> None:
        key = await world.key(accounts=["b"])

        with pytest.raises(OpenAIError) as refused:
            await world.gateway().enter(key, **how)

        assert (refused.value.status, refused.value.code) == (403, "account_not_allowed")

    async def test_money_cannot_be_counted_without_a_price(self, world: World) -> None:
        key = await world.key(money_per_day=1)

        with pytest.raises(OpenAIError, match="no price of 'unpriced'") as refused:
            await world.gateway().enter(key, model_of=lambda _: "unpriced")

        assert (refused.value.status, refused.value.code) == (403, "price_unknown")
