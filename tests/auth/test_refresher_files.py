"""What a refresher makes of what happens to the file: changed by others, broken, gone, not to be written."""

import asyncio
import json
import time as real_time

import pytest

from qwen_auth.errors import FileError, NeedsLoginError
from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token

HOUR = 3600.0


def on_disk(account):
    return json.loads(account.credentials.file.path.read_text())


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
