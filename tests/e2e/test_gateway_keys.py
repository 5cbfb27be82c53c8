"""The gateway's own keys: the command that makes them, a real process that obeys them, the official library."""

import asyncio
import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import openai as library
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, MODEL, ask, error, openai
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, program, wait_until
from tests.ledger.conftest import postgres

__all__ = ["postgres"]


def keys(gateway: Mitm, *arguments: str, code: int = 0) -> str:
    """What `qwen-gateway keys` printed."""
    done = subprocess.run(
        [program("qwen-gateway"), "keys", *arguments], env=gateway.environment(), cwd=gateway.folder,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def create(gateway: Mitm, name: str, *limits: str) -> str:
    return keys(gateway, "create", name, *limits).strip()


def listed(gateway: Mitm) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in keys(gateway, "list", "--json").splitlines()]
    return {row["name"]: row for row in rows}


def models(gateway: Mitm, key: str) -> httpx.Response:
    return httpx.get(gateway.url + "/v1/models", headers={"authorization": f"Bearer {key}"}, timeout=20)


def chat(gateway: Mitm, key: str, **fields: Any) -> httpx.Response:
    return ask(gateway, headers={"authorization": f"Bearer {key}"}, **fields)


@pytest.fixture(scope="module")
def guarded(starter: Starter, upstream: Simulator) -> Mitm:
    """One with a key in its ledger, a plain one beside it, and two accounts."""
    environ = one_account(upstream) | {"QWEN_GATEWAY_KEYS": "canary-plain"}
    gateway = starter("guarded", environ=environ, options={"qwen_strategy": "fill-first"})
    gateway.add_account("second", "sk-sim.second", upstream.url())
    (gateway.home / "prices.json").write_text(json.dumps({"models": {"qwen*": {"input": 1000, "output": 1000}}}))
    create(gateway, "first")
    return gateway.start()


def known(gateway: Mitm, key: str) -> None:
    """A key that was made while the gateway runs is known within seconds."""
    wait_until(lambda: models(gateway, key).status_code == 200, 10, lambda: models(gateway, key).text)


async def test_a_key_that_was_made_meanwhile_opens_and_a_revoked_one_does_not(guarded: Mitm, sim: Simulator) -> None:
    key = create(guarded, "alice")
    known(guarded, key)
    async with openai(guarded, key=key) as client:
        served = await client.chat.completions.create(model=MODEL, messages=HI)
        stream = await client.chat.completions.create(model=MODEL, messages=HI, stream=True)
        pieces = [piece async for piece in stream]
        keys(guarded, "revoke", "alice")
        begin = time.monotonic()
        wait_until(lambda: models(guarded, key).status_code == 401, 10, "the revoked key still opens")
        taken = time.monotonic() - begin
        with pytest.raises(library.AuthenticationError, match="'alice' was revoked"):
            await client.chat.completions.create(model=MODEL, messages=HI)

    assert served.choices[0].message.content
    assert len(pieces) > 5
    assert taken < 5
    assert listed(guarded)["alice"]["state"] == "revoked"
    assert "there is no key 'nobody'" in keys(guarded, "revoke", "nobody", code=1)
    assert "already" in keys(guarded, "create", "first", code=1)
    assert create(guarded, "alice") != key


@pytest.mark.parametrize("key", ["x", "wrong", "sk-gw-000000000000-x"])
def test_without_a_good_key_nobody_comes_in(guarded: Mitm, key: str) -> None:
    assert chat(guarded, key).status_code == 401


def test_plain_keys_go_on(guarded: Mitm) -> None:
    assert chat(guarded, "canary-plain").status_code == 200


