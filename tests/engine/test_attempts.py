"""Attempts: waits, budgets, limits, what the client is told when none is left."""

import asyncio
from typing import Any

import pytest

from qwen_auth.pool import Rest
from qwen_gateway.engine.limits import Limits
from qwen_gateway.exchange import Attempt, Exchange
from tests.engine.fakes import (
    OK,
    OVERLOADED,
    SILENT,
    STREAM,
    THROTTLED,
    WRONG_KEY,
    Client,
    Gateway,
    Script,
    Sent,
    Upstream,
    error,
)


async def test_a_call_waits_for_an_account_that_recovers_soon() -> None:
    gateway = Gateway(Upstream(THROTTLED, OK), "a")

    served = await gateway.ask()

    assert served.client.status == 200
    assert 5 <= sum(gateway.clock.slept) <= 6
    assert len(gateway.upstream.sent) == 2


async def test_it_does_not_wait_for_one_that_rests_long() -> None:
    gateway = Gateway(Upstream(Script([error("Throttling")], 429, {"retry-after": "30"})), "a")

    served = await gateway.ask()

    assert gateway.clock.slept == []
    assert served.client.status == 429
    assert served.client.header("retry-after") == "30"
    assert served.client.header("x-should-retry") == "false"
    assert served.client.error["code"] == "rate_limit_exceeded"


async def test_later_calls_are_told_when_to_come_back_without_asking_the_upstream() -> None:
    gateway = Gateway(Upstream(Script([error("Throttling")], 429, {"retry-after": "30"})), "a")
    await gateway.ask()
    gateway.clock.now += 10

    served = await gateway.ask()

    assert len(gateway.upstream.sent) == 1
    assert (served.client.status, served.client.header("retry-after")) == (429, "20")
    assert "try again in 20s" in served.client.error["message"]  # Codex reads it there


async def test_a_soon_recovery_is_worth_another_try_of_the_client() -> None:
    gateway = Gateway(Upstream(Script([error("Throttling")], 429, {"retry-after": "4"})), "a", limits=Limits(wait=0))

    served = await gateway.ask()

    assert served.client.header("retry-after") == "4"
    assert served.client.header("x-should-retry") == "true"


async def test_what_no_hint_tells_the_pool_tells() -> None:
    gateway = Gateway(Upstream(THROTTLED), "a", limits=Limits(wait=0))

    assert (await gateway.ask()).client.header("retry-after") == "5"


async def test_a_dead_key_is_told_in_words_that_help() -> None:
    served = await Gateway(Upstream(WRONG_KEY), "a").ask()

    assert (served.client.status, served.client.error["code"]) == (503, "upstream_auth")
    assert "qwen-auth" in served.client.error["message"]
    assert "sk-a" not in served.client.body.decode()
    assert served.client.header("x-should-retry") == "false"


async def test_the_only_account_is_tried_again_after_a_pause() -> None:
    gateway = Gateway(Upstream(OVERLOADED, OK), "a", limits=Limits(back_off=0.5))

    served = await gateway.ask()

    assert served.client.status == 200
    (pause,) = gateway.clock.slept
    assert 0.25 <= pause <= 0.5


async def test_an_attempt_has_a_limit() -> None:
    gateway = Gateway(Upstream(OVERLOADED), *"abcdef", limits=Limits(attempts=3))

    served = await gateway.ask()

    assert gateway.upstream.accounts == ["a", "b", "c"]
    assert len(served.exchange.attempts) == 3


async def test_a_call_has_a_limit() -> None:
    gateway = Gateway(Upstream(Script([SILENT])), "a", limits=Limits(total=0.02))

    served = await gateway.ask()

    assert (served.client.status, served.client.error["code"]) == (504, "upstream_timeout")
    assert "qwen_total_timeout" in served.client.error["message"]
    assert gateway.upstream.answers[0].closed == 1
    assert gateway.states() == {("a", ""): "healthy"}


