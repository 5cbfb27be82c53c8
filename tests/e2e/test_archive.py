"""The records over HTTP, with a real mitmdump: who may read them, and who may not."""

import httpx
import pytest

from qwen_gateway.ledger.database import Database
from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, error, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm
from tests.ledger.filling import fill

PATHS = ["/v1/sessions", "/v1/sessions/ses_a", "/v1/requests/req_0001", "/v1/responses", "/v1/responses/stats"]


def started(starter: Starter, sim: Simulator, **environ: str) -> Mitm:
    gateway = starter("records", environ={**one_account(sim), **environ}, options={"qwen_keep_days": 0})
    database = Database(str(gateway.home / "ledger.db"))
    database.write(fill)
    database.close()
    return gateway.start()


def test_the_operator_reads_and_deletes(starter: Starter, sim: Simulator) -> None:
    gateway = started(starter, sim)
    with httpx.Client(base_url=gateway.url, timeout=10) as client:
        answers = [client.get(path) for path in PATHS]
        assert [answer.status_code for answer in answers] == [200] * len(PATHS)
        assert client.get("/v1/responses/stats").json()["statistics"]["total_tokens"] == 300
        same = client.get(PATHS[1], headers={"if-none-match": answers[1].headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert client.head(PATHS[1]).status_code == 200
        assert client.delete("/v1/sessions/ses_a").json() == {"deleted": True, "session_id": "ses_a"}
        assert client.get("/v1/sessions/ses_a").status_code == 404
        assert client.get("/v1/sessions/%27%20OR%201=1").status_code == 404
        wrong = client.put("/v1/responses")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, POST")
    assert ask(gateway).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_can_be_read_back_at_once(starter: Starter, sim: Simulator, stream: bool) -> None:
    gateway = starter("read-back", environ=one_account(sim)).start()
    answer = ask(gateway, model="gpt-4o", stream=stream)
    with httpx.Client(base_url=gateway.url, timeout=10) as client:
        (listed,) = client.get("/v1/requests").json()["data"]
        request = client.get(f"/v1/requests/{listed['id']}").json()
        response = client.get(f"/v1/requests/{listed['id']}/response").json()
        session = client.get(f"/v1/sessions/{listed['session_id']}").json()
        same = client.get(f"/v1/responses/{response['id']}").json()

    assert listed["id"] == answer.headers["x-request-id"]
    assert (request["openai_request"]["model"], request["model_used"]) == ("gpt-4o", "qwen3.7-plus")
    assert request["qwen_request"]["model"] == "qwen3.7-plus"
    assert response["openai_response"]["choices"][0]["message"]["content"] == text(answer)
    assert not response["id"].startswith("resp_")
    assert (session["message_count"], session["first_user_message"]) == (1, "Say hi")
    assert same == response


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000"])
def test_no_page_reads_them(starter: Starter, sim: Simulator, origin: str) -> None:
    gateway = started(starter, sim)
    for path in PATHS:
        answer = httpx.get(gateway.url + path, headers={"origin": origin})
        assert answer.status_code == 403, path
        assert "access-control-allow-origin" not in answer.headers
    asked = httpx.options(gateway.url + PATHS[1], headers={"origin": origin, "access-control-request-method": "DELETE"})
    assert asked.status_code == 403


def test_only_an_admin_key_opens_them(starter: Starter, sim: Simulator) -> None:
    gateway = started(starter, sim, QWEN_GATEWAY_KEYS="caller", QWEN_GATEWAY_ADMIN_KEYS="admin")
    for path in PATHS:
        for key, status in (("caller", 401), ("", 401), ("admin", 200)):
            answer = httpx.get(gateway.url + path, headers={"authorization": f"Bearer {key}"} if key else {})
            assert answer.status_code == status, (path, key)


def test_they_are_closed_on_request(starter: Starter, sim: Simulator) -> None:
    closed = started(starter, sim, ENABLE_CRUD_API="false")
    nothing = started(starter, sim, ENABLE_PERSISTENCE="false")

    assert httpx.get(closed.url + PATHS[0]).status_code == 404
    answer = httpx.get(nothing.url + PATHS[0])
    assert (answer.status_code, error(answer)["code"]) == (503, "ledger_unavailable")


def test_the_proxy_does_not_lead_to_them(starter: Starter, sim: Simulator) -> None:
    """A listener for `base_url` and a proxy in one process: the proxy must not undo what protects the first."""
    gateway = started(starter, sim)
    both = starter(
        "both", mode="regular", environ=one_account(sim), arguments=("--mode", gateway.mode + "@127.0.0.1:0")
    )
    both.start()
    with httpx.Client(proxy=both.url, timeout=10) as client:
        assert client.get(f"http://127.0.0.1:{both.port}/v1/sessions").status_code == 403
