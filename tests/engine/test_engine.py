"""Exchanges from the call to the answer, whatever the upstream does: failover, streams, ends, races."""

import asyncio
import json
import random
from typing import Any

import pytest

from qwen_gateway.engine.limits import Limits
from qwen_gateway.engine.transport import TransportFault
from qwen_gateway.openai.errors import OpenAIError
from tests.engine.fakes import (
    BAD,
    END,
    MODEL,
    OK,
    OVERLOADED,
    REFUSED,
    SILENT,
    STREAM,
    THROTTLED,
    WRONG_KEY,
    Client,
    Gateway,
    Script,
    Sent,
    Upstream,
    chunk,
    error,
    sse,
)
from tests.openai.asking import tool

QUICK = Limits(first=0.03, whole=0.03, idle=0.03)
E3 = b'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"request_id":"r","code":"Throttling","message":"Slow down."}\n\n'
RETRYABLE = {
    "throttled": THROTTLED,
    "overloaded": OVERLOADED,
    "wrong key": WRONG_KEY,
    "not entitled": Script([error("Model.AccessDenied")], 403),
    "free quota": Script([error("AllocationQuota.FreeTierOnly")], 403),
    "window": Script([error("insufficient_quota", "week allocated quota exceeded")], 429),
    "billing": Script([error("Arrearage")], 400),
    "no such model": Script([error("ModelNotFound")], 404),
    "wrong path": Script([], 404),
    "bad gateway": Script([b"<html>502 Bad Gateway</html>"], 502),
    "upstream's time limit": Script([error("RequestTimeOut")], 500),
    "no connection": REFUSED,
    "reset": TransportFault("cut", "reset"),
    "silence": Script([SILENT]),
    "silence after the role": Script([STREAM[0], SILENT]),
    "error that never comes": Script([SILENT], 503),
    "cut before content": Script([STREAM[0], TransportFault("cut", "reset")]),
    "empty stream": Script([]),
    "only [DONE]": Script([sse(b"[DONE]")]),
    "no JSON": Script([sse(b"{")]),
    "page instead of an answer": Script([b"<html>Please wait</html>"]),
    "E3": Script([E3]),
    "E3 as JSON": Script([E3], headers={"content-type": "application/json"}),
    "E3 with a status": Script([E3], 400),
    "E1 in a 200": Script([error("Throttling")]),
    "E4": Script([sse(STREAM and chunk(role="assistant"), json.loads(error("InternalError")))]),
    "E4 in the piece of the first content": Script([sse(chunk("x"), json.loads(error("InternalError")))]),
}


@pytest.mark.parametrize("name", RETRYABLE)
@pytest.mark.parametrize("stream", [True, False])
async def test_another_account_answers_and_the_client_sees_nothing_of_it(name: str, stream: bool) -> None:
    gateway = Gateway(Upstream(RETRYABLE[name], OK), "a", "b", limits=QUICK)

    served = await gateway.ask(stream=stream)

    assert gateway.upstream.accounts == ["a", "b"]
    assert served.client.text == "Hello"
    assert (served.client.status, served.exchange.outcome, served.exchange.account) == (200, "finished", "b")
    assert served.client.header("x-gateway-account") == "b"
    assert served.exchange.attempts[0].fault is not None
    assert (served.ended, served.client.ended) == (1, 1)
    assert all(answer.closed == 1 for answer in gateway.upstream.answers)


async def test_after_a_failover_pieces_come_as_they_are_made() -> None:
    goes_on = asyncio.Event()
    gateway = Gateway(Upstream(THROTTLED, Script([*STREAM[:2], goes_on, *STREAM[2:]])), "a", "b")
    client = Client()

    task = asyncio.create_task(gateway.ask(client))
    while b"Hel" not in client.body:
        await asyncio.sleep(0)
    assert not client.ended
    goes_on.set()
    await task

    assert client.text == "Hello"


FATAL = {
    "torn": ([TransportFault("cut", "reset")], "upstream_torn"),
    "no end": ([], "upstream_torn"),
    "silent": ([SILENT], "upstream_timeout"),
    "E4": ([error("InternalError")], "upstream_overloaded"),
    "E3": ([E3], "rate_limit_exceeded"),
    "no JSON": ([sse(b"{")], "upstream_malformed"),
}


@pytest.mark.parametrize("name", FATAL)
async def test_nothing_is_tried_again_once_the_client_saw_something(name: str) -> None:
    pieces, code = FATAL[name]
    tail = [sse(json.loads(piece)) if isinstance(piece, bytes) and piece[:1] == b"{" else piece for piece in pieces]
    gateway = Gateway(Upstream(Script([*STREAM[:2], *tail]), OK), "a", "b", limits=QUICK)

    served = await gateway.ask()

    assert len(gateway.upstream.sent) == 1
    assert served.client.text == "Hel"
    assert served.client.chunks(failed=True)
    assert served.client.error["code"] == code
    assert (served.exchange.outcome, served.ended, served.client.ended) == ("failed", 1, 1)
    assert gateway.upstream.answers[0].closed == 1


