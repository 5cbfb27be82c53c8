"""The records over HTTP, on both databases: shapes, pages, filters, and what cannot be asked."""

import json
from urllib.parse import quote

import pytest
from mitmproxy.test import taddons, tflow
from sqlalchemy import func, select

from qwen_gateway import flows, options
from qwen_gateway.archive import Archive
from qwen_gateway.ledger import Ledger
from qwen_gateway.ledger.schema import ATTEMPTS, METADATA, REQUESTS, RESPONSES, SESSIONS
from qwen_gateway.router import route
from tests.ledger.conftest import ledger, postgres, where  # noqa: F401 - fixtures
from tests.ledger.filling import BASE, fill

INJECTIONS = (
    "' OR 1=1 --",
    "'; DROP TABLE sessions; --",
    '" OR ""="',
    "ses_a' UNION SELECT value FROM metadata --",
    "%' OR '%'='",
    "\\'; DELETE FROM requests; --",
    "ses_a\0",
    "\ud800",
)


class Declared:
    """Our options, without the rest of the gateway."""

    def load(self, loader):
        options.declare(loader, {})


@pytest.fixture
async def archive(ledger: Ledger):  # noqa: F811
    await ledger.write(fill)
    found = Archive(ledger)
    with taddons.context(Declared(), found) as testing:
        found.ledger = ledger
        found.testing = testing
        yield found


async def ask(archive, path, method="GET", **headers):
    flow = tflow.tflow()
    flow.request.path, flow.request.method = path, method
    for name, value in headers.items():
        flow.request.headers[name.replace("_", "-")] = value
    flow.metadata[flows.SURFACE] = route(path, method).surface
    await archive.request(flow)
    return flow.response


async def get(archive, path, **headers):
    answer = await ask(archive, path, **headers)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


async def count(archive, table):
    return await archive.ledger.read(lambda connection: connection.scalar(select(func.count()).select_from(table)))


async def test_sessions_are_listed_as_seed_b_did(archive):
    found = await get(archive, "/v1/sessions")

    assert {key: found[key] for key in ("object", "total", "limit", "offset", "has_more")} == {
        "object": "list", "total": 3, "limit": 50, "offset": 0, "has_more": False,
    }  # fmt: skip
    assert [row["id"] for row in found["data"]] == ["ses_empty", "ses_b", "ses_a"]
    assert found["data"][2] == {
        "id": "ses_a", "object": "session", "chat_id": None, "parent_id": None, "message_count": 10,
        "request_count": 10, "first_user_message": "Say 0", "created_at": BASE * 1000,
        "last_accessed": (BASE + 100) * 1000, "expires_at": (BASE + 1900) * 1000,
    }  # fmt: skip


async def test_a_session_its_figures_and_its_requests(archive):
    session = await get(archive, "/v1/sessions/ses_a")
    stats = await get(archive, "/v1/sessions/ses_a/stats")
    requests = await get(archive, "/v1/sessions/ses_a/requests?limit=3")

    assert (session["id"], session["request_count"]) == ("ses_a", 10)
    assert stats["usage"] == {
        "total_responses": 10, "total_completion_tokens": 200, "total_prompt_tokens": 100, "total_tokens": 300,
        "total_cached_tokens": 0, "total_reasoning_tokens": 0, "avg_duration_ms": 1500,
    }  # fmt: skip
    assert (stats["session_id"], stats["message_count"]) == ("ses_a", 10)
    assert [row["id"] for row in requests["data"]] == ["req_0009", "req_0008", "req_0007"]
    assert (requests["total"], requests["has_more"]) == (10, True)


async def test_a_request_shows_both_sides_and_its_attempts(archive):
    listed = await get(archive, "/v1/requests")
    found = await get(archive, "/v1/requests/req_0003")

    assert "openai_request" not in listed["data"][0]
    assert (listed["total"], listed["data"][0]["error"]["code"]) == (11, "rate_limit_exceeded")
    assert {key: found[key] for key in ("request_id", "session_id", "method", "path", "model", "stream")} == {
        "request_id": "req_0003", "session_id": "ses_a", "method": "POST", "path": "/v1/chat/completions",
        "model": "gpt-4o", "stream": False,
    }  # fmt: skip
    assert found["timestamp"] == (BASE + 3) * 1000
    assert found["openai_request"]["messages"][0]["content"] == "Say 3"
    assert found["qwen_request"] == {"model": "qwen3.7-plus"}
    assert [attempt["status"] for attempt in found["attempts"]] == [200]


@pytest.mark.parametrize("path", ["/v1/responses/res_0003", "/v1/requests/req_0003/response"])
async def test_a_response_shows_both_sides(archive, path):
    found = await get(archive, path)

    assert (found["id"], found["request_id"], found["response_id"]) == ("res_0003", "req_0003", "chatcmpl-3")
    assert found["openai_response"]["object"] == "chat.completion"
    assert found["qwen_response"] == "no JSON"
    assert (found["total_tokens"], found["duration_ms"], found["finish_reason"]) == (30, 1500, "stop")
    assert found["request"]["id"] == "req_0003"


