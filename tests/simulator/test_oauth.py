"""The authorization server (upstream.md 2.2 to 2.4)."""

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator

CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
BEGIN = {
    "client_id": CLIENT_ID,
    "scope": "openid profile email model.completion",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Device:
    """A program that signs in."""

    def __init__(self, sim: Simulator, client: httpx.AsyncClient) -> None:
        self.sim, self.client = sim, client
        self.clock = sim.clock = Clock()
        self.code: dict[str, Any] = {}

    async def begin(self, **fields: str) -> httpx.Response:
        url = self.sim.url("oauth") + "/api/v1/oauth2/device/code"
        answer = await self.client.post(url, data={**BEGIN, **fields})
        self.code = answer.json()
        return answer

    async def poll(self, *, wait: float = 5, **fields: str) -> httpx.Response:
        self.clock.now += wait
        form = {"grant_type": DEVICE_GRANT, "client_id": CLIENT_ID, "code_verifier": VERIFIER}
        return await self.token({**form, "device_code": str(self.code.get("device_code")), **fields})

    async def refresh(self, token: str, client_id: str = CLIENT_ID) -> httpx.Response:
        return await self.token({"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id})

    async def token(self, form: dict[str, str]) -> httpx.Response:
        return await self.client.post(self.sim.url("oauth") + "/api/v1/oauth2/token", data=form)


@pytest.fixture
async def device(sim: Simulator, client: httpx.AsyncClient) -> Device:
    return Device(sim, client)


async def test_a_device_code(sim: Simulator, device: Device) -> None:
    body = (await device.begin()).json()

    assert body["expires_in"] == 1800
    assert body["interval"] == 5
    assert len(body["user_code"]) == 8
    assert body["user_code"].endswith("_M")
    assert body["verification_uri"] == sim.base_url + "/authorize"
    assert body["verification_uri_complete"].endswith(f"/authorize?user_code={body['user_code']}&client=qwen-code")


@pytest.mark.parametrize("name", ["client_id", "scope", "code_challenge", "code_challenge_method"])
async def test_each_field_is_required(device: Device, name: str) -> None:
    answer = await device.begin(**{name: ""})

    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_request", "error_description": f"Missing parameter: {name}"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"client_id": "someone"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "openid everything"}, "invalid_scope"),
    ],
)
async def test_wrong_fields(device: Device, fields: dict[str, str], error: str) -> None:
    answer = await device.begin(**fields)

    assert answer.status_code == 400
    assert answer.json()["error"] == error


async def test_an_approved_code_gives_tokens_once(sim: Simulator, device: Device) -> None:
    await device.begin()
    pending = await device.poll()
    sim.oauth.approve(device.code["user_code"], "alice")
    granted = await device.poll()
    again = await device.poll()

    assert pending.status_code == 400
    assert pending.json()["error"] == "authorization_pending"
    body = granted.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 21_600
    assert body["resource_url"] == sim.base_url
    assert len(body["access_token"]) == 86
    assert again.status_code == 401
    assert [received.note for received in sim.log][1:] == [
        *(f"poll {number} for {device.code['user_code']}" for number in (1, 2)),
        "",
    ]


async def test_resource_url_is_a_bare_host_where_tls_is_spoken(tls: Simulator) -> None:
    assert tls.oauth.login()["resource_url"] == f"127.0.0.1:{tls.port}"


async def test_a_poll_that_comes_too_fast_is_told_to_slow_down(device: Device) -> None:
    await device.begin()
    polls = [(await device.poll(wait=wait)) for wait in (0, 2, 5)]

    assert [answer.status_code for answer in polls] == [400, 429, 400]
    assert [answer.json()["error"] for answer in polls] == [
        "authorization_pending",
        "slow_down",
        "authorization_pending",
    ]


async def test_a_denied_code(sim: Simulator, device: Device) -> None:
    await device.begin()
    sim.oauth.deny(device.code["user_code"])
    answer = await device.poll()

    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")


async def test_a_code_expires(device: Device) -> None:
    await device.begin()
    answer = await device.poll(wait=1_800)

    assert (answer.status_code, answer.json()["error"]) == (400, "expired_token")


async def test_an_unknown_code(device: Device) -> None:
    assert (await device.poll(device_code="none")).status_code == 401


async def test_the_verifier_must_fit_the_challenge(sim: Simulator, device: Device) -> None:
    await device.begin()
    sim.oauth.approve(device.code["user_code"])
    wrong = await device.poll(code_verifier="w" * 43)
    right = await device.poll()

    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert right.status_code == 200


async def test_a_refresh_token_is_good_for_one_refresh(sim: Simulator, device: Device) -> None:
    first = sim.oauth.login("alice")
    second = (await device.refresh(first["refresh_token"])).json()
    stale = await device.refresh(first["refresh_token"])
    third = await device.refresh(second["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert stale.status_code == 400
    assert stale.json() == {
        "error": "invalid_request",
        "error_description": "Invalid refresh token or client_id",
    }
    assert third.status_code == 200
    assert [received.note for received in sim.log] == ["refresh 1 of alice", "refused refresh", "refresh 2 of alice"]
    assert sim.oauth.logins[0].refreshes == 2


async def test_a_refresh_with_a_wrong_client_id_does_no_harm(sim: Simulator, device: Device) -> None:
    token = sim.oauth.login()["refresh_token"]

    assert (await device.refresh(token, "someone")).status_code == 400
    assert (await device.refresh(token)).status_code == 200


async def test_refresh_tokens_die_of_age_and_by_revocation(sim: Simulator, device: Device) -> None:
    old, revoked = sim.oauth.login("old"), sim.oauth.login("revoked")
    assert sim.oauth.revoke("revoked") == 1
    device.clock.now += 29 * 86_400
    dead = await device.refresh(revoked["refresh_token"])
    device.clock.now += 86_400

    assert dead.status_code == 400
    assert (await device.refresh(old["refresh_token"])).status_code == 400


@pytest.mark.parametrize("form", [{}, {"grant_type": "password"}])
async def test_other_grants_are_unsupported(device: Device, form: dict[str, str]) -> None:
    assert (await device.token(form)).json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("oauth-invalid-request", 400, b'"error":"invalid_request"'),
        ("oauth-invalid-grant", 400, b'"error":"invalid_grant"'),
        ("oauth-unauthorized", 401, b'"error":"invalid_request"'),
        ("oauth-error-in-200", 200, b'"error":"invalid_request"'),
        ("oauth-slow-down", 429, b'"error":"slow_down"'),
        ("oauth-slow-down-400", 400, b'"error":"slow_down"'),
        ("oauth-rate-limited", 429, b'"error":"rate_limited"'),
        ("oauth-pending", 400, b'"error":"authorization_pending"'),
        ("oauth-expired-token", 400, b'"error":"expired_token"'),
        ("oauth-expired-code", 401, b'"error":"expired_token"'),
        ("oauth-access-denied", 400, b'"error":"access_denied"'),
        ("oauth-status-pending", 200, b'{"status":"pending"}'),
        ("oauth-null-token", 200, b'"access_token":null'),
        ("empty-200", 200, b""),
        ("gateway-timeout", 504, b"alibaba-ga"),
        ("text-500", 500, b"Internal Server Error"),
    ],
)
async def test_faults_of_the_token_endpoint(
    sim: Simulator, device: Device, fault: str, status: int, body: bytes
) -> None:
    token = sim.oauth.login()["refresh_token"]
    sim.script([{"fault": fault, "path": "/oauth2/token"}])
    answer = await device.refresh(token)

    assert answer.status_code == status
    assert body in answer.content
    assert bool(body) is bool(answer.content)
    # The fault has not consumed the token.
    assert (await device.refresh(token)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "name"), [("oauth-no-resource-url", "resource_url"), ("oauth-no-refresh-token", "refresh_token")]
)
async def test_a_token_answer_may_lack_a_field(sim: Simulator, device: Device, fault: str, name: str) -> None:
    token = sim.oauth.login()["refresh_token"]
    sim.script([fault])

    body = (await device.refresh(token)).json()
    assert name not in body
    assert body["access_token"]


