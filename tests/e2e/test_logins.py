"""Qwen logins behind the gateway, against the simulator's authorization server and portal (upstream.md 2)."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import openai as library
import pytest

from qwen_auth.counts import RequestCounts
from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token, parse_granted
from qwen_gateway.simulator import Portal, Simulator
from qwen_gateway.upstreams.portal import MARKER
from tests.e2e.asking import HI, ask, error, notices, openai, text
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, wait_until

TOKEN_PATH = "/api/v1/oauth2/token"


@pytest.fixture(scope="module")
def portal() -> Iterator[Simulator]:
    """Qwen's sign-in server and portal."""
    with Simulator.in_thread(interval=0.05) as simulator:
        yield simulator


@pytest.fixture
def qwen(portal: Simulator) -> Iterator[Simulator]:
    """The same, as if it had just started."""
    portal.reset()
    portal.state.portal = Portal()
    yield portal
    portal.state.portal = Portal()


def login_file(gateway: Mitm, name: str = "default") -> LoginFile:
    plain = "oauth_creds.json" if name == "default" else f"oauth_creds_{name}.json"
    return LoginFile(gateway.folder / ".qwen" / plain)


def sign_in(gateway: Mitm, qwen: Simulator, name: str = "default", *, life: float = 21_600) -> Token:
    """What `qwen-auth login` would have stored; its token is taken to live so many seconds more."""
    granted = parse_granted(qwen.oauth.login(name), time.time())
    token = Token(granted.access_token, granted.refresh_token, (time.time() + life) * 1000, "Bearer", qwen.base_url)
    login_file(gateway, name).write(token)
    return token


def start(starter: Starter, qwen: Simulator, name: str, *logins: str, life: float = 21_600, **settings: object) -> Mitm:
    """A gateway whose only accounts are logins."""
    # Unbuffered: the tests read the log of a process that has nothing else to say.
    environ = {"QWEN_BASE_URL": qwen.base_url, "PYTHONUNBUFFERED": "1", **settings.pop("environ", {})}  # type: ignore[dict-item]
    gateway = starter(name, environ=environ, **settings)
    for login in logins or ("default",):
        sign_in(gateway, qwen, login, life=life)
    return gateway.start()


def refreshes(qwen: Simulator) -> list[str]:
    """The sign-in server's notes on the refreshes it was asked for."""
    return [call.note for call in qwen.log if call.path == TOKEN_PATH]


def chats(qwen: Simulator) -> list[int]:
    """The portal's answers to calls."""
    return [call.status for call in qwen.log if call.path.endswith("/chat/completions")]


@pytest.fixture(scope="module")
def well(starter: Starter, portal: Simulator) -> Mitm:
    """A gateway with one login that is well."""
    return start(starter, portal, "login")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_login_alone_serves_the_official_library(well: Mitm, qwen: Simulator, stream: bool) -> None:
    async with openai(well) as client:
        call = client.chat.completions
        if stream:
            pieces = [piece async for piece in await call.create(model="gpt-4o", messages=HI, stream=True)]
            said = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
        else:
            said = (await call.create(model="gpt-4o", messages=HI)).choices[0].message.content or ""

    assert said.endswith("“Say hi”")
    (received,) = [call for call in qwen.log if call.path == "/v1/chat/completions"]
    assert received.json["model"] == "coder-model"
    assert received.json["messages"][0] == {"role": "system", "content": [MARKER]}
    assert received.header("x-dashscope-authtype") == "qwen-oauth"
    assert str(received.header("user-agent")).startswith("QwenCode/")


def test_the_portals_models_are_listed(well: Mitm, qwen: Simulator) -> None:
    rows = {row["id"]: row for row in httpx.get(well.url + "/v1/models").json()["data"]}

    assert rows["coder-model"]["created"] == 1_754_686_206
    assert rows["coder-model"]["owned_by"] == "qwen"
    assert {"vision-model", "gpt-4o"} <= rows.keys()
    assert not list(qwen.log)


def test_a_model_that_is_not_there_is_another_with_a_notice(well: Mitm, qwen: Simulator) -> None:
    answer = ask(well, model="qwen3.5-plus")

    assert answer.status_code == 200
    assert "translated=model" in notices(answer)


