"""Two accounts, of which the first one fails before it has said anything: the client does not notice.

The faults share a process per way of asking. Each has an account of its own that is limited to a model of its own, and
all models have the same second account, `good`; so one fault's rest is not another one's.
"""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Key, Simulator
from tests.e2e.asking import MODEL, ahttp, ask, error, events, http, openai, text
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, free_port, program, wait_until

FAULTS = {
    # fault: what the gateway makes of it
    "invalid-api-key": "auth_dead",
    "invalid-access-token": "wrong_plan",
    "model-access-denied": "not_entitled",
    "throttling": "throttle",
    "insufficient-quota": "throttle_tokens",
    "arrearage": "billing",
    "internal-error": "overload",
    "model-serving-error-503": "overload",
    "bad-gateway": "overload",  # HTML from the edge
    "text-500": "overload",
    "error-in-200-json": "throttle_tokens",
    "error-in-200": "throttle_tokens",
    "error-lines": "throttle_tokens",
    "error-event": "overload",
    "drop-before-headers": "torn",
    "reset": "torn",
    "drop-in-headers": "torn",
    "drop-after-headers": "torn",
    "drop-mid-json;after=0": "torn",
    "empty-200": "torn",
    "length-too-long": "torn",
    "stall-headers": "silence",
    "stall-body": "silence",
    "nobody listens": "unreachable",
}
MODELS = (
    "qwen3.8-max", "qwen3.7-max", "qwen3.7-plus", "qwen3.6-plus", "qwen3.5-plus", "qwen3.5-flash", "qwen3.5-omni-plus",
    "qwen3-max", "qwen3-max-2026-01-23", "qwen3-coder-plus", "qwen3-coder-flash", "qwen3-coder-next", "qwen3-vl-plus",
    "qwen3-235b-a22b-thinking-2507", "qwen-max", "qwen-plus", "qwen-flash", "qwen-turbo", "deepseek-v4",
    "deepseek-v3.2", "glm-5", "glm-4.7", "glm-4.5", "kimi-k2.5", "kimi-k3", "MiniMax-M2.5",
)  # fmt: skip
CASES = dict(zip(FAULTS, MODELS, strict=False))

WAYS: dict[str, dict[str, Any]] = {
    "streamed": {"stream": True},
    # Asked of the upstream as a stream and given to the client in one piece.
    "collected": {"stream": False, "max_tokens": 8_000},
    "whole": {"stream": False, "max_tokens": 1_000},
}
ONLY = {"drop-mid-json;after=0": ("streamed", "collected"), "length-too-long": ("whole",)}
"""Faults that are none in other ways: a stream is over with its `[DONE]`, whatever its length."""


@dataclass
class Pair:
    """A gateway, and how it is asked."""

    gateway: Mitm
    fields: dict[str, Any]
    way: str


@pytest.fixture(scope="module", params=WAYS)
def pair(request: pytest.FixtureRequest, starter: Starter, upstream: Simulator) -> Iterator[Pair]:
    """A gateway with an account for each fault, and one that is well, last."""
    options = {"qwen_strategy": "fill-first", "qwen_first_timeout": 1, "qwen_whole_timeout": 1, "qwen_wait": 0}
    gateway = starter(f"pair-{request.param}", options=options)
    for number, (fault, model) in enumerate(CASES.items()):
        key = f"sk-first-{number}"
        url = f"http://127.0.0.1:{free_port()}/v1" if fault == "nobody listens" else upstream.url()
        upstream.keys[key] = Key(fault="" if fault == "nobody listens" else fault)
        gateway.add_account(f"first-{number}", key, url, model)
    gateway.add_account("good", "sk-sim.good", upstream.url())
    with gateway:
        yield Pair(gateway, WAYS[request.param], request.param)
    assert gateway.troubles() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_the_second_account_answers_when_the_first_one_fails(pair: Pair, sim: Simulator, fault: str) -> None:
    if pair.way not in ONLY.get(fault, WAYS):
        return
    gateway, model = pair.gateway, CASES[fault]

    answer = ask(gateway, model=model, **pair.fields)

    assert answer.status_code == 200, answer.text
    assert text(answer).endswith("“Say hi”")
    assert answer.headers["x-gateway-account"] == "good"
    keys = [received.key for received in sim.log]
    assert keys[-1] == "sk-sim.good"
    assert len(keys) == (1 if fault == "nobody listens" else 2)
    request_id = answer.headers["x-request-id"]
    comment = gateway.flow(request_id).comment
    assert "on good: finished" in comment
    assert "account: good (" in comment
    assert f"attempt 1 on first-{list(CASES).index(fault)}: {FAULTS[fault]} — " in comment
    (attempt,) = gateway.attempts(request_id)
    assert attempt.marked == ":warning:"
    assert attempt.comment.startswith(f"attempt 1 of {request_id} on first-")
    assert attempt.request.json()["model"] == model
    assert "authorization" not in attempt.request.headers
    if sim.log[0].status and attempt.response:
        assert attempt.response.status_code == sim.log[0].status