async def test_a_hanging_token_endpoint(sim: Simulator, device: Device) -> None:
    sim.script(["stall-headers"])
    device.client.timeout = httpx.Timeout(0.1)

    with pytest.raises(httpx.ReadTimeout):
        await device.refresh("any")


async def test_a_person_approves_on_the_page(sim: Simulator, device: Device) -> None:
    await device.begin()
    page = await device.client.get(device.code["verification_uri_complete"])
    form = {"user_code": device.code["user_code"], "decision": "approve"}
    done = await device.client.post(sim.base_url + "/authorize", data=form)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "qwen-code" in page.text
    assert device.code["user_code"] in page.text
    assert 'id="approve">Approve</button>' in page.text
    assert 'id="deny">Deny</button>' in page.text
    assert "You are signed in" in done.text
    assert (await device.poll()).status_code == 200


async def test_a_person_denies_on_the_page(sim: Simulator, device: Device) -> None:
    await device.begin()
    form = {"user_code": device.code["user_code"], "decision": "deny"}
    done = await device.client.post(sim.base_url + "/authorize", data=form)

    assert "Denied" in done.text
    assert (await device.poll()).json()["error"] == "access_denied"


async def test_the_page_asks_for_a_code_and_refuses_unknown_ones(sim: Simulator, client: httpx.AsyncClient) -> None:
    url = sim.base_url + "/authorize"
    asking = await client.get(url)
    unknown = await client.get(url, params={"user_code": "<script>"})
    pressed = await client.post(url, data={"user_code": "none", "decision": "approve"})

    assert "<input name=" in asking.text
    assert unknown.status_code == pressed.status_code == 404
    assert "<script>" not in unknown.text


