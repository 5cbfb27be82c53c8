"""One process, one event loop; processes among themselves are in test_refreshing_together.py."""

import asyncio
import contextlib
import dataclasses
import json
import time as real_time

import httpx
import pytest
from tests.auth.authority import HTML, Authority, json_answer
from tests.auth.clocks import FakeTime

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.errors import FileError, NeedsLoginError, UnreachableError
from qwen_auth.oauth import OAuthCredentials, oauth_account
from qwen_auth.qwen_store import LoginFile
from qwen_auth.refresher import Refresher
from qwen_auth.token import Token

HOUR = 3600.0
REFUSED = json_answer(400, {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"})


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def make(tmp_path, time):
    """An account whose token expires in `life` seconds; its lead is 20 minutes."""

    def make(life, name="work", file_type=LoginFile):
        file = file_type(tmp_path / f"oauth_creds_{name}.json")
        file.write(Token("access-0", "refresh-0", (time.wall + life) * 1000, resource_url="portal.qwen.ai"))
        credentials = OAuthCredentials(
            file, file.read(), file.stamp(), clock=time.clock, uniform=lambda low, high: (low + high) / 2
        )
        return oauth_account(name, credentials)

    return make


@pytest.fixture
async def refresher(authority, time, warnings):
    refresher = Refresher(connect=authority.connect, clock=time.clock, warn=warnings.append, limit=0.2, look_limit=0.2)
    yield refresher
    await refresher.aclose()


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


async def test_what_qwen_code_renewed_meanwhile_is_used(refresher, authority, make, time):
    account = make(-1)
    theirs = Token("theirs", "refresh-x", (time.wall + HOUR) * 1000, resource_url="portal.qwen.ai")
    account.credentials.file.write(theirs)

    await refresher.ready(account)

    assert account.credentials.token == theirs
    assert authority.refreshes == []


async def test_a_refused_token_that_qwen_code_has_replaced_is_not_renewed(refresher, authority, make, time):
    account = make(6 * HOUR)
    account.credentials.file.write(Token("theirs", "refresh-x", (time.wall + HOUR) * 1000))

    assert await refresher.renew(account, "access-0")

    assert account.credentials.token.access_token == "theirs"
    assert authority.refreshes == []


async def test_a_change_by_others_is_noticed_within_five_seconds(refresher, make, time):
    account = make(6 * HOUR)
    await refresher.ready(account)
    await refresher.aclose()
    account.credentials.file.write(Token("theirs", "refresh-x", (time.wall + HOUR) * 1000))

    time.pass_(4.9)
    await refresher.ready(account)
    await refresher.aclose()
    assert account.credentials.token.access_token == "access-0"

    time.pass_(0.1)
    await refresher.ready(account)
    await refresher.aclose()
    assert account.credentials.token.access_token == "theirs"


async def test_a_refused_refresh_token_needs_its_owner_and_costs_no_file(refresher, authority, make, warnings):
    account = make(-1)
    before = account.credentials.file.path.read_bytes()
    authority.next_answers = [REFUSED]

    with pytest.raises(NeedsLoginError, match=r"'work' was refused a new token .* run `qwen-auth login work`"):
        await refresher.ready(account)

    assert account.credentials.file.path.read_bytes() == before
    assert "qwen-auth login work" in warnings[-1]


async def test_a_login_that_needs_its_owner_asks_the_server_only_once(refresher, authority, make, time):
    account = make(-1)
    authority.next_answers = [REFUSED]
    for _ in range(3):
        with pytest.raises(NeedsLoginError):
            await refresher.ready(account)
        with pytest.raises(NeedsLoginError):
            await refresher.renew(account, "access-0")
        time.pass_(600)

    assert len(authority.forms) == 1


async def test_until_it_expires_a_token_serves_in_spite_of_a_dead_refresh_token(refresher, authority, make, time):
    account = make(600)
    authority.next_answers = [REFUSED]
    await refresher.ready(account)
    await refresher.aclose()
    assert account.credentials.problem

    await refresher.ready(account)

    time.pass_(600)
    with pytest.raises(NeedsLoginError):
        await refresher.ready(account)


async def test_signing_in_again_ends_the_problem_without_a_restart(refresher, authority, make, time):
    account = make(-1)
    authority.next_answers = [REFUSED]
    with pytest.raises(NeedsLoginError):
        await refresher.ready(account)

    account.credentials.file.write(Token("new", "refresh-x", (time.wall + HOUR) * 1000))
    time.pass_(5)
    await refresher.ready(account)

    assert account.credentials.token.access_token == "new"
    assert account.credentials.problem is None


async def test_a_refresh_token_used_up_by_someone_who_keeps_no_lock_is_no_problem(refresher, authority, make, time):
    """Seed A refreshes without the lock: its successor is in the file when ours is refused."""
    account = make(-1)

    def steal(request):
        account.credentials.file.write(Token("theirs", "refresh-x", (time.wall + HOUR) * 1000))
        return httpx.Response(400, json={"error": "invalid_grant"}, request=request)

    thief = Refresher(
        connect=lambda _: httpx.AsyncClient(transport=httpx.MockTransport(steal)), clock=time.clock, warn=print
    )

    await thief.ready(account)

    assert account.credentials.token.access_token == "theirs"


@pytest.mark.parametrize(
    "nonsense",
    [
        json_answer(200, {"error": "server_busy"}),
        json_answer(200, {"access_token": None}),
        (200, "application/json", ""),
        (200, "text/html", "<html>sign in</html>"),
        HTML,
        json_answer(429, {"error": "slow_down"}),
    ],
)
async def test_nonsense_is_never_stored_and_never_needs_the_owner(refresher, authority, make, nonsense, time):
    account = make(-1)
    before = account.credentials.file.path.read_bytes()
    authority.next_answers = [nonsense]

    with pytest.raises(UnreachableError):
        await refresher.ready(account)

    assert account.credentials.file.path.read_bytes() == before
    time.pass_(2)
    await refresher.ready(account)
    assert account.credentials.token.access_token == "access-1"


async def test_after_a_fault_the_next_calls_fail_at_once_for_growing_pauses(refresher, authority, make, time):
    account = make(-1)
    authority.next_answers = [HTML] * 10
    asked = []
    for _ in range(62):
        with pytest.raises(UnreachableError):
            await refresher.ready(account)
        asked.append(len(authority.forms))
        time.pass_(1)

    assert [asked.index(count) for count in range(1, 6)] == [0, 2, 6, 14, 30]


async def test_a_fault_in_the_background_does_not_hurt_a_call(refresher, authority, make, warnings):
    account = make(600)
    authority.next_answers = [HTML]

    await refresher.ready(account)
    await refresher.aclose()
    await refresher.ready(account)

    assert account.credentials.token.access_token == "access-0"
    assert "account 'work' could not be renewed: chat.qwen.ai answered 504" in warnings[0]
    assert len(authority.forms) == 1


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


async def test_a_half_written_file_is_told_and_not_overwritten(refresher, authority, make, time, warnings):
    account = make(60)
    path = account.credentials.file.path
    path.write_text('{"access_token": "ac')

    await refresher.ready(account)
    await refresher.aclose()
    assert account.credentials.token.access_token == "access-0"
    assert any("oauth_creds_work.json:1: is not JSON" in warning for warning in warnings)

    time.pass_(60)
    with pytest.raises(FileError, match="is not JSON"):
        await refresher.ready(account)
    assert path.read_text() == '{"access_token": "ac'
    assert authority.refreshes == []


async def test_a_broken_file_is_told_once(refresher, make, time, warnings):
    account = make(6 * HOUR)
    account.credentials.file.path.write_text("{}")

    for _ in range(3):
        await refresher.ready(account)
        await refresher.aclose()
        time.pass_(5)

    assert len(warnings) == 1


async def test_a_login_that_was_removed_serves_until_it_expires(refresher, authority, make, time):
    account = make(HOUR)
    account.credentials.file.remove()

    await refresher.ready(account)
    await refresher.aclose()

    time.pass_(HOUR)
    with pytest.raises(NeedsLoginError, match=r"has no login any more .*oauth_creds_work\.json is gone"):
        await refresher.ready(account)
    assert authority.refreshes == []
    assert not account.credentials.file.path.exists()


async def test_a_removed_file_that_is_put_back_serves_again(refresher, authority, make, time):
    account = make(6 * HOUR)
    aside = account.credentials.file.path.with_suffix(".aside")
    account.credentials.file.path.rename(aside)
    await refresher.ready(account)
    await refresher.aclose()
    assert account.credentials.problem

    aside.rename(account.credentials.file.path)
    time.pass_(5)
    await refresher.ready(account)
    await refresher.aclose()

    assert account.credentials.problem is None


class FullDisk(LoginFile):
    """A disk on which nothing can be written while `full`; `room` is what a probe says."""

    full = False
    room = False

    def check_room(self):
        if self.full and not self.room:
            raise FileError(self.path, "cannot be written (No space left on device)", "make room")

    def write(self, token):
        if self.full:
            raise FileError(self.path, "cannot be written (No space left on device)", "make room")
        super().write(token)


async def test_on_a_full_disk_no_single_use_token_is_used_up(refresher, authority, make):
    account = make(-1, file_type=FullDisk)
    account.credentials.file.full = True

    with pytest.raises(FileError, match="No space left"):
        await refresher.ready(account)

    assert authority.refreshes == []


async def test_a_disk_that_fills_up_during_a_refresh_loses_nothing(refresher, authority, make, time, warnings):
    account = make(-1, file_type=FullDisk)
    file = account.credentials.file
    file.full, file.room = True, True

    await refresher.ready(account)
    assert account.credentials.token.access_token == "access-1"
    assert on_disk(account)["access_token"] == "access-0"
    assert "the new token of account 'work' is in memory only" in warnings[0]

    file.full = False
    time.pass_(5)
    await refresher.ready(account)
    await refresher.aclose()
    assert on_disk(account)["refresh_token"] == "refresh-1"


async def test_an_unsaved_token_is_saved_before_it_is_renewed(refresher, authority, make, time):
    account = make(-1, file_type=FullDisk)
    file = account.credentials.file
    file.full, file.room = True, True
    await refresher.ready(account)
    file.full = False

    await refresher.renew(account, "access-0")
    time.pass_(100)
    await refresher.renew(account, "access-1")

    assert authority.refreshes == ["refresh-0", "refresh-1"]
    assert on_disk(account)["refresh_token"] == "refresh-2"


class Hanging(LoginFile):
    """A file system that hangs."""

    looks = 0

    def stamp(self):
        if self.looks:
            self.looks += 1
            real_time.sleep(0.6)
        return super().stamp()


async def test_a_file_system_that_hangs_delays_no_fresh_login_and_takes_one_thread(refresher, make, time, warnings):
    account = make(6 * HOUR, file_type=Hanging)
    account.credentials.file.looks = 1
    begin = real_time.monotonic()

    for _ in range(5):
        await asyncio.wait_for(refresher.ready(account), 0.1)
        await asyncio.sleep(0.05)
        time.pass_(5)

    assert account.credentials.file.looks == 2
    assert real_time.monotonic() - begin < 0.6
    await asyncio.sleep(0.7)
    assert warnings == [f"account 'work' uses the login in memory, because {account.credentials.file.path} hangs"]


async def test_refreshing_by_hand_renews_what_is_fresh_and_tries_what_is_dead(refresher, authority, make):
    account = make(6 * HOUR)
    account.credentials.problem = "was refused a new token"

    await refresher.refresh(account)

    assert authority.refreshes == ["refresh-0"]
    assert account.credentials.problem is None


class Ticks:
    """Sleeps without waiting, moves the clock, and ends the loop after so many."""

    def __init__(self, time, count):
        self.time = time
        self.left = count
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.time.pass_(seconds)
        self.left -= 1
        if self.left == 0:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


async def keep(authority, time, accounts, ticks):
    ticks = Ticks(time, ticks)
    refresher = Refresher(
        connect=authority.connect,
        clock=time.clock,
        sleep=ticks.sleep,
        warn=print,
        uniform=lambda low, _: low,
    )
    with contextlib.suppress(asyncio.CancelledError):
        await refresher.keep_fresh(lambda: accounts)
    await refresher.aclose()
    return ticks.slept


async def test_stale_logins_are_renewed_one_after_the_other(authority, make, time):
    accounts = [make(600, name) for name in ("a", "b", "c")]
    for number, account in enumerate(accounts):
        token = dataclasses.replace(account.credentials.token, refresh_token=f"r{number}")
        account.credentials.file.write(token)
        authority.alive.add(f"r{number}")

    slept = await keep(authority, time, accounts, 4)

    assert authority.refreshes == ["r0", "r1", "r2"]
    assert slept[:3] == [5.0, 5.0, 5.0]


async def test_nothing_is_renewed_at_a_start_that_nobody_uses(authority, make, time):
    """Renewing all at a start seemed to get accounts banned (upstream.md 2.4)."""
    await keep(authority, time, [make(-1, "a"), make(6 * HOUR, "b")], 5)

    assert authority.refreshes == []


async def test_a_login_is_renewed_before_it_expires_though_nobody_calls(authority, make, time):
    account = make(2 * HOUR)

    await keep(authority, time, [account], 1400)

    assert authority.refreshes == ["refresh-0"]
    assert account.credentials.state == "fresh"
