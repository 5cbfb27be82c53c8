"""Several processes, one login, refresh tokens that work once (upstream.md 2.4, 2.5)."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from qwen_auth.lock import FileLock
from qwen_auth.logins import login_accounts
from qwen_auth.qwen_store import LoginFile
from qwen_auth.refresher import Refresher
from qwen_auth.token import Token
from tests.auth.authority import Authority
from tests.auth.processes import run, start

GATEWAY = textwrap.dedent(
    """
    import asyncio, random, sys, time
    from pathlib import Path
    from qwen_auth.authorization import AuthorizationServer
    from qwen_auth.oauth import Clock, OAuthCredentials, oauth_account
    from qwen_auth.qwen_store import LoginFile
    from qwen_auth.refresher import Refresher

    async def main(home, base_url, forced):
        served = 0  # each token served for more than a minute before it is refused
        clock = Clock(monotonic=lambda: time.monotonic() + 61 * served)
        file = LoginFile(Path(home, "oauth_creds.json"))
        account = oauth_account("default", OAuthCredentials(file, file.read(), file.stamp(), clock=clock))
        refresher = Refresher(AuthorizationServer.from_environment({"QWEN_BASE_URL": base_url}), clock=clock)
        sys.stdin.readline()  # all begin together
        if not forced:
            await refresher.ready(account)
        while forced and not Path(home).with_name("enough").exists():
            served += 1
            assert await refresher.renew(account, account.credentials.token.access_token)
            await asyncio.sleep(random.uniform(0, 0.2))
        await refresher.aclose()
        print(account.credentials.token.access_token)

    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] == "forced"))
    """
)


@pytest.fixture
def home(tmp_path):
    return tmp_path / ".qwen"


@pytest.fixture
def authority():
    return Authority()


def expiring(home, seconds):
    LoginFile(home / "oauth_creds.json").write(Token("access-0", "refresh-0", (time.time() + seconds) * 1000))


def gateway(home, base_url, kind):
    return start(GATEWAY, home, base_url, kind, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def shares(authority):
    """How many refreshes were ours and qwen-code's."""
    ours = sum(headers.get("user-agent") == "qwen-gateway" for headers in list(authority.headers))
    return ours, len(authority.headers) - ours


def finish(processes):
    return [process.communicate("go\n", timeout=120)[0].strip() for process in processes]


def test_two_processes_that_find_the_token_expired_make_one_refresh(home, authority):
    expiring(home, -1)

    with authority.serve() as base_url:
        processes = [gateway(home, base_url, "expired") for _ in range(2)]
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        tokens = finish(processes)

    assert tokens == ["access-1", "access-1"]
    assert authority.refreshes == ["refresh-0"]


def test_a_hundred_forced_refreshes_beside_a_qwen_code_leave_no_dead_token(home, authority):
    expiring(home, 3600)
    qwen_code = Path(__file__).with_name("qwen_code.py").read_text()

    with authority.serve() as base_url:
        token_url = f"{base_url}/api/v1/oauth2/token"
        gateways = [gateway(home, base_url, "forced") for _ in range(2)]
        script = start(qwen_code, home, token_url, stderr=subprocess.PIPE)
        for process in gateways:
            process.stdin.write("go\n")
            process.stdin.flush()
        deadline = time.monotonic() + 100
        while not (len(authority.refreshes) >= 100 and min(shares(authority)) >= 20) and time.monotonic() < deadline:
            time.sleep(0.1)
        home.with_name("enough").touch()
        finish(gateways)
        _, complaint = script.communicate(timeout=60)

    assert (script.returncode, complaint) == (0, "")
    assert [process.returncode for process in gateways] == [0, 0]
    assert authority.dead == []
    assert len(authority.refreshes) >= 100
    assert min(shares(authority)) >= 20
    assert {json.loads((home / "oauth_creds.json").read_text())["refresh_token"]} == authority.alive
    assert [entry.name for entry in home.iterdir()] == ["oauth_creds.json"]


