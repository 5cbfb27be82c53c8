"""`/metrics` of a real mitmdump: sums that agree with what clients saw, and who may read them."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from qwen_gateway.simulator import Key, Simulator
from tests.e2e.asking import HI, ask, error, http, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, wait_until

ADMIN = "canary-admin-metrics"


def scrape(gateway: Mitm, name: str, **labels: str) -> float:
    """The sum of the samples of that name with those labels."""
    wanted = labels.items()
    families = parse(httpx.get(gateway.url + "/metrics", timeout=10).raise_for_status().text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if wanted <= sample.labels.items())


async def test_sums_are_those_that_clients_saw(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    sim.keys["sk-metrics-dead"] = Key(fault="invalid-api-key")
    sim.keys["sk-metrics"] = Key()
    gateway = starter("metrics", options={"qwen_strategy": "fill-first"})
    gateway.add_account("dead", "sk-metrics-dead", upstream.url())
    gateway.add_account("work", "sk-metrics", upstream.url())
    gateway.start()

    async with openai(gateway) as client:

        async def call(number: int) -> Any:
            messages: Any = [*HI, {"role": "user", "content": "word " * number}]
            model = ("qwen3.7-plus", "qwen3-coder-plus")[number % 2]
            if number % 3:
                answer = await client.chat.completions.create(model=model, messages=messages)
                return answer.usage
            options: Any = {"include_usage": True}
            stream = await client.chat.completions.create(
                model=model, messages=messages, stream=True, stream_options=options
            )
            usages = [chunk.usage async for chunk in stream if chunk.usage]
            assert len(usages) == 1
            return usages[0]

        usages = await asyncio.gather(*(call(number) for number in range(60)))

    wait_until(lambda: scrape(gateway, "qwen_calls_total") >= 60, 10, "not every call was counted")
    assert scrape(gateway, "qwen_calls_total", outcome="finished", account="work") == 60
    assert scrape(gateway, "qwen_input_tokens_total") == sum(usage.prompt_tokens for usage in usages)
    assert scrape(gateway, "qwen_output_tokens_total") == sum(usage.completion_tokens for usage in usages)
    assert scrape(gateway, "qwen_call_duration_seconds_count", model="qwen3-coder-plus") == 30
    assert scrape(gateway, "qwen_time_to_first_token_seconds_count") == 20
    assert scrape(gateway, "qwen_api_calls_total", verdict="ok", account="work") == 60
    assert scrape(gateway, "qwen_api_calls_total") == len(sim.log)
    assert scrape(gateway, "http_requests_total", route="chat", status_code="200") == 60
    assert scrape(gateway, "qwen_account_state", account="dead", state="needs-login") == 1
    assert scrape(gateway, "qwen_ledger_records_total", result="dropped") == 0
    wait_until(lambda: scrape(gateway, "qwen_ledger_queue_depth") == 0, 15, "the ledger's queue does not empty")
    assert scrape(gateway, "qwen_ledger_records_total", result="saved") >= 60
    assert scrape(gateway, "active_sessions") == 1  # all of them begin alike
    assert scrape(gateway, "process_resident_memory_bytes") > 10_000_000


def test_whatever_is_asked_is_counted(gateway: Mitm, sim: Simulator) -> None:
    def counted(status: str, route: str = "chat") -> float:
        return scrape(gateway, "http_requests_total", route=route, status_code=status)

    before = counted("400"), counted("404", "unknown"), counted("200", "health")
    with http(gateway) as client:
        assert client.post("/v1/chat/completions", json={}).status_code == 400
        assert client.get("/v1/threads").status_code == 404
    gateway.health()
    assert (counted("400"), counted("404", "unknown"), counted("200", "health")) == tuple(n + 1 for n in before)


def test_a_client_that_leaves_is_counted(gateway: Mitm, sim: Simulator) -> None:
    before = scrape(gateway, "qwen_calls_total", outcome="cancelled")
    sim.state.pace = 0.1
    with (
        httpx.Client(base_url=gateway.url) as client,
        client.stream(
            "POST", "/v1/chat/completions", json={"model": "qwen3.7-plus", "messages": HI, "stream": True}
        ) as answer,
    ):
        next(answer.iter_raw())
    wait_until(lambda: scrape(gateway, "qwen_calls_total", outcome="cancelled") == before + 1, 10, "it was not counted")
    assert scrape(gateway, "http_requests_total", status_code="499") >= 1


def test_metrics_are_told_as_they_are_asked_for(gateway: Mitm) -> None:
    ask(gateway)
    plain = httpx.get(gateway.url + "/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    openmetrics = httpx.get(gateway.url + "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert list(parse_openmetrics(openmetrics.text))
    assert httpx.head(gateway.url + "/metrics").status_code == 200
    assert httpx.post(gateway.url + "/metrics").status_code == 405


@pytest.mark.parametrize(
    "headers", [{"origin": "http://localhost:3000"}, {"origin": "https://evil.example"}, {"host": "evil.example"}]
)
def test_no_web_page_reads_them(gateway: Mitm, headers: dict[str, str]) -> None:
    answer = httpx.get(gateway.url + "/metrics", headers=headers)
    assert answer.status_code == 403
    assert "http_requests_total" not in answer.text
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_where_there_are_admin_keys_one_is_needed(starter: Starter, upstream: Simulator) -> None:
    gateway = starter("metrics-admin", environ={"QWEN_GATEWAY_ADMIN_KEYS": ADMIN, "QWEN_GATEWAY_KEYS": "gk-caller"})
    gateway.add_account("work", "sk-sim", upstream.url())
    gateway.start()
    for headers in ({}, {"authorization": "Bearer gk-caller"}):
        answer = httpx.get(gateway.url + "/metrics", headers=headers)
        assert (answer.status_code, error(answer)["type"]) == (401, "invalid_request_error")
    answer = httpx.get(gateway.url + "/metrics", headers={"authorization": f"Bearer {ADMIN}"})
    assert answer.status_code == 200
    assert ADMIN not in answer.text


def test_health_has_the_shape_of_the_seed(gateway: Mitm) -> None:
    ask(gateway)
    told = gateway.health().json()
    assert told["status"] == "ok"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", told["timestamp"])
    assert told["uptime"] > 0
    assert told["checks"]["authentication"] == "ok"
    assert told["checks"]["sessions"] == "ok"
    assert told["metrics"]["activeSessions"] >= 1
    assert told["metrics"]["memoryUsage"]["rss"] > 10_000_000