async def test_responses_and_their_sums(archive):
    listed = await get(archive, "/v1/responses?limit=1")
    everything = await get(archive, "/v1/responses/stats")
    of_one = await get(archive, "/v1/responses/stats?sessionId=ses_b")

    assert (listed["total"], len(listed["data"]), "openai_response" in listed["data"][0]) == (10, 1, False)
    assert everything["session_id"] == "all"
    assert everything["statistics"]["total_tokens"] == 300
    assert everything["statistics"]["avg_duration_ms"] == 1500
    assert of_one["statistics"]["total_responses"] == 0


def test_openais_responses_are_none_of_ours():
    assert route("/v1/responses/resp_1", "GET").surface != "records"
    assert route("/v1/responses", "POST").surface == "responses"
    assert route("/v1/responses", "GET").surface == "records"
    assert {"GET", "POST"} <= route("/v1/responses", "PUT").allowed


async def test_pages_by_cursor_show_everything_once(archive):
    seen, cursor = [], ""
    for _ in range(6):
        page = await get(archive, f"/v1/requests?limit=2{cursor}")
        seen += [row["id"] for row in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == [f"req_{number:04d}" for number in range(10, -1, -1)]
    assert page["next_cursor"] is None


async def test_pages_by_offset_and_in_the_other_order(archive):
    page = await get(archive, "/v1/requests?limit=4&offset=9&order=asc")

    assert [row["id"] for row in page["data"]] == ["req_0009", "req_0010"]
    assert (page["has_more"], page["offset"]) == (False, 9)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("outcome=failed", [10]),
        ("account=home", [10]),
        ("model=qwen3-max", [10]),
        ("model=gpt-4o&limit=1", [9]),
        ("session=ses_b", [10]),
        (f"since={BASE + 9}", [10, 9]),
        (f"until={BASE + 1}", [0]),
        (f"since={(BASE + 10) * 1000:.0f}", [10]),
        ("since=2026-09-21T14:13:29Z&until=2026-09-21T16:13:30%2B02:00", [9]),
        ("since=2030-01-01", []),
    ],
)
async def test_filters(archive, query, ids):
    found = await get(archive, f"/v1/requests?{query}")

    assert [row["id"] for row in found["data"]] == [f"req_{number:04d}" for number in ids]


async def test_sessions_are_found_by_what_happened_in_them(archive):
    found = await get(archive, "/v1/sessions?outcome=failed")

    assert ([row["id"] for row in found["data"]], found["total"]) == (["ses_b"], 1)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"), ("since=yesterday", "since"), ("outcome=odd", "outcome"),
        ("cursor=x", "cursor"), ("cursor=bmFuIHg", "cursor"), ("order=model", "order"), ("sort=1", "sort"),
        ("model=", "model"), ("limit=1&limit=2", "limit"), (f"model={'x' * 501}", "model"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(archive, query, param):
    answer = await ask(archive, f"/v1/requests?{query}")

    assert answer.status_code == 400
    assert json.loads(answer.content)["error"]["param"] == param


@pytest.mark.parametrize("words", INJECTIONS)
async def test_sql_in_ids_and_filters_is_a_name_that_nobody_has(archive, words):
    name = quote(words.encode("utf-8", "surrogatepass"), safe="")
    before = [await count(archive, table) for table in METADATA.sorted_tables]

    for path in (f"sessions/{name}", f"sessions/{name}/stats", f"sessions/{name}/requests", f"requests/{name}",
                 f"requests/{name}/response", f"responses/{name}"):  # fmt: skip
        assert (await ask(archive, f"/v1/{path}")).status_code == 404, path
    assert (await ask(archive, f"/v1/sessions/{name}", "DELETE")).status_code == 404
    for kind in ("sessions", "requests", "responses"):
        for field in ("model", "account", "session"):
            assert (await get(archive, f"/v1/{kind}?{field}={name}"))["total"] == 0
        for field in ("outcome", "since", "until", "order", "limit", "offset", "cursor", name):
            assert (await ask(archive, f"/v1/{kind}?{field}={name}")).status_code == 400
    assert (await get(archive, f"/v1/responses/stats?session={name}"))["statistics"]["total_responses"] == 0

    assert [await count(archive, table) for table in METADATA.sorted_tables] == before


async def test_a_deleted_session_takes_what_belongs_to_it(archive):
    answer = await ask(archive, "/v1/sessions/ses_a", "DELETE")

    assert json.loads(answer.content) == {"deleted": True, "session_id": "ses_a"}
    assert [await count(archive, table) for table in (SESSIONS, REQUESTS, RESPONSES, ATTEMPTS)] == [2, 1, 0, 1]
    assert (await ask(archive, "/v1/sessions/ses_a")).status_code == 404
    assert (await ask(archive, "/v1/sessions/ses_a", "DELETE")).status_code == 404


async def test_nothing_new_is_not_sent_again(archive):
    first = await ask(archive, "/v1/requests/req_0003")
    same = await ask(archive, "/v1/requests/req_0003", if_none_match=f'W/"x", {first.headers["etag"]}')
    other = await ask(archive, "/v1/requests/req_0004", if_none_match=first.headers["etag"])

    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200


async def test_it_can_be_closed(archive):
    archive.testing.configure(archive, qwen_records_api=False)

    answer = await ask(archive, "/v1/sessions")

    assert answer.status_code == 404
    assert "qwen_records_api" in answer.content.decode()


async def test_a_database_that_is_not_there_is_told():
    archive = Archive(Ledger())
    with taddons.context(Declared(), archive):
        answer = await ask(archive, "/v1/sessions")

    assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (503, "ledger_unavailable")