async def test_a_lock_left_by_a_dead_process_delays_a_refresh_by_nothing(home, authority):
    expiring(home, -1)
    lock = home / "oauth_creds.lock"
    lock.write_text("d0f5c8a4-0000-4000-8000-000000000000")
    long_ago = time.time() - 11
    os.utime(lock, (long_ago, long_ago))
    [account] = login_accounts({"QWEN_HOME": str(home)}, {})

    await asyncio.wait_for(Refresher(connect=authority.connect).ready(account), 2)

    assert authority.refreshes == ["refresh-0"]
    assert not lock.exists()


async def test_a_process_that_is_killed_during_a_refresh_costs_others_ten_seconds_at_most(home, authority):
    """It was killed before the server heard of it, so that the refresh token still works."""
    expiring(home, -1)
    holder = (
        "import sys, time, pathlib, qwen_auth.lock as lock;"
        "lock.FileLock(pathlib.Path(sys.argv[1])).try_acquire(); print(1, flush=True); time.sleep(60)"
    )
    process = start(holder, home / "oauth_creds.lock", stdout=subprocess.PIPE)
    process.stdout.read(1)
    process.kill()
    process.communicate()
    eight_seconds_ago = time.time() - 8
    os.utime(home / "oauth_creds.lock", (eight_seconds_ago, eight_seconds_ago))
    [account] = login_accounts({"QWEN_HOME": str(home)}, {})
    refresher = Refresher(connect=authority.connect)
    begin = time.monotonic()

    await refresher.ready(account)

    assert 1 < time.monotonic() - begin < 5
    assert authority.refreshes == ["refresh-0"]


async def test_a_qwen_code_that_exits_and_takes_our_lock_with_it_lets_nobody_in(home, authority):
    """Its exit handler unlinks whatever lock there is; a slow refresh puts ours back within two seconds."""
    expiring(home, -1)
    lock = home / "oauth_creds.lock"
    seen = []

    async def slow(request):
        lock.unlink()
        await asyncio.sleep(2.5)
        seen.append(FileLock(lock).try_acquire())
        return authority(request)

    [account] = login_accounts({"QWEN_HOME": str(home)}, {})
    await Refresher(connect=lambda _: httpx.AsyncClient(transport=httpx.MockTransport(slow))).ready(account)

    assert seen == [False]
    assert not lock.exists()


async def test_a_slow_refresh_does_not_look_dead(home, authority):
    expiring(home, -1)
    lock = home / "oauth_creds.lock"
    ages = []

    async def slow(request):
        before = time.time() - 9
        os.utime(lock, (before, before))  # as if it had taken nine seconds already
        await asyncio.sleep(2.5)
        ages.append(time.time() - lock.stat().st_mtime)
        return authority(request)

    [account] = login_accounts({"QWEN_HOME": str(home)}, {})
    await Refresher(connect=lambda _: httpx.AsyncClient(transport=httpx.MockTransport(slow))).ready(account)

    assert ages[0] < 3


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_on_a_full_disk_no_refresh_token_is_used_up(home, authority):
    expiring(home, -1)
    before = (home / "oauth_creds.json").read_bytes()
    script = textwrap.dedent(
        """
        import asyncio, resource, sys
        from qwen_auth.authorization import AuthorizationServer
        from qwen_auth.errors import FileError
        from qwen_auth.logins import login_accounts
        from qwen_auth.refresher import Refresher

        async def main(home, base_url):
            [account] = login_accounts({"QWEN_HOME": home}, {})
            try:
                await Refresher(AuthorizationServer.from_environment({"QWEN_BASE_URL": base_url})).ready(account)
            except FileError as error:
                print(error)

        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # room for a lock, not for a login
        asyncio.run(main(*sys.argv[1:]))
        """
    )

    with authority.serve() as base_url:
        told = run(script, home, base_url)

    assert "oauth_creds.json: cannot be written (File too large)" in told
    assert authority.refreshes == []
    assert (home / "oauth_creds.json").read_bytes() == before
    assert [entry.name for entry in home.iterdir()] == ["oauth_creds.json"]