async def test_a_web_account_approves_without_a_page(sim: Simulator, device: Device) -> None:
    await device.begin()
    payload = base64.urlsafe_b64encode(json.dumps({"id": "alice"}).encode()).rstrip(b"=").decode()
    url = sim.base_url + "/api/v2/oauth2/authorize"
    body = {"approved": True, "user_code": device.code["user_code"]}
    nobody = await httpx_without_key(url, body)
    done = await device.client.post(url, json=body, headers={"authorization": f"Bearer h.{payload}.s"})
    twice = await device.client.post(url, json=body)
    await device.poll()

    assert nobody.status_code == 401
    assert done.json()["success"] is True
    assert twice.json()["data"]["code"] == "Bad_Request"
    assert sim.oauth.logins[-1].account == "alice"


async def httpx_without_key(url: str, body: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(url, json=body)


async def test_logins_can_be_made_and_seen_from_outside(sim: Simulator, client: httpx.AsyncClient) -> None:
    control = sim.base_url + "/__sim__/"
    token = (await client.post(control + "login", json={"account": "alice", "fault": "throttling"})).json()
    await client.post(control + "revoke", json={"account": "alice"})
    settings = {"token_life": 60, "interval": 1, "portal": {"closed": True}}
    changed = (await client.post(control + "settings", json=settings)).json()
    wrong = await client.post(control + "settings", json={"colour": "red"})
    logins = (await client.get(control + "logins")).json()

    assert token["access_token"]
    assert logins == [
        {"account": "alice", "fault": "throttling", "revoked": True, "refreshes": 0, "refused_refreshes": 0}
    ]
    assert changed["token_life"] == 60
    assert changed["portal"]["closed"] is True
    assert sim.portal.closed
    assert wrong.status_code == 400
