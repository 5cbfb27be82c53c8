"""A session is renewed by its own cookies, and its owner is told before it ends."""

import asyncio
import json

import httpx
import pytest

from qwen_auth.errors import NeedsLoginError, UnreachableError
from qwen_auth.web.accounts import web_account
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.renewer import Renewer
from qwen_auth.web.session import Session
from tests.auth.clocks import FakeTime
from tests.auth.web.sessions import GUEST, jwt, stored


@pytest.fixture
def time():
    return FakeTime()


class Site:
    """chat.qwen.ai's `GET /api/v1/auths/`."""

    def __init__(self, time):
        self.time = time
        self.requests = []
        self.answer = None
        self.life = 900

    def __call__(self, request):
        self.requests.append(request)
        if self.answer is not None:
            return self.answer
        exp = int(self.time.wall) + self.life
        headers = [("set-cookie", "acw_tc=renewed; Path=/")]
        return httpx.Response(200, headers=headers, json={"id": "u-1", "token": jwt(exp, exp - self.life)})

    def connect(self, proxy=None):
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


@pytest.fixture
def site(time):
    return Site(time)


@pytest.fixture
def make(tmp_path, time):
    def make(life, session=None):
        token = jwt(int(time.wall + life), int(time.wall + life) - 900)
        session = session or Session(cookies=(("token", token), ("cna", "1")))
        file = stored(tmp_path, session)
        credentials = WebCredentials(file, file.read(), file.stamp(), clock=time.clock)
        return web_account("me", file, credentials.kept, credentials)

    return make


@pytest.fixture
def renewer(site, time, warnings):
    return Renewer(connect=site.connect, clock=time.clock, warn=warnings.append)


async def test_a_fresh_session_is_left_alone(renewer, site, make):
    await renewer.ready(make(800))
    await renewer.ready(make(0, GUEST))

    assert site.requests == []


async def test_an_expired_one_is_renewed_by_its_cookies_before_the_call(renewer, site, make, tmp_path, time):
    account = make(-5)

    await asyncio.gather(*(renewer.ready(account) for _ in range(5)))

    [request] = site.requests
    assert request.url == "https://chat.qwen.ai/api/v1/auths/"
    assert request.headers["cookie"].startswith("token=eyJ")
    assert account.credentials.state == "fresh"
    written = json.loads((tmp_path / "web" / "me.json").read_text())
    assert written["cookies"] == f"token={account.credentials.token}; cna=1; acw_tc=renewed"


async def test_a_stale_one_serves_while_it_is_renewed(renewer, site, make):
    account = make(200)
    old = account.credentials.token

    await renewer.ready(account)
    assert account.credentials.token == old
    await renewer.aclose([account])

    assert account.credentials.token != old


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"detail": "401 Unauthorized"}),
        httpx.Response(200, json={"success": False, "data": {"code": "Unauthorized", "details": "401"}}),
    ],
)
async def test_a_session_that_is_signed_out_needs_its_owner(renewer, site, make, answer, warnings):
    site.answer = answer
    account = make(-5)

    for _ in range(3):
        with pytest.raises(NeedsLoginError, match="qwen-auth add me --web --from-curl --replace"):
            await renewer.ready(account)

    assert len(site.requests) == 1
    assert len(warnings) == 1


async def test_a_challenge_instead_of_a_token_is_said_while_the_old_one_serves(renewer, site, make, warnings):
    site.answer = httpx.Response(200, html="<!doctypehtml><title>Verification</title>")
    account = make(200)

    await renewer.ready(account)
    await renewer.aclose([account])
    await renewer.ready(account)

    assert len(site.requests) == 1
    assert "expires in 3 min, and was not renewed" in warnings[0]


async def test_an_upstream_that_is_away_is_no_reason_to_sign_in(renewer, site, make, time):
    site.connect_error = True
    renewer._connect = lambda proxy: httpx.AsyncClient(transport=httpx.MockTransport(refuse))
    account = make(-5)

    with pytest.raises(UnreachableError):
        await renewer.ready(account)


def refuse(request):
    raise httpx.ConnectError("no", request=request)


async def test_a_refused_token_is_renewed_once_and_a_guest_s_never(renewer, site, make):
    account = make(800)
    refused = account.credentials.token

    assert await renewer.renew(account, refused)
    assert account.credentials.token != refused
    assert not await renewer.renew(make(0, GUEST), GUEST.umidtoken)
    assert len(site.requests) == 1


async def test_what_nobody_uses_is_not_renewed_and_what_is_used_is(renewer, site, make, time):
    account = make(800)
    rounds = 0

    async def sleep(seconds):
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            await renewer.ready(account)
        if rounds == 4:
            time.pass_(600)
        if rounds > 5:
            raise asyncio.CancelledError

    renewer._sleep = sleep
    time.pass_(1)
    with pytest.raises(asyncio.CancelledError):
        await renewer.keep_fresh(lambda: [account])

    assert len(site.requests) == 1
    assert account.credentials.state == "fresh"
