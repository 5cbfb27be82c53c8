"""The portal and the web-search plugin (upstream.md 2.8 to 2.13)."""

from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Portal, Simulator
from tests.simulator.asking import error, events, text

SYSTEM = {"role": "system", "content": [{"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}]}
USER = {"role": "user", "content": "Say hi"}
HEADERS = {
    "x-dashscope-authtype": "qwen-oauth",
    "x-dashscope-useragent": "QwenCode/0.14.3 (linux; x64)",
}


async def chat(
    sim: Simulator,
    client: httpx.AsyncClient,
    token: str | None = None,
    headers: dict[str, str] = HEADERS,
    fault: str = "",
    **fields: Any,
) -> httpx.Response:
    token = token if token is not None else str(sim.oauth.login()["access_token"])
    body = {"model": "coder-model", "messages": [SYSTEM, USER], **fields}
    sent = {"authorization": f"Bearer {token}", **headers, **({"x-sim-fault": fault} if fault else {})}
    return await client.post(sim.url("portal") + "/chat/completions", json=body, headers=sent)


async def test_a_good_call_is_answered_by_the_model_behind_the_alias(sim: Simulator, client: httpx.AsyncClient) -> None:
    body = (await chat(sim, client)).json()
    stream = await chat(sim, client, stream=True, stream_options={"include_usage": True})

    assert body["model"] == "qwen3.6-plus"
    assert body["choices"][0]["message"]["reasoning_content"]
    assert text(stream) == body["choices"][0]["message"]["content"]
    assert events(stream)[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


@pytest.mark.parametrize("system", ["x", [{"type": "text", "text": "x"}]])
async def test_any_form_of_system_message_will_do(sim: Simulator, client: httpx.AsyncClient, system: Any) -> None:
    messages = [{"role": "system", "content": system}, USER]

    assert (await chat(sim, client, messages=messages)).status_code == 200


@pytest.mark.parametrize("messages", [[USER], [USER, SYSTEM], []])
async def test_the_first_message_must_be_the_systems(
    sim: Simulator, client: httpx.AsyncClient, messages: list[Any]
) -> None:
    answer = await chat(sim, client, messages=messages)

    assert answer.status_code == 400
    assert error(answer)["message"] == "bad request"
    assert error(answer)["code"] == "invalid_parameter_error"


@pytest.mark.parametrize("missing", list(HEADERS))
async def test_both_headers_are_needed(sim: Simulator, client: httpx.AsyncClient, missing: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing}

    assert error(await chat(sim, client, headers=headers))["message"] == "bad request"


@pytest.mark.parametrize("model", ["qwen3.5-plus", "qwen3.7-plus", "gpt-4o"])
async def test_other_models_are_not_supported(sim: Simulator, client: httpx.AsyncClient, model: str) -> None:
    answer = await chat(sim, client, model=model)

    assert answer.status_code == 400
    assert error(answer)["message"] == f"model '{model}' is not supported"


async def test_the_vision_model_has_a_lower_ceiling(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await chat(sim, client, model="vision-model", max_tokens=32_769)

    assert "Range of max_tokens should be [1, 32768]" in error(answer)["message"]


async def test_tokens_expire_and_can_be_ended(sim: Simulator, client: httpx.AsyncClient) -> None:
    now = 1_790_000_000.0
    sim.clock = lambda: now
    short, long = sim.oauth.login("a", life=60), sim.oauth.login("b")
    sim.clock = lambda: now + 60
    expired = await chat(sim, client, short["access_token"])
    good = await chat(sim, client, long["access_token"])
    sim.oauth.expire("b")
    ended = await chat(sim, client, long["access_token"])
    unknown = await chat(sim, client, "none")

    assert [answer.status_code for answer in (expired, good, ended, unknown)] == [401, 200, 401, 401]
    assert error(expired)["message"] == "invalid access token or token expired"
    assert error(expired)["code"] == "invalid_api_key"
    assert sim.oauth.refresh(long["refresh_token"]) is not None


async def test_the_closed_portal_refuses_good_tokens(client: httpx.AsyncClient) -> None:
    async with Simulator(portal=Portal(closed=True)) as sim:
        assert (await chat(sim, client)).status_code == 401
        sim.portal.closed = False
        assert (await chat(sim, client)).status_code == 200


async def test_the_day_has_a_quota_for_each_account(sim: Simulator, client: httpx.AsyncClient) -> None:
    now = 1_790_035_199.0  # a second before midnight UTC
    sim.clock = lambda: now
    sim.portal.per_day = 2
    alice, bob = sim.oauth.login("alice")["access_token"], sim.oauth.login("bob")["access_token"]
    answers = [await chat(sim, client, alice) for _ in range(3)]
    other = await chat(sim, client, bob)
    sim.clock = lambda: now + 1

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert error(answers[2])["message"] == "Free allocated quota exceeded."
    assert error(answers[2])["code"] == "insufficient_quota"
    assert other.status_code == 200
    assert (await chat(sim, client, alice)).status_code == 200


async def test_the_minute_has_a_limit(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.portal.rpm = 1
    token = sim.oauth.login()["access_token"]
    answers = [await chat(sim, client, token) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert error(answers[1])["code"] == "limit_requests"
    assert not any(name.startswith("x-ratelimit") for name in answers[1].headers)


async def test_a_huge_prompt_times_out(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.portal.ceiling = 100
    answer = await chat(sim, client, messages=[SYSTEM, {"role": "user", "content": "word " * 100}])

    assert answer.status_code == 504
    assert error(answer)["message"] == "stream timeout"
    assert (await chat(sim, client)).status_code == 200


async def test_a_slow_portal(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.portal.delay = 0.05
    await chat(sim, client)

    received = sim.log[-1]
    assert received.answered_at is not None
    assert received.complete_at is not None
    assert received.answered_at - received.complete_at >= 0.05


async def test_an_error_in_every_stream(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.portal.fault = "error-event-late"
    answer = await chat(sim, client, stream=True)

    assert events(answer)[-1]["error"]["code"] == "internal_error"
    assert (await chat(sim, client, stream=True, fault="ok")).text.endswith("[DONE]\n\n")


async def test_a_login_can_have_a_fault_of_its_own(sim: Simulator, client: httpx.AsyncClient) -> None:
    bad = sim.oauth.login("bad", fault="throttling")["access_token"]

    assert (await chat(sim, client, bad)).status_code == 429
    assert (await chat(sim, client)).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/models"), ("POST", "/embeddings"), ("POST", "/responses")])
async def test_the_portal_has_nothing_but_chat(
    sim: Simulator, client: httpx.AsyncClient, method: str, path: str
) -> None:
    headers = {"authorization": f"Bearer {sim.oauth.login()['access_token']}"}
    answer = await client.request(method, sim.url("portal") + path, headers=headers)

    assert answer.status_code == 404
    assert answer.content == b""


async def search(sim: Simulator, client: httpx.AsyncClient, token: str, **fields: Any) -> httpx.Response:
    url = sim.base_url + "/api/v1/indices/plugin/web_search"
    body = {"uq": "qwen", "page": 1, "rows": 10, **fields}
    return await client.post(url, json=body, headers={"authorization": f"Bearer {token}"})


async def test_web_search_finds_in_pages(sim: Simulator, client: httpx.AsyncClient) -> None:
    token = sim.oauth.login()["access_token"]
    first = (await search(sim, client, token)).json()
    last = (await search(sim, client, token, page=3)).json()

    assert first["status"] == 0
    assert first["success"] is True
    assert first["data"]["total"] == 25
    assert len(first["data"]["docs"]) == 10
    assert len(last["data"]["docs"]) == 5
    assert first["data"]["docs"][0].keys() >= {"_id", "_score", "title", "url", "snippet", "hostname", "timestamp"}
    assert first["data"]["qpInfos"][0]["query"] == "qwen"


async def test_web_search_has_a_quota_of_its_own(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.portal.searches_per_day, sim.portal.per_day = 1, 1
    token = sim.oauth.login()["access_token"]

    assert [(await search(sim, client, token)).status_code for _ in range(2)] == [200, 429]
    assert (await chat(sim, client, token)).status_code == 200


async def test_web_search_wants_a_token_and_a_query(sim: Simulator, client: httpx.AsyncClient) -> None:
    token = sim.oauth.login()["access_token"]

    assert (await search(sim, client, "none")).status_code == 401
    assert (await search(sim, client, token, uq="")).status_code == 400
