"""Every refusal of chat.qwen.ai from the client's side, and what it does to the account (upstream.md 3.11)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, body, error, events
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, wait_until
from tests.e2e.test_web_chat import add_session, browser_session, turns

ROUNDS = {"fault": "", "path": "/chat/completions", "times": 50}


@pytest.fixture(scope="module")
def shared_refused(starter: Starter, upstream: Simulator) -> Mitm:
    gateway = starter("web-errors", options={"qwen_wait": 0, "qwen_attempts": 2})
    add_session(gateway, "me", browser_session(upstream, "bob", life=86_400), upstream.url("web"))
    return gateway.start()


@pytest.fixture
def web(shared_refused: Mitm, sim: Simulator) -> Iterator[Mitm]:
    reset(shared_refused)
    yield shared_refused
    sim.web.mood.challenge = ""
    assert shared_refused.troubles() == []


def reset(gateway: Mitm) -> None:
    assert httpx.post(gateway.url + "/accounts/me/reset").status_code == 200


def state(gateway: Mitm) -> dict[str, Any]:
    return accounts(gateway)[0]


def always(sim: Simulator, fault: str) -> None:
    sim.script([{**ROUNDS, "fault": fault}])


QUOTA = (429, "insufficient_quota")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "code", "account"),
    [
        ("web-rate-limited", *QUOTA, "exhausted"),
        ("web-rate-limited;shape=old", *QUOTA, "exhausted"),
        ("web-rate-limited;shape=http", *QUOTA, "exhausted"),
        ("web-in-progress", 503, "upstream_busy", "healthy"),
        ("web-bad-request", 400, "invalid_value", "healthy"),
        ("web-wrong-parent", 502, "upstream_chat", "healthy"),
        ("web-chat-not-found", 502, "upstream_chat", "healthy"),
        ("web-model-not-found", 404, "model_not_found", "healthy"),
        ("web-too-many-requests", 429, "rate_limit_exceeded", "resting"),
        ("web-context-length", 400, "context_length_exceeded", "healthy"),
        ("web-data-inspection", 400, "content_policy_violation", "healthy"),
        ("web-error", 503, "upstream_overloaded", "healthy"),
        ("web-error;shape=http", 503, "upstream_overloaded", "healthy"),
        ("web-silent", 502, "upstream_torn", "healthy"),
        ("web-silent;finished=1", 502, "upstream_torn", "healthy"),
        ("web-challenge", 503, "upstream_challenge", "resting"),
        ("web-challenge-page", 503, "upstream_challenge", "resting"),
        ("web-challenge-page;status=405", 503, "upstream_challenge", "resting"),
        ("gateway-timeout", 504, "upstream_timeout", "healthy"),
        ("service-unavailable", 503, "upstream_overloaded", "healthy"),
    ],
)
def test_a_refusal_is_told_as_what_it_is(
    web: Mitm, sim: Simulator, fault: str, status: int, code: str, account: str, stream: bool
) -> None:
    always(sim, fault)

    answer = ask(web, **body(stream=stream))

    assert (answer.status_code, error(answer)["code"]) == (status, code), answer.text
    seen = [state(web)["status"], *(model["status"] for model in state(web)["models"])]
    assert account in seen if account != "healthy" else set(seen) == {"healthy"}, state(web)


def test_a_quota_says_when_to_come_back(web: Mitm, sim: Simulator) -> None:
    always(sim, "web-rate-limited;num=6")

    answer = ask(web, **body())

    assert 21_000 < int(answer.headers["retry-after"]) <= 21_601
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("fault", ["web-unauthorized", "web-token-expired", "web-stream-unauthorized"])
def test_an_expired_token_is_renewed_and_the_client_does_not_notice(web: Mitm, sim: Simulator, fault: str) -> None:
    before = sim.web.visitors.user("bob").renewals
    sim.script([{"fault": fault, "path": "/chat/completions"}])

    answer = ask(web, **body())

    assert answer.status_code == 200, answer.text
    assert sim.web.visitors.user("bob").renewals == before + 1


def test_a_refusal_with_a_renewed_token_needs_its_owner(web: Mitm, sim: Simulator) -> None:
    always(sim, "web-unauthorized")

    answer = ask(web, **body())

    assert (answer.status_code, error(answer)["code"]) == (503, "upstream_auth")
    assert "qwen-auth add" in error(answer)["message"]
    assert state(web)["status"] == "needs-login"


def test_a_chat_in_progress_is_stopped_and_asked_again(web: Mitm, sim: Simulator) -> None:
    sim.script([{"fault": "web-in-progress", "path": "/chat/completions"}])

    answer = ask(web, **body())

    assert answer.status_code == 200, answer.text
    assert [received.path.rpartition("/")[2] for received in sim.log[-3:]] == ["completions", "stop", "completions"]


def test_an_error_behind_text_ends_the_stream_with_an_error(web: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.05  # text and error in pieces of their own
    sim.script([{"fault": "web-error;after=2", "path": "/chat/completions"}])

    got = events(ask(web, **body(stream=True)))

    assert got[-1]["error"]["code"] == "upstream_overloaded"


def test_challenges_open_the_breaker_for_every_session_of_that_way_and_one_call_probes(
    starter: Starter, sim: Simulator
) -> None:
    with starter("breaker", options={"qwen_wait": 0, "qwen_attempts": 1, "qwen_strategy": "fill-first"}) as gateway:
        for name in ("one", "two", "three", "four"):
            add_session(gateway, name, browser_session(sim, name, life=86_400), sim.url("web"))
        wait_until(lambda: len(accounts(gateway)) == 4, 10, "the sessions were not noticed")
        sim.web.mood.challenge = "json"
        for _ in range(3):
            assert error(ask(gateway, **body()))["code"] == "upstream_challenge"
        asked = len(sim.log)

        answer = ask(gateway, **body())

        sim.web.mood.challenge = ""
        assert (answer.status_code, error(answer)["code"]) == (503, "upstream_challenge")
        assert len(sim.log) == asked, "the fourth call was kept away from the site"
        assert 30 < int(answer.headers["retry-after"]) <= 61
        assert "capture the session again" in error(answer)["message"]
        assert {each["status"] for each in accounts(gateway)} == {"resting"}
        assert "pause after several challenges" in gateway.log
        # What the operator is told to do helps at once.
        httpx.post(gateway.url + "/accounts/four/reset")
        assert ask(gateway, **body()).headers["x-gateway-account"] == "four"


def accounts(gateway: Mitm) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(gateway.url + "/accounts").json()["accounts"]
    return found


def test_a_session_that_is_captured_anew_is_used_at_once(web: Mitm, sim: Simulator) -> None:
    always(sim, "web-challenge")
    assert ask(web, **body()).status_code == 503
    assert state(web)["status"] == "resting"
    sim.reset()
    path = web.home / "web" / "me.json"
    kept = json.loads(path.read_text())

    kept["captured"] = 1_790_000_000
    kept["cookies"] += "; x5sec=passed"
    path.write_text(json.dumps(kept))

    wait_until(lambda: state(web)["status"] == "healthy", 20, lambda: str(state(web)))
    assert ask(web, **body()).status_code == 200
    assert "x5sec=passed" in (turns(sim)[-1].header("cookie") or "")


def test_expiry_is_told_in_health_and_accounts(web: Mitm) -> None:
    (row,) = [each for each in web.health().json()["checks"]["accounts"] if each["name"] == "me" and not each["model"]]

    assert row["expires"] == state(web)["expires"]
    assert row["expires"] is not None
