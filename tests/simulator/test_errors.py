"""Each row of upstream.md 4.6 and 4.7, in each shape of 4.5."""

import json

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from qwen_gateway.simulator.errors import ROWS
from tests.simulator.asking import ask, error, events, text

# Name, status, code, and the start of the text, as the contract has them.
CONTRACT = [
    ("invalid-parameter", 400, "invalid_parameter_error", "Required parameter(s) missing or invalid"),
    ("input-too-long", 400, "invalid_parameter_error", "<400> InternalError.Algo.InvalidParameter: Range of input"),
    ("bad-request", 400, "invalid_parameter_error", "bad request"),
    ("stream-timeout", 504, "stream_timeout", "stream timeout"),
    ("arrearage", 400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    ("data-inspection", 400, "data_inspection_failed", "Input data may contain inappropriate content."),
    ("data-inspection-output", 400, "data_inspection_failed", "Output data may contain inappropriate content."),
    ("invalid-api-key", 401, "invalid_api_key", "Incorrect API key provided."),
    ("invalid-api-key-provided", 401, "invalid_api_key", "Invalid API-key provided."),
    ("no-api-key", 401, "invalid_api_key", "No API-key provided."),
    ("missing-authorization", 401, None, "You didn't provide an API key. "),
    ("invalid-access-token", 401, "invalid_api_key", "invalid access token or token expired"),
    ("not-authorized", 401, "NOT AUTHORIZED", ""),
    ("access-denied", 403, "access_denied", ""),
    ("model-access-denied", 403, "Model.AccessDenied", ""),
    ("workspace-access-denied", 403, "Workspace.AccessDenied", ""),
    ("app-access-denied", 403, "App.AccessDenied", ""),
    ("access-denied-unpurchased", 403, "AccessDenied.Unpurchased", ""),
    ("free-tier-only", 403, "AllocationQuota.FreeTierOnly", ""),
    ("free-tier-quota", 403, "insufficient_quota", ""),
    ("plan-key", 403, "invalid_api_key", "invalid api-key"),
    ("model-not-found", 404, "model_not_found", ""),
    ("model-not-supported", 404, "model_not_supported", ""),
    ("not-found", 404, "NotFound", ""),
    ("plan-model", 400, "invalid_parameter_error", "model 'qwen3.7-plus' is not supported"),
    ("throttling", 429, "Throttling", "Requests throttling triggered."),
    ("throttling-route", 429, "Throttling", "Too many requests in route. Try again later."),
    ("rate-quota", 429, "limit_requests", "You exceeded your current requests list."),
    ("limit-requests", 429, "limit_requests", "Requests rate limit exceeded, try again later."),
    ("burst-rate", 429, "limit_burst_rate", "Request rate increased too quickly. "),
    ("insufficient-quota", 429, "insufficient_quota", "You exceeded your current quota, "),
    ("allocation-quota", 429, "insufficient_quota", "Allocated quota exceeded, please increase your quota limit."),
    ("free-quota", 429, "insufficient_quota", "Free allocated quota exceeded."),
    ("commodity-not-purchased", 429, "CommodityNotPurchased", ""),
    ("prepaid-bill-overdue", 429, "PrepaidBillOverdue", ""),
    ("postpaid-bill-overdue", 429, "PostpaidBillOverdue", ""),
    ("hour-quota", 429, "insufficient_quota", "hour allocated quota exceeded"),
    ("week-quota", 429, "insufficient_quota", "week allocated quota exceeded"),
    ("month-quota", 429, "insufficient_quota", "month allocated quota exceeded"),
    ("concurrency-quota", 429, "insufficient_quota", "concurrency allocated quota exceeded"),
    ("hour-quota-exhausted", 429, "insufficient_quota", "Quota exhausted: hour allocated quota exceeded. "),
    ("token-plan-rate", 429, "limit_requests", "Requests rate limit exceeded"),
    ("token-plan-quota", 429, "insufficient_quota", "Allocated quota exceeded"),
    ("internal-error", 500, "internal_error", ""),
    ("internal-algo", 500, "InternalError.Algo", ""),
    ("system-error", 500, "SystemError", ""),
    ("model-service-failed", 500, "ModelServiceFailed", ""),
    ("request-timeout", 500, "RequestTimeOut", ""),
    ("model-serving-error", 500, "ModelServingError", "Too many requests. Your requests are being throttled due to"),
    ("model-serving-error-503", 503, "ModelServingError", "Too many requests. "),
    ("model-unavailable", 503, "ModelUnavailable", ""),
    ("method-not-allowed", 405, "Method Not Allowed", ""),
]


def test_the_contract_names_every_row() -> None:
    assert {name for name, *_ in CONTRACT} == set(ROWS)


@pytest.mark.parametrize(("name", "status", "code", "start"), CONTRACT)
async def test_a_key_named_for_an_error_always_gets_it(
    sim: Simulator, client: httpx.AsyncClient, name: str, status: int, code: str | None, start: str
) -> None:
    answer = await ask(sim, client, key=f"sk-sim-{name}")

    assert answer.status_code == status
    assert error(answer)["code"] == code
    assert error(answer)["message"].startswith(start)
    assert error(answer)["param"] is None
    assert error(answer)["type"] == ROWS[name].type
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_e2_is_flat(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="flat-error;row=throttling")

    assert answer.status_code == 429
    assert answer.json().keys() == {"code", "message", "request_id"}
    assert answer.json()["code"] == "Throttling"


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("error-in-200", 200, "text/event-stream;charset=UTF-8"),
        ("error-in-200-json", 200, "application/json"),
        ("error-lines", 429, "application/json"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_e3_is_lines_with_the_status_in_a_comment(
    sim: Simulator, client: httpx.AsyncClient, fault: str, status: int, kind: str, stream: bool
) -> None:
    answer = await ask(sim, client, fault=fault, stream=stream)

    assert answer.status_code == status
    assert answer.headers["content-type"] == kind
    first, second, third, fourth = answer.text.rstrip("\n").split("\n")
    assert [first, second, third] == ["id:1", "event:error", ":HTTP_STATUS/429"]
    assert json.loads(fourth.removeprefix("data:"))["code"] == "Throttling.AllocationQuota"


async def test_e4_comes_in_place_of_the_first_chunk(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="error-event", stream=True)

    assert answer.status_code == 200
    assert [event["error"]["code"] for event in events(answer)] == ["internal_error"]
    assert "[DONE]" not in answer.text


async def test_e4_comes_after_some_content(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, fault="error-event-late;after=2;row=data-inspection-output", stream=True)

    *chunks, last = events(answer)
    assert last["error"]["message"] == "Output data may contain inappropriate content."
    assert len([chunk for chunk in chunks if chunk["choices"][0]["delta"].get("reasoning_content")]) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("content-filter-in-stream", "Output data may contain inappropriate content."),
        ("buffer-overflow", "Backend buffer overflow"),
        ("too-many-in-stream", "<429> InternalError.Algo: "),
    ],
)
async def test_errors_over_200(sim: Simulator, client: httpx.AsyncClient, fault: str, message: str) -> None:
    answer = await ask(sim, client, fault=fault, stream=True)

    assert answer.status_code == 200
    assert events(answer)[-1]["error"]["message"].startswith(message)


