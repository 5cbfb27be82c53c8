"""One process, one event loop; processes among themselves are in test_refreshing_together.py."""

import asyncio
import json

import httpx
import pytest

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.errors import UnreachableError
from qwen_auth.refresher import Refresher

HOUR = 3600.0


def on_disk(account):
    return json.loads(account.credentials.file.path.read_text())


async def test_a_key_is_always_ready(refresher):
    account = Account("k", "key", "vllm", "http://h/v1", KeyCredentials("x"))

    await refresher.ready(account)

    assert not await refresher.renew(account, "x")


async def test_a_fresh_login_is_ready_without_a_call(refresher, authority, make):
    await refresher.ready(make(6 * HOUR))

    assert authority.refreshes == []


async def test_an_expired_login_is_renewed_and_stored(refresher, authority, make, time):
    account = make(-1)

    await refresher.ready(account)

    assert authority.refreshes == ["refresh-0"]
    assert account.credentials.state == "fresh"
    assert on_disk(account) == {
        "access_token": "access-1",
        "refresh_token": "refresh-1",
        "token_type": "Bearer",
        "resource_url": "portal.qwen.ai",
        "expiry_date": int((time.wall + 21600) * 1000),
    }


async def test_a_stale_login_serves_while_it_is_renewed_in_the_background(refresher, authority, make):
    account = make(600)

    await refresher.ready(account)
    assert account.credentials.token.access_token == "access-0"

    await refresher.aclose()
    assert account.credentials.token.access_token == "access-1"
    assert on_disk(account)["refresh_token"] == "refresh-1"


async def test_two_hundred_calls_at_expiry_are_one_refresh(refresher, authority, make):
    account = make(10)
    seen = []

    async def call():
        await refresher.ready(account)
        headers = {}
        account.credentials.apply(headers)
        seen.append(headers["Authorization"])

    await asyncio.gather(*(call() for _ in range(200)))

    assert authority.refreshes == ["refresh-0"]
    assert seen == ["Bearer access-1"] * 200


async def test_two_hundred_refused_calls_are_one_refresh(refresher, authority, make):
    account = make(6 * HOUR)

    again = await asyncio.gather(*(refresher.renew(account, "access-0") for _ in range(200)))

    assert again == [True] * 200
    assert authority.refreshes == ["refresh-0"]


async def test_a_call_that_was_refused_with_an_older_token_is_simply_repeated(refresher, authority, make):
    account = make(6 * HOUR)
    await refresher.renew(account, "access-0")

    assert await refresher.renew(account, "access-0")

    assert authority.refreshes == ["refresh-0"]


async def test_a_token_that_is_refused_when_brand_new_is_not_renewed_in_a_loop(refresher, authority, make, time):
    """The closed free tier: a fresh token, still 401 (upstream.md 2.12)."""
    account = make(6 * HOUR)
    await refresher.renew(account, "access-0")
    time.pass_(30)

    assert not await refresher.renew(account, "access-1")
    time.pass_(3600)
    assert not await refresher.renew(account, "access-1")

    assert authority.refreshes == ["refresh-0"]


async def test_a_refused_token_that_was_granted_a_while_ago_is_renewed(refresher, authority, make, time):
    account = make(6 * HOUR)
    await refresher.renew(account, "access-0")
    time.pass_(61)

    assert await refresher.renew(account, "access-1")

    assert authority.refreshes == ["refresh-0", "refresh-1"]


async def test_a_caller_that_gives_up_does_not_stop_the_refresh_for_the_others(refresher, authority, make):
    account = make(-1)
    impatient = asyncio.create_task(refresher.ready(account))
    patient = asyncio.create_task(refresher.ready(account))
    await asyncio.sleep(0)
    impatient.cancel()

    await patient

    assert impatient.cancelled()
    assert authority.refreshes == ["refresh-0"]


async def test_a_refresh_that_hangs_times_out_and_gives_the_lock_back(make, time, warnings):
    async def hang(request):
        await asyncio.sleep(3600)

    refresher = Refresher(
        connect=lambda _: httpx.AsyncClient(transport=httpx.MockTransport(hang)),
        clock=time.clock,
        warn=warnings.append,
        limit=0.05,
    )
    account = make(-1)

    with pytest.raises(UnreachableError, match=r"chat\.qwen\.ai did not answer within 0\.05 s"):
        await asyncio.wait_for(refresher.ready(account), 5)

    assert not account.credentials.file.lock_path.exists()


async def test_a_clock_that_jumps_ahead_costs_one_refresh(refresher, authority, make, time):
    account = make(6 * HOUR)
    await refresher.ready(account)

    time.jump(24 * HOUR)
    await refresher.ready(account)
    await refresher.ready(account)

    assert authority.refreshes == ["refresh-0"]
    assert account.credentials.state == "fresh"


async def test_a_clock_that_is_set_back_costs_none(refresher, authority, make, time):
    account = make(6 * HOUR)

    time.jump(-24 * HOUR)
    await refresher.ready(account)

    assert authority.refreshes == []
    assert account.credentials.state == "fresh"


async def test_a_server_that_grants_short_lives_is_not_asked_for_each_call(authority, make, time, warnings):
    authority.life = 20
    refresher = Refresher(connect=authority.connect, clock=time.clock, warn=warnings.append)
    account = make(-1)

    for _ in range(10):
        await refresher.ready(account)

    assert authority.refreshes == ["refresh-0"]


async def test_refreshing_by_hand_renews_what_is_fresh_and_tries_what_is_dead(refresher, authority, make):
    account = make(6 * HOUR)
    account.credentials.problem = "was refused a new token"

    await refresher.refresh(account)

    assert authority.refreshes == ["refresh-0"]
    assert account.credentials.problem is None