def test_streams_stay_streams_after_a_failover(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("true-streaming", options={"qwen_strategy": "fill-first"})
    gateway.add_account("first", "sk-sim-throttling", upstream.url())
    gateway.add_account("second", "sk-sim.second", upstream.url())
    sim.state.pace = 0.02
    times: list[float] = []
    with gateway, http(gateway) as client:
        fields = {"model": MODEL, "messages": [{"role": "user", "content": "Say hi"}], "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=fields) as answer:
            times.extend(time.time() for _ in answer.iter_raw())
        wait_until(lambda: sim.log[-1].ended_at is not None, 5, "it did not end")

    assert len(times) > 20
    assert times[0] < sim.log[-1].ended_at - 0.3


async def test_two_accounts_of_the_command_line(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    """As a user does it: `qwen-auth add` twice, the official library, one account out of order."""
    gateway = starter("two", options={"qwen_strategy": "fill-first"})
    for name, key in (("work", "sk-sim-invalid-api-key"), ("home", "sk-sim.home")):
        added = subprocess.run(
            [
                program("qwen-auth"), "add", name, "--key-from-stdin",
                "--plan", "model-studio-intl", "--base-url", upstream.url(),
            ],
            input=key.encode(), env=gateway.environment(), capture_output=True, check=False, timeout=20,
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
    with gateway:
        async with openai(gateway) as client:
            for _ in range(3):
                stream = await client.chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": "Say hi"}], stream=True
                )
                said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
                assert said.endswith("“Say hi”")
        accounts = {account["name"]: account for account in gateway.health().json()["checks"]["accounts"]}

    # The account that is dead was tried once and rests.
    assert [received.key for received in sim.log] == ["sk-sim-invalid-api-key", *["sk-sim.home"] * 3]
    assert accounts["work"]["status"] == "needs-login"
    assert accounts["home"]["status"] == "healthy"


# ---- after the first content nothing is tried again

LATE = {
    "drop-after;after=3": "upstream_torn",
    "drop-after;after=3;reset=1": "upstream_torn",
    "drop-mid-json;after=8": "upstream_torn",
    "drop-mid-chunk;after=8": "upstream_torn",
    "drop-mid-utf8": "upstream_torn",
    "drop-before-done": None,  # everything was said
    "no-done": None,
    "error-event;after=3": "upstream_overloaded",
    "error-event-late": "upstream_overloaded",
    "invalid-json-chunk;after=4": "upstream_malformed",
    "stall-mid;after=3": "upstream_timeout",
}


@pytest.fixture(scope="module")
def late(starter: Starter, upstream: Simulator) -> Iterator[Mitm]:
    """Two accounts, both well; each test has a model of its own."""
    options = {"qwen_strategy": "fill-first", "qwen_idle_timeout": 1, "qwen_first_timeout": 2, "qwen_wait": 0}
    gateway = starter("late", options=options)
    for name in ("one", "two"):
        gateway.add_account(name, f"sk-sim.{name}", upstream.url())
    with gateway:
        yield gateway
    assert gateway.troubles() == []


@pytest.mark.parametrize("fault", LATE)
def test_after_the_first_content_a_stream_ends_with_one_error(late: Mitm, sim: Simulator, fault: str) -> None:
    sim.script([fault])
    sim.state.pace = 0.003  # or the error comes in one piece with the first content, and is seen in time
    model = MODELS[list(LATE).index(fault)]

    answer = ask(late, stream=True, model=model, messages=[{"role": "user", "content": "你好 " * 20}])

    assert answer.status_code == 200
    assert len(sim.log) == 1
    errors = [event["error"] for event in events(answer) if "error" in event]
    if LATE[fault] is None and not errors:
        assert events(answer)[-1]["choices"][0]["finish_reason"] == "stop"
        assert b"data: [DONE]" in answer.content
        return
    assert len(errors) == 1
    assert LATE[fault] in (None, errors[0]["code"]), errors
    assert "[DONE]" not in answer.text
    if LATE[fault] is not None:
        finished = [choice["finish_reason"] for event in events(answer) for choice in event.get("choices", ())]
        assert set(finished) == {None}


@pytest.mark.parametrize("fault", [fault for fault, code in LATE.items() if code])
def test_a_collected_answer_is_whole_or_an_error(late: Mitm, sim: Simulator, fault: str) -> None:
    """What breaks off in the middle is never given to the client as a short answer."""
    sim.script([fault])
    model = MODELS[-1 - list(LATE).index(fault)]

    answer = ask(late, stream=False, model=model, messages=[{"role": "user", "content": "你好 " * 20}])

    if answer.status_code == 200:
        assert text(answer).count("你好") == 20
    else:
        assert answer.status_code in (429, 502, 503, 504)
        assert error(answer)["code"] == LATE[fault]


# ---- when no account is left


@pytest.mark.parametrize("stream", [False, True])
def test_when_every_account_is_throttled_the_client_is_told_when_to_come_back(
    starter: Starter, upstream: Simulator, sim: Simulator, stream: bool
) -> None:
    gateway = starter("exhausted", options={"qwen_strategy": "fill-first", "qwen_wait": 0})
    for name in ("one", "two"):
        sim.keys[f"sk-exhausted-{name}"] = Key(fault="throttling;retry_after=40")
        gateway.add_account(name, f"sk-exhausted-{name}", upstream.url())
    with gateway:
        first, second = ask(gateway, stream=stream), ask(gateway, stream=stream)
        health = gateway.health()

    for answer in (first, second):
        assert answer.status_code == 429
        assert error(answer)["code"] == "rate_limit_exceeded"
        assert error(answer)["type"] == "rate_limit_error"
        assert 35 <= int(answer.headers["retry-after"]) <= 41
        assert answer.headers["x-should-retry"] == "false"
    assert len(sim.log) == 2
    assert health.status_code in (200, 503)


async def test_the_official_library_does_not_retry_what_cannot_work(
    starter: Starter, upstream: Simulator, sim: Simulator
) -> None:
    from openai import RateLimitError

    gateway = starter("no-retries", options={"qwen_wait": 0})
    sim.keys["sk-exhausted"] = Key(fault="throttling;retry_after=40")
    gateway.add_account("one", "sk-exhausted", upstream.url())
    begin = time.monotonic()
    with gateway:
        begin = time.monotonic()
        async with openai(gateway, max_retries=2) as client:
            with pytest.raises(RateLimitError):
                await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Say hi"}])
        took = time.monotonic() - begin
        flows = [flow for flow in gateway.flows() if flow.metadata.get("qwen.client")]

    assert took < 2
    assert len(flows) == 1


def test_an_outage_is_not_multiplied_and_ends_without_a_restart(
    starter: Starter, upstream: Simulator, sim: Simulator
) -> None:
    gateway = starter("outage", options={"qwen_strategy": "fill-first", "qwen_wait": 0})
    for name in ("one", "two"):
        gateway.add_account(name, f"sk-sim.{name}", upstream.url())
    sim.script([{"fault": "internal-error", "times": 1000}])
    with gateway, http(gateway) as client:
        fields = {"model": MODEL, "messages": [{"role": "user", "content": "Say hi"}]}
        answers = [client.post("/v1/chat/completions", json=fields) for _ in range(100)]
        received = len(sim.log)
        sim.state.script.clear()

        def well() -> bool:
            return client.post("/v1/chat/completions", json=fields).status_code == 200

        wait_until(well, 12, "the accounts did not recover")

    assert {answer.status_code for answer in answers} == {503}
    assert received <= 120


async def test_many_clients_fail_over_at_once(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    import asyncio

    gateway = starter("crowd", options={"qwen_strategy": "fill-first"})
    gateway.add_account("first", "sk-sim-insufficient-quota", upstream.url())
    gateway.add_account("second", "sk-sim.second", upstream.url())
    with gateway:
        async with ahttp(gateway) as client:

            async def one(stream: bool) -> httpx.Response:
                messages = [{"role": "user", "content": "Say hi"}]
                return await client.post(
                    "/v1/chat/completions", json={"model": MODEL, "messages": messages, "stream": stream}
                )

            answers = await asyncio.gather(*(one(number % 2 == 0) for number in range(50)))

    assert [answer.status_code for answer in answers] == [200] * 50
    assert all(text(answer).endswith("“Say hi”") for answer in answers)