async def test_a_row_can_travel_in_any_shape_with_any_text(sim: Simulator, client: httpx.AsyncClient) -> None:
    fault = "throttling;shape=E3;message=slow down;retry_after=9"
    answer = await ask(sim, client, fault=fault, stream=True)

    assert answer.headers["retry-after"] == "9"
    assert '"message":"slow down"' in answer.text


async def test_e4_in_a_call_without_a_stream_is_an_ordinary_error(sim: Simulator, client: httpx.AsyncClient) -> None:
    assert (await ask(sim, client, fault="error-event")).status_code == 500


async def test_each_variant_words_errors_its_own_way(sim: Simulator, client: httpx.AsyncClient) -> None:
    refused = await ask(sim, client, "vllm", fault="invalid-api-key")
    old = await ask(sim, client, "vllm", fault="internal-error, old-errors")
    new = await ask(sim, client, "vllm", fault="internal-error")
    routed = await ask(sim, client, "openrouter", fault="throttling")

    assert refused.json() == {"error": "Unauthorized"}
    assert old.json()["object"] == "error"
    assert old.json()["code"] == new.json()["error"]["code"] == 500
    assert routed.json()["error"]["code"] == 429
    assert routed.json()["error"]["metadata"]["provider_name"]


async def test_openrouter_ends_a_choice_with_the_error(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await ask(sim, client, "openrouter", key="sk-or-sim", fault="error-event-late", stream=True)

    last = events(answer)[-1]
    assert last["error"]["code"] == 500
    assert last["choices"][0]["finish_reason"] == "error"
    assert text(answer, "reasoning")
