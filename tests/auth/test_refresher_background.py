"""What a refresher does of itself."""

import asyncio
import contextlib
import dataclasses

from qwen_auth.refresher import Refresher

HOUR = 3600.0


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