def test_a_key_is_nowhere_but_with_its_owner(guarded: Mitm) -> None:
    key = create(guarded, "secretive")
    known(guarded, key)
    answer = chat(guarded, key)
    flow = guarded.flow(answer.headers["x-request-id"])

    secret = key.split("-", 3)[3].encode()
    places = [path for path in guarded.folder.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.db" for path in places)
    assert [path for path in places if secret in path.read_bytes()] == []
    assert secret not in answer.content
    assert str(flow.metadata["qwen.caller"]).startswith("key_")
    assert key not in keys(guarded, "list")


async def test_a_key_for_some_models_gets_no_others(guarded: Mitm, sim: Simulator) -> None:
    key = create(guarded, "modest", "--model", "qwen3.5*")
    known(guarded, key)
    async with openai(guarded, key=key) as client:
        names = {model.id async for model in client.models.list()}
        served = await client.chat.completions.create(model="qwen3.5-plus", messages=HI)
        with pytest.raises(library.PermissionDeniedError) as refused:
            await client.chat.completions.create(model=MODEL, messages=HI)

    assert names
    assert all(name.startswith("qwen3.5") for name in names)
    assert served.choices
    assert refused.value.code == "model_not_allowed"
    assert "it may use: qwen3.5*" in str(refused.value)
    assert len([call for call in sim.log if call.path.endswith("completions")]) == 1


def test_a_key_for_an_account_never_uses_another(guarded: Mitm, sim: Simulator) -> None:
    key = create(guarded, "loyal", "--account", "second")
    known(guarded, key)
    headers = {"authorization": f"Bearer {key}"}

    assert chat(guarded, key).headers["x-gateway-account"] == "second"
    refused = ask(guarded, headers={**headers, "x-qwen-account": "qwen"})
    assert (refused.status_code, error(refused)["code"]) == (403, "account_not_allowed")


async def test_requests_a_minute(guarded: Mitm, sim: Simulator) -> None:
    key = create(guarded, "hasty", "--requests-per-minute", "3")
    known(guarded, key)
    while time.time() % 60 > 50:
        await asyncio.sleep(1)  # all of it in one minute
    answers = [chat(guarded, key) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert error(answers[3])["code"] == "rate_limit_exceeded"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60


@pytest.mark.parametrize("budget", [("--tokens-per-day", "1500"), ("--money-per-month", "1.5")], ids="-".join)
async def test_a_budget_stops_a_crowd_and_outlives_a_restart(
    starter: Starter, upstream: Simulator, sim: Simulator, budget: tuple[str, str]
) -> None:
    """A token costs a thousandth here."""
    gateway = starter("budget", environ=one_account(upstream))
    gateway.home.mkdir(exist_ok=True)
    (gateway.home / "prices.json").write_text(json.dumps({"models": {"qwen*": {"input": 1000, "output": 1000}}}))
    key = create(gateway, "team", *budget)
    gateway.start()
    told: Counter[str] = Counter()

    async def client(number: int) -> None:
        async with openai(gateway, key=key, max_retries=0) as one:
            for turn in range(8):
                try:
                    await one.chat.completions.create(
                        model=MODEL, messages=HI, max_tokens=60, stream=bool((number + turn) % 2)
                    )
                    told["served"] += 1
                except library.RateLimitError as refused:
                    told[str(refused.code)] += 1
                    await asyncio.sleep(0.3)

    await asyncio.gather(*(client(number) for number in range(8)))
    wait_until(lambda: listed(gateway)["team"]["today"]["calls"] >= told["served"], 10, lambda: str(listed(gateway)))
    used = listed(gateway)["team"]["today"]
    gateway.stop()
    gateway.start()
    again: list[httpx.Response] = []
    while not again or again[-1].status_code == 200:
        again.append(chat(gateway, key, max_tokens=60))

    tokens = used["prompt_tokens"] + used["completion_tokens"]
    assert tokens <= 1_500
    assert tokens > 1_000
    assert used["money"] == pytest.approx(tokens / 1000)
    assert told["insufficient_quota"] > 0
    assert told.keys() <= {"served", "insufficient_quota", "rate_limit_exceeded"}
    assert len(again) < 10
    assert (again[-1].status_code, error(again[-1])["code"]) == (429, "insufficient_quota")
    assert "budget of the key 'team' is used up" in error(again[-1])["message"]
    assert int(again[-1].headers["retry-after"]) > 60
    assert again[-1].headers["x-should-retry"] == "false"


async def test_two_gateways_share_budgets_and_revocations_on_postgresql(
    starter: Starter, upstream: Simulator, sim: Simulator, postgres: str
) -> None:
    environ = one_account(upstream) | {"QWEN_DATABASE_URL": postgres}
    pair = [starter(name, environ=environ) for name in ("pg-a", "pg-b")]
    key = create(pair[0], "shared", "--tokens-per-day", "3000")
    for gateway in pair:
        gateway.start()
    told: Counter[str] = Counter()

    async def client(number: int) -> None:
        async with openai(pair[number % 2], key=key, max_retries=0) as one:
            for _ in range(10):
                try:
                    await one.chat.completions.create(model=MODEL, messages=HI, max_tokens=60)
                    told["served"] += 1
                except library.RateLimitError as refused:
                    told[str(refused.code)] += 1
                    await asyncio.sleep(0.5)

    await asyncio.gather(*(client(number) for number in range(8)))
    wait_until(lambda: listed(pair[1])["shared"]["today"]["calls"] >= told["served"], 10, lambda: str(listed(pair[1])))
    used = listed(pair[1])["shared"]["today"]
    keys(pair[1], "revoke", "shared")
    for gateway in pair:
        wait_until(lambda one=gateway: models(one, key).status_code == 401, 10, "the revoked key still opens")
        gateway.stop()

    assert 2_000 < used["prompt_tokens"] + used["completion_tokens"] <= 3_000
    assert told["served"] == used["calls"]
    assert told["insufficient_quota"] > 0


async def test_every_surface_counts_and_is_refused_in_its_own_form(
    starter: Starter, upstream: Simulator, sim: Simulator
) -> None:
    gateway = starter("surfaces", environ=one_account(upstream))
    key = create(gateway, "team", "--tokens-per-day", "4000")
    gateway.start()
    tokens = 0
    async with openai(gateway, key=key, max_retries=0) as client:
        answer = await client.responses.create(model=MODEL, input="Say hi", max_output_tokens=60)
        two = await client.chat.completions.create(model=MODEL, messages=HI, n=2, max_tokens=60)
        embedded = await client.embeddings.create(model="text-embedding-v4", input=["one", "two"])
        assert answer.usage
        assert two.usage
        tokens = answer.usage.total_tokens + two.usage.total_tokens + embedded.usage.total_tokens
        wait_until(lambda: listed(gateway)["team"]["today"]["calls"] == 3, 10, lambda: str(listed(gateway)))
        used = listed(gateway)["team"]["today"]
        with pytest.raises(library.RateLimitError) as refused:
            await client.responses.create(model=MODEL, input="many words " * 4_000)

    assert used["prompt_tokens"] + used["completion_tokens"] == tokens
    assert refused.value.code == "insufficient_quota"


def counted(gateway: Mitm, calls: int) -> None:
    """Wait until the ledger knows of so many."""
    wait_until(lambda: listed(gateway)["team"]["today"]["calls"] == calls, 10, lambda: str(listed(gateway)))


def test_a_gateway_that_is_killed_leaves_no_more_to_spend(
    starter: Starter, upstream: Simulator, sim: Simulator
) -> None:
    gateway = starter("killed", environ=one_account(upstream))
    key = create(gateway, "team", "--tokens-per-day", "5000")
    served = 0
    for _ in range(3):
        gateway.start()
        for _ in range(4):
            served += chat(gateway, key, max_tokens=60).status_code == 200
        counted(gateway, served)
        gateway.kill()
    gateway.start()
    while chat(gateway, key, max_tokens=60).status_code == 200:
        served += 1
    counted(gateway, served)

    used = listed(gateway)["team"]["today"]
    assert served > 12
    assert 3_000 < used["prompt_tokens"] + used["completion_tokens"] <= 5_000


def test_keys_of_the_ledger_are_enough_to_listen_for_others(starter: Starter, upstream: Simulator) -> None:
    gateway = starter("open", environ=one_account(upstream), mode="reverse:https://dashscope-intl.aliyuncs.com")
    gateway.options["listen_host"] = "0.0.0.0"
    key = create(gateway, "guest")
    gateway.start()

    assert models(gateway, key).status_code == 200
    assert models(gateway, "other").status_code == 401


def test_a_ledger_that_cannot_be_read_lets_nobody_in(starter: Starter, upstream: Simulator) -> None:
    gateway = starter("broken-ledger", environ=one_account(upstream))
    gateway.home.mkdir(exist_ok=True)
    Path(gateway.home, "ledger.db").write_bytes(b"this is no database" * 100)
    gateway.start()

    answer = chat(gateway, "any")

    assert (answer.status_code, error(answer)["code"]) == (503, "keys_unavailable")
    assert "keys cannot be read" in gateway.log
