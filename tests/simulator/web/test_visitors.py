"""Who may come to the site, and how long (upstream.md 3.1, 3.2)."""

import base64
import hashlib
import json

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.web.browsing import Browser, refusal

ME = "/api/v2/user/info"


def claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    made: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return made


async def test_a_cookie_or_a_bearer_will_do(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    bearer = f"Bearer {sim.web.visitors.token('alice')}"

    by_cookie = await browser.call("GET", ME)
    by_bearer = await browser.call("GET", ME, authorization=bearer, cookie="")

    assert by_cookie.json()["data"] == by_bearer.json()["data"]
    assert by_cookie.json()["data"]["email"] == "alice"
    assert sim.log[-1].key == "alice"


async def test_a_token_lives_for_a_quarter_of_an_hour(sim: Simulator, client: httpx.AsyncClient) -> None:
    now = 1_790_000_000.0
    sim.clock = lambda: now
    browser = Browser(sim, client)
    token = sim.web.visitors.token("alice")
    sim.clock = lambda: now + 899
    fresh = await browser.call("GET", ME)
    sim.clock = lambda: now + 900
    expired = await browser.call("GET", ME)

    assert int(str(claims(token)["exp"])) - int(str(claims(token)["iat"])) == 900
    assert fresh.json()["success"] is True
    assert refusal(expired) == ("Unauthorized", "Token has expired")
    assert expired.headers["x-actual-status-code"] == "401"


async def test_older_tokens_say_less_and_live_longer(sim: Simulator) -> None:
    sim.web.visitors.jwt_form = "2025"

    assert claims(sim.web.visitors.token("alice", life=86_400)).keys() == {"id", "last_password_change", "exp", "jti"}


@pytest.mark.parametrize("authorization", ["Bearer x", "Bearer a.b.c", "Basic abc"])
async def test_other_tokens_are_refused(sim: Simulator, client: httpx.AsyncClient, authorization: str) -> None:
    browser = Browser(sim, client)
    answer = await browser.call("GET", ME, authorization=authorization, cookie="", **{"bx-umidtoken": "x"})

    assert refusal(answer)[0] == "Unauthorized"


async def test_sessions_are_ended_from_outside(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    await client.post(sim.base_url + "/__sim__/web/expire", json={"name": "alice"})
    expired = await browser.call("GET", ME)
    fresh = Browser(sim, client)
    good = await fresh.call("GET", ME)
    sim.web.visitors.revoke("alice")

    assert refusal(expired)[1] == "Token has expired"
    assert good.json()["success"] is True
    assert refusal(await fresh.call("GET", ME))[1] == "401 Unauthorized"


async def test_the_session_renews_its_token(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.call("GET", "/api/v1/auths/")
    made = answer.json()
    again = await browser.call("GET", ME, authorization=f"Bearer {made['token']}", cookie="")

    assert made["token_type"] == "Bearer"
    assert made["expires_at"] == claims(made["token"])["exp"]
    assert f"token={made['token']};" in answer.headers["set-cookie"]
    assert again.json()["success"] is True
    assert sim.log[0].note == "renewal 1 of alice"


async def test_a_refresh_token_is_good_once(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    body = {"refresh_token": sim.web.visitors.refresh_token("alice")}
    first, second = [await browser.call("POST", "/api/v2/auths/refresh", body) for _ in range(2)]

    assert first.json()["data"].keys() == {"token", "refresh_token"}
    assert refusal(second)[0] == "Unauthorized"


async def test_signing_in_with_a_password(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.visitors.user("alice@example.org", password="open sesame")
    browser = Browser(sim, client, "")
    good = {"email": "alice@example.org", "password": hashlib.sha256(b"open sesame").hexdigest()}

    signed = await browser.call("POST", "/api/v1/auths/signin", good)
    plain = await browser.call("POST", "/api/v1/auths/signin", {**good, "password": "open sesame"})

    assert claims(signed.json()["token"])["id"] == sim.web.visitors.user("alice@example.org").id
    assert refusal(plain)[0] == "Unauthorized"


async def test_guests_need_their_mark_and_cookies(sim: Simulator, client: httpx.AsyncClient) -> None:
    guest = Browser(sim, client, "")
    welcome = await guest.call("GET", ME)
    without_mark = await guest.call("GET", ME, **{"bx-umidtoken": "other"})
    without_cookies = await guest.call("GET", ME, cookie="")
    sim.web.mood.guests = False

    assert welcome.json()["data"]["role"] == "guest"
    assert refusal(without_mark)[0] == refusal(without_cookies)[0] == "Unauthorized"
    assert refusal(await guest.call("GET", ME))[0] == "Unauthorized"


async def test_answers_carry_the_headers_of_the_site(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await Browser(sim, client).call("GET", ME, **{"x-request-id": "r-7"})

    assert answer.headers["x-request-id"] == "r-7"
    assert answer.headers["x-actual-status-code"] == "200"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "set-cookie" not in answer.headers


async def test_cookies_come_and_change(sim: Simulator, client: httpx.AsyncClient) -> None:
    now = 1_790_000_000.0
    sim.clock = lambda: now
    browser = Browser(sim, client)
    first = await browser.call("GET", "/api/models", cookie="")
    sim.web.mood.rotate_cookies = sim.web.mood.renew_by_cookie = True
    sim.clock = lambda: now + 500
    later = await browser.call("GET", ME)

    assert first.headers["set-cookie"].startswith("acw_tc=")
    names = [cookie.partition("=")[0] for cookie in later.headers.get_list("set-cookie")]
    assert names == ["token", "acw_tc"]


async def test_a_missing_header_of_a_browser_meets_the_challenge(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.mood.demands = ("source", "x-nobody-sends-this")

    assert (await Browser(sim, client).call("GET", ME)).json()["ret"][0] == "FAIL_SYS_USER_VALIDATE"


async def test_browsers_can_be_had_from_outside(sim: Simulator, client: httpx.AsyncClient) -> None:
    headers = (await client.post(sim.base_url + "/__sim__/web/browser", json={"name": "bob"})).json()
    listed = (await client.get(sim.base_url + "/__sim__/web/visitors")).json()

    assert headers["bx-umidtoken"].startswith("T2gA")
    assert "token=" in headers["cookie"]
    assert [one["name"] for one in listed] == ["bob"]