async def test_the_limit_of_a_call_counts_within_an_answer_too() -> None:
    gateway = Gateway(Upstream(Script([*STREAM[:2], SILENT])), "a", limits=Limits(total=0.02))

    served = await gateway.ask()

    assert served.client.text == "Hel"
    assert served.client.error["code"] == "upstream_timeout"


async def test_an_error_of_the_upstreams_time_limit_rests_nobody() -> None:
    gateway = Gateway(Upstream(Script([error("RequestTimeOut")], 500)), "a")

    served = await gateway.ask()

    assert (served.client.status, len(gateway.upstream.sent)) == (504, 1)
    assert gateway.states() == {("a", ""): "healthy"}


async def test_each_attempt_is_told_when_it_starts_and_when_it_failed() -> None:
    seen: list[tuple[int, str, bool]] = []

    async def observe(exchange: Exchange, attempt: Attempt) -> None:
        seen.append((attempt.number, attempt.account, attempt.ended is not None))

    gateway = Gateway(Upstream(THROTTLED, OK), "a", "b")
    gateway.engine.attempts.observe = observe

    served = await gateway.ask()

    assert seen == [(1, "a", False), (1, "a", True), (2, "b", False)]
    assert [attempt.verdict for attempt in served.exchange.attempts] == ["throttle", None]
    assert b"Throttling" in served.exchange.attempts[0].answer
    assert "Authorization" not in served.exchange.attempts[0].headers


async def test_an_observer_that_fails_keeps_no_account() -> None:
    async def observe(exchange: Exchange, attempt: Attempt) -> None:
        raise RuntimeError("no room")

    gateway = Gateway(Upstream(OK), "a")
    gateway.pool.failed("a", "qwen3.7-plus", Rest("resting", 1, 10))
    gateway.clock.now += 2
    gateway.engine.attempts.observe = observe
    await gateway.ask()
    gateway.engine.attempts.observe = None

    assert (await gateway.ask()).client.status == 200


async def test_a_probe_lets_others_in_with_its_first_content() -> None:
    """Its answer may take minutes."""
    gateway = Gateway(Upstream(Script([*STREAM[:2], SILENT]), OK), "a")
    gateway.pool.failed("a", "qwen3.7-plus", Rest("resting", 1, 10))
    gateway.clock.now += 2

    client = Client()
    probe = asyncio.create_task(gateway.ask(client))
    while b"Hel" not in client.body:
        await asyncio.sleep(0)
    served = await gateway.ask()
    probe.cancel()
    await asyncio.wait([probe])

    assert served.client.status == 200
    assert gateway.clock.slept == []


async def test_a_conversation_stays_on_its_account() -> None:
    gateway = Gateway(Upstream(OK), "a", "b", strategy="round-robin")

    for _ in range(4):
        await gateway.ask(prompt_cache_key="x")
        await gateway.ask(prompt_cache_key="y")

    assert gateway.upstream.accounts == ["a", "b"] * 4


async def test_credentials_join_at_the_last_moment() -> None:
    gateway = Gateway(Upstream(OK), "a")

    served = await gateway.ask()

    assert gateway.upstream.sent[0].headers["Authorization"] == "Bearer sk-a"
    assert "sk-a" not in repr(served.exchange.attempts)


async def test_retries_are_paid_for_and_failover_to_a_healthy_account_is_not() -> None:
    def answer(sent: Sent) -> Any:
        return OVERLOADED if sent.account == "a" else OK

    gateway = Gateway(Upstream(answer=answer), "a", "b")
    for _ in range(50):
        gateway.pool.reset("a")
        assert (await gateway.ask()).client.status == 200

    assert gateway.upstream.accounts == ["a", "b"] * 50


@pytest.mark.parametrize("stream", [True, False])
async def test_no_account_at_all_is_told_with_the_remedy(stream: bool) -> None:
    gateway = Gateway(Upstream(OK), "a")
    gateway.engine.use([])

    served = await gateway.ask(stream=stream)

    assert (served.client.status, served.client.error["code"]) == (503, "no_account")
    assert "qwen-auth add" in served.client.error["message"]
    assert served.client.header("x-should-retry") == "false"