async def test_two_hundred_calls_at_expiry_are_one_refresh(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "expiry", life=-1)
    async with openai(gateway) as client:
        calls = (client.chat.completions.create(model="gpt-4o", messages=HI, max_tokens=50) for _ in range(200))
        answers = await asyncio.gather(*calls)

    assert len(answers) == 200
    assert all((answer.choices[0].message.content or "").endswith("“Say hi”") for answer in answers)
    assert refreshes(qwen) == ["refresh 1 of default"]
    assert set(chats(qwen)) == {200}
    stored = login_file(gateway).read()
    assert stored is not None
    assert qwen.oauth.holder(stored.access_token)


async def test_an_auth_error_is_one_refresh_and_one_repeat(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "revoked-token")
    qwen.oauth.expire("default")

    answer = ask(gateway)

    assert answer.status_code == 200
    assert text(answer).endswith("“Say hi”")
    assert chats(qwen) == [401, 200]
    assert refreshes(qwen) == ["refresh 1 of default"]
    comment = gateway.flow(answer.headers["x-request-id"]).comment
    assert "attempt 1 on default: auth_expired" in comment
    assert "its login was renewed" in comment
    assert gateway.health().status_code == 200


async def test_many_calls_refused_at_once_are_one_refresh(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "revoked-together")
    qwen.oauth.expire("default")
    async with openai(gateway) as client:
        calls = (client.chat.completions.create(model="gpt-4o", messages=HI, max_tokens=50) for _ in range(50))
        answers = await asyncio.gather(*calls)

    assert len(answers) == 50
    assert refreshes(qwen) == ["refresh 1 of default"]


async def test_the_closed_tier_is_told_in_plain_words_and_not_asked_again(starter: Starter, qwen: Simulator) -> None:
    qwen.portal.closed = True
    gateway = start(starter, qwen, "closed")
    async with openai(gateway, max_retries=2) as client:
        with pytest.raises(library.PermissionDeniedError) as refusal:
            await client.chat.completions.create(model="gpt-4o", messages=HI)
        first = chats(qwen)
        with pytest.raises(library.PermissionDeniedError) as again:
            await client.chat.completions.create(model="gpt-4o", messages=HI)

    for told in (refusal.value, again.value):
        assert told.code == "upstream_discontinued"
        assert "closed the free tier of these logins on 2026-04-15" in str(told)
        assert "qwen-auth add" in str(told)
    assert first == chats(qwen) == [401, 401]
    assert len(refreshes(qwen)) == 1
    health = gateway.health()
    (state,) = health.json()["checks"]["accounts"]
    assert (health.status_code, state["status"], state["cause"]) == (503, "needs-login", "discontinued")
    wait_until(lambda: "closed the free tier" in gateway.log, 10, lambda: gateway.log)


async def test_a_key_serves_where_the_closed_login_does_not(starter: Starter, qwen: Simulator) -> None:
    qwen.portal.closed = True
    options = {"qwen_strategy": "fill-first", "qwen_default_account": "default"}
    gateway = starter("closed-and-key", environ={"QWEN_BASE_URL": qwen.base_url}, options=options)
    sign_in(gateway, qwen)
    gateway.add_account("work", "sk-sim", qwen.url())
    with gateway:
        answer = ask(gateway)

    assert answer.status_code == 200
    assert answer.headers["x-gateway-account"] == "work"


async def test_a_dead_login_says_what_to_do_and_comes_back_with_its_file(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "dead", life=-1)
    qwen.oauth.revoke("default")

    refused = ask(gateway)
    sign_in(gateway, qwen)
    wait_until(lambda: gateway.health().status_code == 200, 30, lambda: f"it stays away:\n{gateway.log}")
    answer = ask(gateway)

    assert refused.status_code == 503
    assert error(refused)["code"] == "upstream_auth"
    assert "run `qwen-auth login default`" in error(refused)["message"]
    assert answer.status_code == 200
    assert login_file(gateway).path.exists()