@pytest.mark.parametrize("name", FATAL)
async def test_a_client_of_whole_answers_has_seen_nothing_yet(name: str) -> None:
    pieces, _ = FATAL[name]
    tail = [sse(json.loads(piece)) if isinstance(piece, bytes) and piece[:1] == b"{" else piece for piece in pieces]
    gateway = Gateway(Upstream(Script([*STREAM[:2], *tail]), OK), "a", "b", limits=QUICK)

    served = await gateway.ask(stream=False)

    assert gateway.upstream.accounts == ["a", "b"]
    assert served.client.text == "Hello"


async def test_an_answer_that_the_filter_stops_ends_with_that_reason() -> None:
    filtered = sse(json.loads(error("data_inspection_failed", "Output data may contain inappropriate content.")))
    gateway = Gateway(Upstream(Script([*STREAM[:3], filtered])), "a")

    served = await gateway.ask()

    assert served.client.chunks()[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert served.exchange.outcome == "finished"


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        (BAD, 400, "invalid_value"),
        (Script([error("InvalidParameter", "Range of input length should be [1, 5]")], 400), 400,
         "context_length_exceeded"),
        (Script([error("data_inspection_failed")], 400), 400, "content_policy_violation"),
    ],
)  # fmt: skip
async def test_a_bad_call_goes_back_at_once_and_rests_nobody(script: Script, status: int, code: str) -> None:
    gateway = Gateway(Upstream(script), "a", "b")

    served = await gateway.ask()

    assert len(gateway.upstream.sent) == 1
    assert (served.client.status, served.client.error["code"]) == (status, code)
    assert served.client.header("x-should-retry") is None
    assert set(gateway.states().values()) == {"healthy"}


async def test_the_clients_account_is_the_only_one_tried() -> None:
    gateway = Gateway(Upstream(WRONG_KEY), "a", "b")

    served = await gateway.ask(wanted="b")

    assert gateway.upstream.accounts == ["b"]
    assert served.client.status == 503


async def test_an_account_that_is_not_there_is_told() -> None:
    served = await Gateway(Upstream(OK), "a").ask(wanted="nobody")

    assert (served.client.status, served.client.error["code"]) == (503, "no_account")
    assert "accounts: a" in served.client.error["message"]


async def test_a_learned_ceiling_is_kept_to_at_once_and_later() -> None:
    refusal = Script([error("InvalidParameter", "Range of max_tokens should be [1, 8192]")], 400)
    gateway = Gateway(Upstream(refusal, OK), "a")

    first = await gateway.ask(max_tokens=60_000)
    await gateway.ask(max_tokens=60_000)

    assert [sent.body["max_tokens"] for sent in gateway.upstream.sent] == [60_000, 8_192, 8_192]
    assert "clamped=max_tokens" in (first.client.header("x-gateway-notice") or "")
    assert gateway.clock.slept == []


async def test_an_upstream_that_changes_its_mind_for_ever_is_not_followed() -> None:
    def answer(sent: Sent) -> Script:
        return Script([error("InvalidParameter", f"Range of max_tokens should be [1, {9000 - sent.number}]")], 400)

    gateway = Gateway(Upstream(answer=answer), "a")

    served = await gateway.ask(max_tokens=60_000)

    assert len(gateway.upstream.sent) == 2
    assert served.client.status == 400


async def test_tools_come_back_by_the_clients_name() -> None:
    made = chunk(tool_calls=[{"index": 0, "id": "c", "function": {"name": "search_tool", "arguments": "{}"}}])
    gateway = Gateway(Upstream(Script([sse(made), END])), "a")

    served = await gateway.ask(tools=[tool("search")])

    assert '"name":"search"' in served.client.body.decode()


async def test_notices_are_those_of_the_account_that_answered() -> None:
    """Only DashScope drops frequency_penalty."""
    first = await Gateway(Upstream(THROTTLED, OK), "v", "a").ask(frequency_penalty=1)
    second = await Gateway(Upstream(THROTTLED, OK), "a", "v").ask(frequency_penalty=1)

    assert first.client.header("x-gateway-notice") == "dropped=frequency_penalty"
    assert second.client.header("x-gateway-notice") is None


