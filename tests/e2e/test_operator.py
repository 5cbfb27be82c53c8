"""The operator's endpoints: accounts and sign-in over HTTP, with a real mitmdump and the simulator's sign-in server."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qwen_auth.qwen_store import LoginFile
from qwen_gateway.simulator import Key, Simulator
from tests.e2e.asking import ask, error, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, program, wait_until

ADMIN = "canary-admin-key"
PATHS = [
    ("GET", "/accounts"),
    ("POST", "/accounts/work/reset"),
    ("POST", "/accounts/work/disable"),
    ("POST", "/auth/initiate"),
    ("POST", "/auth/poll"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def qwen() -> Iterator[Simulator]:
    """A sign-in server that may be polled often."""
    with Simulator.in_thread(interval=0.05) as simulator:
        yield simulator


def start(starter: Starter, qwen: Simulator, name: str, **environ: str) -> Mitm:
    """A gateway with an account that has a key, whose sign-ins go to the simulator."""
    gateway = starter(name, environ={"QWEN_BASE_URL": qwen.base_url, **environ})
    gateway.add_account("work", "sk-canary-work", qwen.url())
    qwen.keys["sk-canary-work"] = Key()
    return gateway.start()


def post(gateway: Mitm, path: str, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.post(gateway.url + path, json=body or {}, headers=headers, timeout=10)


def poll_until_over(gateway: Mitm, number: str) -> list[dict[str, Any]]:
    """Every answer until the sign-in is over, asked as often as the answers allow."""
    answers: list[dict[str, Any]] = []
    end = time.monotonic() + 20
    while not answers or answers[-1]["status"] in ("pending", "slow_down"):
        assert time.monotonic() < end, answers
        time.sleep(answers[-1].get("interval", 0.1) if answers else 0.1)
        answers.append(post(gateway, "/auth/poll", {"id": number}).json())
    return answers


async def test_a_sign_in_from_the_link_to_the_first_answer(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "sign-in")

    begun = post(gateway, "/auth/initiate", {"account": "alice"}).json()
    waiting = post(gateway, "/auth/poll", {"id": begun["id"]}).json()
    page = httpx.get(begun["verification_uri_complete"])
    httpx.post(f"{qwen.base_url}/authorize", data={"user_code": begun["user_code"], "decision": "approve"})
    answers = poll_until_over(gateway, begun["id"])

    assert begun.keys() == {
        "id", "account", "verification_uri", "verification_uri_complete", "user_code", "expires_in", "interval",
    }  # fmt: skip
    assert begun["user_code"] in page.text
    assert waiting["status"] == "pending"
    assert answers[-1]["status"] == "done"
    assert answers[-1]["account"] == "alice"
    stored = LoginFile(gateway.folder / ".qwen" / "oauth_creds_alice.json").read()
    assert stored is not None
    wait_until(lambda: "alice" in httpx.get(gateway.url + "/accounts").text, 10, lambda: gateway.log)
    served = ask(gateway, headers={"x-qwen-account": "alice"})
    assert served.status_code == 200, served.text
    assert served.headers["x-gateway-account"] == "alice"
    codes = [code.device_code for code in qwen.oauth.codes]
    seen = b"".join(
        [repr(begun).encode(), repr(answers).encode(), gateway.dump_file.read_bytes(), gateway.log.encode()]
    )
    assert not [secret for secret in (*stored.secrets(), *codes) if secret.encode() in seen]


async def test_a_denied_sign_in_says_so_and_is_over(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "denied")
    begun = post(gateway, "/auth/initiate", {"account": "bob"}).json()
    qwen.oauth.deny(begun["user_code"])

    assert poll_until_over(gateway, begun["id"])[-1] == {"status": "denied"}
    assert post(gateway, "/auth/poll", {"id": begun["id"]}).status_code == 404


@pytest.fixture(scope="module")
def polled(starter: Starter, qwen: Simulator) -> Mitm:
    """One for sign-ins that do not go well."""
    return start(starter, qwen, "polled")


@pytest.mark.parametrize("fault", ["oauth-expired-token", "oauth-expired-code"])
def test_a_sign_in_that_qwen_has_forgotten_is_expired(polled: Mitm, qwen: Simulator, fault: str) -> None:
    begun = post(polled, "/auth/initiate", {"account": "carol"}).json()
    qwen.script([{"path": "/api/v1/oauth2/token", "fault": fault}])

    assert poll_until_over(polled, begun["id"])[-1] == {"status": "expired"}
    over = post(polled, "/auth/poll", {"id": begun["id"]})
    assert (over.status_code, error(over)["code"]) == (404, "not_found")
    assert not list(polled.folder.glob(".qwen/*carol*"))


def test_a_sign_in_that_nobody_approves_in_time_is_expired_without_asking_qwen(polled: Mitm, qwen: Simulator) -> None:
    qwen.oauth.code_life = 1
    try:
        begun = post(polled, "/auth/initiate", {"account": "dave"}).json()
    finally:
        qwen.oauth.code_life = 1_800
    time.sleep(1.1)
    asked = len(qwen.log)

    assert begun["expires_in"] == 1
    assert post(polled, "/auth/poll", {"id": begun["id"]}).json() == {"status": "expired"}
    assert len(qwen.log) == asked
    assert post(polled, "/auth/poll", {"id": begun["id"]}).status_code == 404


@pytest.mark.parametrize("fault", ["oauth-slow-down", "oauth-slow-down-400"])
def test_qwens_slow_down_is_passed_on_with_a_longer_interval(starter: Starter, qwen: Simulator, fault: str) -> None:
    gateway = start(starter, qwen, fault)
    begun = post(gateway, "/auth/initiate", {"account": "erin"}).json()
    qwen.script([{"path": "/api/v1/oauth2/token", "fault": fault}])

    told = post(gateway, "/auth/poll", {"id": begun["id"]}).json()
    asked = len(qwen.log)
    at_once = post(gateway, "/auth/poll", {"id": begun["id"]}).json()

    assert told["status"] == at_once["status"] == "slow_down"
    assert begun["interval"] < told["interval"] == at_once["interval"]
    assert len(qwen.log) == asked, "who polls too fast is not passed on"
    qwen.oauth.approve(begun["user_code"])
    assert poll_until_over(gateway, begun["id"])[-1]["status"] == "done"


@pytest.fixture(scope="module")
def gateway(starter: Starter, qwen: Simulator) -> Mitm:
    """One without admin keys."""
    return start(starter, qwen, "operator")


def test_accounts_can_be_seen_disabled_and_reset(gateway: Mitm) -> None:
    before = httpx.get(gateway.url + "/accounts").json()
    disabled = post(gateway, "/accounts/work/disable").json()
    refused = ask(gateway)
    reset = post(gateway, "/accounts/work/reset").json()

    (row,) = before["accounts"]
    assert before["ready"]
    assert (row["name"], row["kind"], row["plan"]) == ("work", "key", "model-studio-intl")
    assert (row["status"], row["serving"]) == ("healthy", True)
    assert (disabled["status"], disabled["why"]) == ("disabled", "disabled by hand")
    assert refused.status_code == 503
    assert "disabled" in error(refused)["message"]
    assert reset["status"] == "healthy"


def listed(gateway: Mitm) -> dict[str, Any]:
    """The account as `qwen-auth list` knows it, which is no part of the gateway."""
    done = subprocess.run(
        [program("qwen-auth"), "list", "--json"], env=gateway.environment(), cwd=gateway.folder, capture_output=True,
        check=True, timeout=30,
    )  # fmt: skip
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def test_a_disabled_account_stays_so_over_a_restart_until_it_is_reset(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "disabled")
    post(gateway, "/accounts/work/disable")
    gateway.stop()
    shown = listed(gateway)["resting"]
    gateway.start()
    (after,) = httpx.get(gateway.url + "/accounts").json()["accounts"]
    refused = ask(gateway)
    post(gateway, "/accounts/work/reset")
    gateway.stop()
    gateway.start()

    assert [(rest["status"], rest["until"], rest["reason"]) for rest in shown] == [
        ("disabled", None, "disabled by hand")
    ]
    assert (after["status"], after["why"], after["next_recovery"]) == ("disabled", "disabled by hand", None)
    assert refused.status_code == 503
    assert "qwen.account.reset work" in error(refused)["message"]
    assert "`qwen.account.reset work` enables it" in gateway.log
    assert ask(gateway).status_code == 200
    assert listed(gateway)["resting"] == []


def test_a_wrong_account_is_told_the_right_ones(gateway: Mitm) -> None:
    answer = post(gateway, "/accounts/wrok/reset")

    assert answer.status_code == 404
    assert "accounts: work" in error(answer)["message"]


def test_no_key_is_shown(gateway: Mitm) -> None:
    assert "canary" not in httpx.get(gateway.url + "/accounts").text


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://evil.test", "null"])
def test_no_web_page_reaches_them(gateway: Mitm, method: str, path: str, origin: str) -> None:
    answer = httpx.request(method, gateway.url + path, headers={"origin": origin})
    preflight = httpx.options(gateway.url + path, headers={"origin": origin, "access-control-request-method": method})

    for refused in (answer, preflight):
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_who_comes_through_a_proxy_is_not_on_this_machine(gateway: Mitm, method: str, path: str) -> None:
    answer = httpx.request(method, gateway.url + path, headers={"x-forwarded-for": "192.0.2.1"})

    assert (answer.status_code, error(answer)["code"]) == (403, "admin_only")


@pytest.fixture(scope="module")
def badly_asked(starter: Starter, qwen: Simulator) -> Mitm:
    """One for sign-ins that never begin: they count too."""
    return start(starter, qwen, "bad-sign-in")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[]", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b'{"account": 1}', 400, "invalid_type"),
        (b'{"account": "../evil"}', 400, "invalid_value"),
        (b'{"account": "work"}', 400, "invalid_value"),
    ],
)
def test_bad_sign_ins_are_refused(badly_asked: Mitm, body: bytes, status: int, code: str) -> None:
    answer = httpx.post(badly_asked.url + "/auth/initiate", content=body)

    assert (answer.status_code, error(answer)["code"]) == (status, code)


async def test_admin_keys_open_them_and_gateway_keys_do_not(starter: Starter, qwen: Simulator) -> None:
    keys = {"QWEN_GATEWAY_ADMIN_KEYS": ADMIN, "QWEN_GATEWAY_KEYS": "canary-caller"}
    gateway = start(starter, qwen, "admin-keys", **keys)
    url = gateway.url + "/accounts"

    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"authorization": "Bearer canary-caller"}).status_code == 401
    assert httpx.get(url, headers={"authorization": f"Bearer {ADMIN}"}).status_code == 200
    async with openai(gateway, key=ADMIN) as client:
        with pytest.raises(Exception, match="not one of this gateway's keys"):
            await client.models.list()


def test_the_sixth_sign_in_of_a_minute_has_to_wait(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "often")

    answers = [post(gateway, "/auth/initiate", {"account": f"a{number}"}) for number in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert 1 <= int(answers[5].headers["retry-after"]) <= 60


def test_a_sign_in_server_that_is_away_is_told(starter: Starter, qwen: Simulator) -> None:
    gateway = start(starter, qwen, "away", QWEN_DEVICE_CODE_ENDPOINT="http://127.0.0.1:9/device")

    answer = post(gateway, "/auth/initiate")

    assert answer.status_code == 502
    assert "was not reached" in error(answer)["message"]