async def test_accounts_come_and_go_without_a_restart(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "come-and-go", "one", options={"qwen_strategy": "fill-first"})
    sign_in(gateway, qwen, "two")
    wanted = {"x-qwen-account": "two"}
    wait_until(lambda: "one, two" in gateway.log, 10, lambda: gateway.log)
    served = ask(gateway, headers=wanted)
    login_file(gateway, "two").remove()
    wait_until(lambda: "accounts now: one\n" in gateway.log, 10, lambda: gateway.log)
    gone = ask(gateway, headers=wanted)

    assert served.headers["x-gateway-account"] == "two"
    assert error(gone)["code"] == "no_account"


async def test_a_used_up_day_rests_the_account_until_midnight(starter: Starter, qwen: Simulator) -> None:
    qwen.portal.per_day = 0
    gateway = start(starter, qwen, "day")

    refused = ask(gateway)

    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert refused.status_code == 429
    assert error(refused)["code"] == "insufficient_quota"
    assert abs(int(refused.headers["retry-after"]) - (midnight - now).total_seconds()) < 5
    assert refused.headers["x-should-retry"] == "false"


async def test_when_all_rest_the_earliest_recovery_is_named(starter: Starter, qwen: Simulator) -> None:
    options = {"qwen_strategy": "fill-first", "qwen_wait": 0}
    gateway = starter("all-rest", environ={"QWEN_BASE_URL": qwen.base_url}, options=options)
    for name, seconds in (("slow", 90), ("quick", 30)):
        token = parse_granted(qwen.oauth.login(name, fault=f"throttling;retry_after={seconds}"), time.time())
        login_file(gateway, name).write(token)
    with gateway:
        first = ask(gateway)
        second = ask(gateway)

    for refused in (first, second):
        assert refused.status_code == 429
        assert 25 <= int(refused.headers["retry-after"]) <= 30
    assert "'slow' is resting" in error(second)["message"]
    assert "'quick' is resting" in error(second)["message"]


async def test_a_huge_prompt_that_times_out_is_too_long(starter: Starter, qwen: Simulator) -> None:
    qwen.portal.ceiling = 1_000
    gateway = start(starter, qwen, "huge")

    refused = ask(gateway, messages=[{"role": "user", "content": "word " * 120_000}])

    assert refused.status_code == 400
    assert error(refused)["code"] == "context_length_exceeded"


async def test_no_token_is_seen_anywhere(well: Mitm, qwen: Simulator) -> None:
    answer = ask(well)
    wait_until(lambda: well.flow(answer.headers["x-request-id"]), 5, "no flow")
    stored = login_file(well).read()

    assert stored is not None
    for place in (well.dump_file.read_bytes(), well.log.encode(), answer.content, well.health().content):
        for secret in stored.secrets():
            assert secret.encode() not in place


def test_qwen_codes_own_login_is_left_alone_on_request(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "left-alone", "default", "work", environ={"QWEN_CODE_AUTH_USE": "false"})

    names = [state["name"] for state in gateway.health().json()["checks"]["accounts"]]

    assert names == ["work"]


async def test_counts_and_rests_survive_a_restart(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "restart", "one", "two", options={"qwen_strategy": "fill-first", "qwen_wait": 0})
    async with openai(gateway) as client:
        call = client.chat.completions.create
        await asyncio.gather(*(call(model="gpt-4o", messages=HI, max_tokens=50) for _ in range(40)))
    qwen.portal.per_day = 0
    used_up = ask(gateway)
    before = httpx.get(gateway.url + "/accounts").json()["accounts"]
    gateway.stop()
    gateway.start()
    after = httpx.get(gateway.url + "/accounts").json()["accounts"]
    sent = len(qwen.log)
    again = ask(gateway)

    assert used_up.status_code == again.status_code == 429
    assert len(qwen.log) == sent, "a used-up day is asked again"
    assert [row["status"] for row in after] == ["exhausted", "exhausted"]
    windows = [{use["window"]: use["calls"] for use in row["windows"]} for row in after]
    assert [use["day"] for use in windows] == [40, 0]
    assert [use["week"] for use in windows] == [40, 0]
    assert [row["next_recovery"] for row in after] == [row["next_recovery"] for row in before]
    counted = RequestCounts(gateway.folder / ".qwen" / "request_counts.json").today()
    assert (counted["one"].requests, counted["two"].requests) == (41, 1)
    assert counted["one"].output_tokens > 0