async def test_a_client_that_leaves_ends_the_upstreams_work() -> None:
    gateway = Gateway(Upstream(Script([*STREAM[:2], SILENT])), "a", "b")
    client = Client()

    task = asyncio.create_task(gateway.ask(client))
    while not client.pieces:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    (answer,) = gateway.upstream.answers
    assert (answer.closed, answer.reuse) == (1, False)
    assert set(gateway.states().values()) == {"healthy"}


async def test_leaving_while_waiting_harms_nobody() -> None:
    gateway = Gateway(Upstream(Script([SILENT])), "a")

    task = asyncio.create_task(gateway.ask())
    while not gateway.upstream.answers:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert gateway.upstream.answers[0].closed == 1
    assert gateway.pool.usable()


async def test_a_fault_of_our_own_is_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    def answer(sent: Sent) -> Script:
        raise RuntimeError("secret sk-a")

    served = await Gateway(Upstream(answer=answer), "a").ask()

    assert (served.client.status, served.client.error["code"]) == (500, "internal_error")
    assert "secret" not in served.client.body.decode()
    assert served.exchange.outcome == "failed"
    assert "secret" in caplog.text


class TestSeveralAnswers:
    async def test_they_come_interleaved(self) -> None:
        gateway = Gateway(Upstream(OK), "a")

        served = await gateway.ask(n=3, stream_options={"include_usage": True})

        chunks = served.client.chunks()
        assert {part["index"] for piece in chunks for part in piece["choices"]} == {0, 1, 2}
        assert chunks[-1]["usage"]["total_tokens"] == 36
        assert len(gateway.upstream.sent) == 3

    async def test_they_stand_in_one_object(self) -> None:
        served = await Gateway(Upstream(OK), "a").ask(n=2, stream=False)

        assert [choice["message"]["content"] for choice in served.client.json["choices"]] == ["Hello", "Hello"]
        assert served.client.json["usage"]["total_tokens"] == 24

    async def test_one_that_fails_before_anything_was_shown_is_tried_again(self) -> None:
        served = await Gateway(Upstream(OK, THROTTLED, OK), "a", "b").ask(n=2, stream=False)

        assert [choice["message"]["content"] for choice in served.client.json["choices"]] == ["Hello", "Hello"]

    async def test_one_that_fails_for_good_fails_all(self) -> None:
        def answer(sent: Sent) -> Script:
            return Script([*STREAM[:2], SILENT]) if sent.number == 0 else BAD

        gateway = Gateway(Upstream(answer=answer), "a")

        served = await gateway.ask(n=2)

        assert served.exchange.outcome == "failed"
        assert served.client.ended == 1
        assert served.client.error["message"].startswith("Upstream: messages is wrong")
        assert all(made.closed == 1 for made in gateway.upstream.answers)


class TestOutage:
    CALLS, AT_ONCE = 500, 16

    async def load(self, gateway: Gateway) -> list[Any]:
        gate = asyncio.Semaphore(self.AT_ONCE)

        async def one(number: int) -> Any:
            async with gate:
                return await gateway.ask(stream=number % 2 == 0)

        return await asyncio.gather(*(one(number) for number in range(self.CALLS)))

    @pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
    @pytest.mark.parametrize("script", [OVERLOADED, REFUSED, THROTTLED, Script([])], ids=str)
    async def test_a_total_outage_is_not_multiplied(self, names: tuple[str, ...], script: Any) -> None:
        gateway = Gateway(Upstream(script), *names)

        served = await self.load(gateway)

        assert len(gateway.upstream.sent) <= 1.2 * self.CALLS
        assert {one.exchange.outcome for one in served} == {"failed"}
        assert all(one.client.status in (429, 502, 503) for one in served)

    async def test_a_faltering_upstream_is_not_pressed(self) -> None:
        """Retries would help each call, and double the load of what is failing already."""
        gateway = Gateway(Upstream(answer=lambda sent: OK if sent.number % 2 else OVERLOADED), "a")

        for _ in range(self.CALLS):
            await gateway.ask(stream=False)

        assert 1.1 * self.CALLS < len(gateway.upstream.sent) <= 1.2 * self.CALLS

    @pytest.mark.parametrize("script", [OVERLOADED, REFUSED, THROTTLED, WRONG_KEY], ids=str)
    @pytest.mark.parametrize("strategy", ["fill-first", "round-robin", "least-used", "sticky"])
    async def test_one_of_two_accounts_failing_is_never_seen(self, strategy: Any, script: Any) -> None:
        upstream = Upstream(answer=lambda sent: script if sent.account == "a" else OK)
        gateway = Gateway(upstream, "a", "b", strategy=strategy)

        served = await self.load(gateway)

        assert {one.client.status for one in served} == {200}
        assert {one.client.text for one in served[:20]} == {"Hello"}

    async def test_the_only_account_recovers_under_a_crowd(self) -> None:
        gateway = Gateway(Upstream(answer=lambda sent: THROTTLED if gateway.clock.now < recovery else OK), "a")
        recovery = gateway.clock.now + 4
        served = await asyncio.gather(*(gateway.ask() for _ in range(200)))

        later = await asyncio.gather(*(gateway.ask() for _ in range(200)))

        assert {one.client.status for one in later} == {200}
        assert {one.client.status for one in served} <= {200, 429}
        assert gateway.states() == {("a", ""): "healthy"}

    async def test_a_random_upstream_never_breaks_the_books(self) -> None:
        dice = random.Random(7)
        scripts = [OK, OK, OVERLOADED, THROTTLED, BAD, REFUSED, Script(STREAM[:2])]
        gateway = Gateway(Upstream(answer=lambda sent: dice.choice(scripts)), "a", "b", "c", strategy="round-robin")

        served = await self.load(gateway)

        assert all(one.client.ended == 1 and one.ended == 1 for one in served)
        assert all(answer.closed == 1 for answer in gateway.upstream.answers)
        assert all(state.probing_since is None for state in gateway.pool.states())


