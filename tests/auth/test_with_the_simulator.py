"""The same over sockets, against the simulator's authorization server and portal (upstream.md 2.16)."""

import asyncio
import dataclasses
import json
import re
import threading
import time

import httpx
import pytest
from click.testing import CliRunner

from qwen_auth.authorization import AuthorizationServer
from qwen_auth.cli import cli
from qwen_auth.device_flow import DeviceFlow, sign_in
from qwen_auth.errors import DeadTokenError, NeedsLoginError, RefusedError, UnreachableError
from qwen_auth.logins import login_accounts
from qwen_auth.qwen_store import LoginFile
from qwen_auth.refresher import Refresher
from qwen_auth.token import parse_granted
from qwen_auth.transport import connect
from qwen_gateway.simulator import Simulator


@pytest.fixture
async def sim():
    async with Simulator(interval=0.01) as simulator:
        yield simulator


def server(sim):
    return AuthorizationServer.from_environment({"QWEN_BASE_URL": sim.base_url})


@pytest.fixture
def login(sim, tmp_path):
    """An account that is signed in at the simulator; its token has `life` seconds left."""

    def login(life):
        token = parse_granted(sim.oauth.login(), time.time())
        token = dataclasses.replace(token, expiry_date=(time.time() + life) * 1000)
        LoginFile(tmp_path / "oauth_creds.json").write(token)
        [account] = login_accounts({"QWEN_HOME": str(tmp_path)}, {})
        return account

    return login


def token_calls(sim):
    return [call for call in sim.log if call.path.endswith("/oauth2/token")]


def break_token_endpoint(sim, fault, times=1):
    sim.script([{"path": "/api/v1/oauth2/token", "fault": fault, "times": times}])


async def brief(seconds):
    """Sleeps a little of what it should."""
    await asyncio.sleep(min(seconds, 0.05))


async def approve(sim, decision="approve"):
    """A person presses a button on the page."""

    def press(code):
        async def post():
            async with httpx.AsyncClient() as client:
                page = await client.get(code.verification_uri_complete)
                assert code.user_code in page.text
                form = {"user_code": code.user_code, "decision": decision}
                await client.post(f"{sim.base_url}/authorize", data=form)

        tasks.append(asyncio.create_task(post()))

    tasks = []
    async with connect() as client:
        return await sign_in(client, DeviceFlow(server(sim)), press, sleep=brief)


async def test_a_person_approves_on_the_page(sim):
    token = await approve(sim)

    assert sim.oauth.holder(token.access_token).account == "user"
    assert token.resource_url == sim.base_url


async def test_a_person_denies_on_the_page(sim):
    with pytest.raises(RefusedError, match="denied on the other screen"):
        await approve(sim, "deny")


PASSING = (
    *("oauth-pending", "oauth-slow-down", "oauth-slow-down-400", "oauth-status-pending", "oauth-null-token"),
    *("gateway-timeout", "empty-200"),
)
ENDING = ("oauth-expired-token", "oauth-expired-code", "oauth-access-denied", "oauth-rate-limited")


@pytest.mark.parametrize("fault", PASSING)
async def test_a_sign_in_goes_on_through_everything_that_passes(sim, fault):
    break_token_endpoint(sim, fault, times=2)

    token = await approve(sim)

    assert sim.oauth.holder(token.access_token)
    assert len(token_calls(sim)) >= 3


@pytest.mark.parametrize("fault", ENDING)
async def test_a_sign_in_ends_when_nothing_can_come_of_it(sim, fault):
    break_token_endpoint(sim, fault)

    with pytest.raises(RefusedError, match="qwen-auth login"):
        await approve(sim)


async def test_two_hundred_calls_at_expiry_are_one_refresh(sim, login):
    account = login(-1)
    refresher = Refresher(server(sim))

    await asyncio.gather(*(refresher.ready(account) for _ in range(200)))

    assert len(token_calls(sim)) == 1
    assert sim.oauth.holder(account.credentials.token.access_token)


async def test_a_hundred_refreshes_in_a_row_kill_no_token(sim, login):
    account = login(3600)
    refresher = Refresher(server(sim))

    for _ in range(100):
        await refresher.refresh(account)

    [record] = sim.oauth
    assert (record.refreshes, record.refused_refreshes) == (100, 0)
    assert sim.oauth.holder(account.credentials.file.read().access_token)


@pytest.mark.parametrize(
    "fault", ["oauth-invalid-request", "oauth-invalid-grant", "oauth-unauthorized", "oauth-error-in-200"]
)
async def test_a_dead_refresh_token_needs_its_owner_and_is_kept(sim, login, fault):
    account = login(-1)
    before = account.credentials.file.path.read_bytes()
    break_token_endpoint(sim, fault)

    with pytest.raises(NeedsLoginError, match="qwen-auth login default") as error:
        await Refresher(server(sim)).ready(account)

    assert isinstance(error.value.__cause__, DeadTokenError)
    assert account.credentials.file.path.read_bytes() == before


@pytest.mark.parametrize("fault", ["oauth-null-token", "oauth-status-pending", "gateway-timeout", "empty-200"])
async def test_nonsense_is_never_stored(sim, login, fault):
    account = login(-1)
    before = account.credentials.file.path.read_bytes()
    break_token_endpoint(sim, fault)

    with pytest.raises(UnreachableError):
        await Refresher(server(sim)).ready(account)

    assert account.credentials.file.path.read_bytes() == before


async def test_a_refresh_without_a_resource_url_keeps_the_old_one(sim, login):
    account = login(-1)
    break_token_endpoint(sim, "oauth-no-resource-url")

    await Refresher(server(sim)).ready(account)

    assert account.endpoint == f"{sim.base_url}/v1"
    assert json.loads(account.credentials.file.path.read_text())["resource_url"] == sim.base_url


@pytest.fixture
def world(tmp_path, monkeypatch):
    """`qwen-auth` beside a simulator that runs in a thread."""
    monkeypatch.chdir(tmp_path)
    with Simulator.in_thread(interval=0.01) as simulator:
        environ = {"HOME": str(tmp_path), "QWEN_BASE_URL": simulator.base_url}

        def run(*arguments):
            return CliRunner(env=environ).invoke(cli, arguments, prog_name="qwen-auth")

        yield simulator, run


def approve_soon(simulator):
    def wait():
        while not simulator.oauth.codes:
            time.sleep(0.05)
        simulator.oauth.approve(simulator.oauth.codes[-1].user_code, "me")

    threading.Thread(target=wait, daemon=True).start()


def test_from_the_sign_in_to_the_first_answer_and_the_end(world):
    simulator, run = world
    approve_soon(simulator)

    signed_in = run("login", "work", "--no-browser")
    assert signed_in.exit_code == 0
    assert re.search(r"http://127\.0\.0\.1:\d+/authorize\?user_code=\w+&client=qwen-code", signed_in.stderr)

    works = run("test", "work", "--json")
    assert json.loads(works.stdout)["text"]

    simulator.oauth.expire("me")
    assert run("test", "work").exit_code == 0
    assert run("refresh", "work").exit_code == 0
    [listed] = map(json.loads, run("list", "--json").stdout.splitlines())
    assert (listed["state"], listed["endpoint"]) == ("fresh", f"{simulator.base_url}/v1")

    simulator.portal.closed = True
    closed = run("test", "work")
    assert closed.exit_code == 5
    assert "closed the free tier" in closed.stderr

    simulator.oauth.revoke("me")
    assert run("refresh", "work").exit_code == 4
    assert run("remove", "work").exit_code == 0
    assert run("list", "--json").stdout == ""
