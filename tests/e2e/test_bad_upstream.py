"""Whatever the upstream does: an answer that is whole, or an error that says so. Never a short one that looks whole."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ahttp, ask, error, events, http, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until

WORDS = "你好，世界！ One two three four five six seven eight nine ten. " * 2


@pytest.fixture(scope="module")
def impatient(starter: Starter, upstream: Simulator) -> Iterator[Mitm]:
    """One account, short time limits, and no second attempt."""
    options = {
        "qwen_attempts": 1,
        "qwen_first_timeout": 1,
        "qwen_whole_timeout": 1,
        "qwen_idle_timeout": 1,
        "qwen_wait": 0,
    }
    with starter("impatient", environ=one_account(upstream), options=options) as gateway:
        yield gateway
    assert gateway.troubles() == []


@pytest.fixture(autouse=True)
def well(impatient: Mitm, sim: Simulator) -> Iterator[None]:
    """Each test begins and ends with an account that works, however the one before it ended."""
    yield
    sim.reset()
    sim.state.pace = 0.0
    wait_until(lambda: ask(impatient).status_code == 200, 12, "the gateway did not recover")


WHOLE = {
    "length-too-long": 502,
    "length-too-short": 502,
    "truncated": 502,
    "wrong-content-type;type=text/html": 200,
    "bad-gateway": 503,
    "service-unavailable": 503,
    "gateway-timeout": 504,
    "text-500": 503,
    "empty-200": 502,
    "empty-404": 502,
    "flat-error": None,
    "gzip": 200,
    "drop-before-headers": 502,
    "drop-in-headers": 502,
    "reset": 502,
    "stall-headers": 504,
    "stall-body": 504,
    "data-inspection": 400,
    "input-too-long": 400,
}


@pytest.mark.parametrize("fault", WHOLE)
def test_an_answer_in_one_piece_is_whole_or_an_error(impatient: Mitm, sim: Simulator, fault: str) -> None:
    sim.script([fault])

    answer = ask(impatient, max_tokens=1000, messages=[{"role": "user", "content": WORDS}])

    if answer.status_code == 200:
        assert text(answer).endswith(f"“{WORDS}”")
    else:
        assert WHOLE[fault] in (None, answer.status_code), answer.text
        assert error(answer)["code"]
        assert "<html" not in answer.text
        assert "Traceback" not in answer.text
    if WHOLE[fault] == 200:
        assert answer.status_code == 200


STREAMS = {
    "crlf": True,
    "cr": True,
    "no-space": True,
    "bytewise": True,
    "bytewise;size=3": True,
    "ragged": True,
    "ragged;seed=7": True,
    "joined": True,
    "comments": True,
    "unknown-events": True,
    "huge-chunk;bytes=300000": None,
    "gzip": True,
    "no-done": True,
    "wrong-content-type": True,
    "finish": None,
    "no-finish": None,
    "usage-null": True,
    "omitted-ids": True,
    "repeated-ids": True,
    "only-done": False,
    "empty-stream": False,
    "invalid-json-chunk": False,
    "drop-after;after=3": False,
    "drop-mid-json;after=3": False,
    "drop-mid-chunk;after=3": False,
    "drop-mid-utf8": False,
    "drop-after-headers": False,
    "stall-mid;after=3": False,
    "stall-body": False,
    "error-event-late": False,
    "content-filter-in-stream": None,
    "buffer-overflow": None,
    "long-answer": None,
}


@pytest.mark.parametrize("fault", STREAMS)
def test_a_stream_is_whole_or_ends_in_an_error(impatient: Mitm, sim: Simulator, fault: str) -> None:
    sim.script([fault])

    answer = ask(impatient, stream=True, messages=[{"role": "user", "content": WORDS}])

    verdict = outcome(answer.status_code, answer.content)
    assert STREAMS[fault] in (None, verdict == "whole"), (verdict, answer.text[-400:])
    if verdict == "whole" and STREAMS[fault]:
        assert text(answer).endswith(f"“{WORDS}”")
    if answer.status_code == 200:
        assert sum("error" in event for event in events(answer)) == (verdict == "failed")


def outcome(status: int, content: bytes) -> str:
    """`whole`, `refused` before the first byte, `failed` after it; anything else looks whole and is not."""
    if status != 200:
        return "refused"
    if b'data: {"error"' in content:
        assert b"data: [DONE]" not in content
        return "failed"
    assert content.endswith(b"data: [DONE]\n\n")
    return "whole"


TEARS = (
    "drop-before-headers", "reset", "drop-in-headers", "drop-after-headers", "drop-after;after={}",
    "drop-after;after={};reset=1", "drop-mid-json;after={}", "drop-mid-json;after={};reset=1",
    "drop-mid-chunk;after={}", "drop-mid-utf8", "drop-before-done", "truncated", "invalid-json-chunk;after={}",
    "error-event;after={}", "ragged;seed={}, drop-mid-json;after={}", "bytewise;size={}", "ok",
)  # fmt: skip


async def test_of_hundreds_of_torn_streams_none_looks_whole(
    starter: Starter, upstream: Simulator, sim: Simulator
) -> None:
    """Cut before headers, in them, in the first chunk, within JSON, within a letter, before `[DONE]`: at random."""
    chance = random.Random(20261121)
    gateway = starter("torn", options={"qwen_strategy": "round-robin", "qwen_wait": 2, "qwen_hold": 1})
    for number in range(8):
        gateway.add_account(f"account-{number}", f"sk-sim.{number}", upstream.url())
    tally: dict[str, int] = {"whole": 0, "failed": 0, "refused": 0}

    async def one(client: Any, number: int) -> None:
        words = f"{WORDS} number{number}"
        answer = await client.post(
            "/v1/chat/completions",
            json={"model": "qwen3-coder-plus", "messages": [{"role": "user", "content": words}], "stream": True},
        )
        verdict = outcome(answer.status_code, answer.content)
        tally[verdict] += 1
        if verdict == "whole":
            assert text(answer).endswith(f"“{words}”"), "a stream of which something is missing looks whole"

    with gateway:
        async with ahttp(gateway) as client:
            for _ in range(22):
                sim.state.pace = chance.choice((0.0, 0.001))
                sim.state.script.clear()
                faults = [chance.choice(TEARS) for _ in range(10)]
                sim.script([fault.replace("{}", str(chance.randint(1, 25))) for fault in faults])
                await asyncio.gather(*(one(client, number) for number in range(10)))
        assert gateway.troubles() == []

    assert sum(tally.values()) == 220
    assert tally["failed"] > 20
    assert tally["whole"] > 40


def test_lists_of_models_that_are_none(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    for fault in ("bad-gateway", "empty-200", "wrong-content-type"):
        with starter("list", environ=one_account(upstream)) as gateway, http(gateway) as client:
            sim.script([{"fault": fault, "path": "/models"}])
            answer = client.get("/v1/models")

            assert answer.status_code == 200
            assert "qwen3.7-plus" in {model["id"] for model in answer.json()["data"]}
            assert ("x-gateway-stale" in answer.headers) is (fault != "wrong-content-type")