async def test_a_conversation_stays_on_its_account_and_new_ones_are_spread() -> None:
    gateway = Gateway(Upstream(OK), "a", "b", "c", strategy="sticky")
    talks = {name: [{"role": "system", "content": "Be brief."}, {"role": "user", "content": name}] for name in "xyz"}
    homes: dict[str, set[str]] = {name: set() for name in talks}

    for _ in range(4):
        for name, messages in talks.items():
            served = await gateway.ask(messages=messages)
            homes[name].add(str(served.exchange.account))
            messages += [{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "And?"}]

    assert sorted(next(iter(home)) for home in homes.values()) == ["a", "b", "c"]
    assert [len(home) for home in homes.values()] == [1, 1, 1]


async def test_a_conversation_of_another_caller_is_another_one() -> None:
    gateway = Gateway(Upstream(OK), "a", "b", strategy="sticky")

    accounts = [(await gateway.ask(caller=caller)).exchange.account for caller in ("key_1", "key_2", "key_1", "key_2")]

    assert accounts == ["a", "b", "a", "b"]


async def test_settings_may_change_while_calls_run() -> None:
    gateway = Gateway(Upstream(OK), "a")
    engine, attempts = gateway.engine, gateway.engine.attempts
    attempts.ceilings[MODEL] = 5
    settings: dict[str, Any] = {"models_cache": 60.0, "connect_timeout": 5.0, "ca_bundle": None, "http2": False}

    engine.configure(limits=Limits(total=5), strategy="round-robin", **settings)
    first, lists = engine.transport, engine.catalogue
    engine.configure(limits=Limits(total=6), strategy="sticky", **settings)

    assert engine.attempts.ceilings == {MODEL: 5}
    assert (engine.transport, engine.catalogue) == (first, lists)
    assert engine.pool.strategy == "sticky"
    await engine.aclose()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_gateway_that_stops_tells_those_who_wait(stream: bool) -> None:
    gateway = Gateway(Upstream(Script([*STREAM[:2], SILENT])), "a")
    client = Client()
    task = asyncio.create_task(gateway.ask(client, stream=stream))
    while not gateway.upstream.answers or (stream and b"Hel" not in client.body):
        await asyncio.sleep(0)

    gateway.engine.stop(OpenAIError("The gateway stops.", status=503, code="shutting_down"))
    served = await task

    assert (served.exchange.outcome, served.ended, served.client.ended) == ("failed", 1, 1)
    assert served.client.error["code"] == "shutting_down"
    assert served.client.status == (200 if stream else 503)
    assert gateway.upstream.answers[0].closed == 1
    assert gateway.engine.running == {}
    assert set(gateway.states().values()) == {"healthy"}


async def test_a_gateway_that_stopped_asks_nobody() -> None:
    gateway = Gateway(Upstream(OK), "a")

    gateway.engine.stop(OpenAIError("The gateway stops.", status=503, code="shutting_down"))
    served = await gateway.ask()

    assert (served.client.status, served.client.error["code"]) == (503, "shutting_down")
    assert gateway.upstream.sent == []


async def test_a_client_that_leaves_a_gateway_that_stops_is_no_failure() -> None:
    gateway = Gateway(Upstream(Script([*STREAM[:2], SILENT])), "a")
    task = asyncio.create_task(gateway.ask())
    while not gateway.engine.running:
        await asyncio.sleep(0)
    (exchange,) = gateway.engine.running

    exchange.end("cancelled")  # as the flow's `error` hook does
    gateway.engine.stop(OpenAIError("The gateway stops.", status=503))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert exchange.outcome == "cancelled"
