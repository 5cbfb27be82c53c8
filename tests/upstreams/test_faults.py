"""Faults into verdicts: every error that the services are known to send, in their own bytes (upstream.md section 6)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.simulator.faults import FAULTS
from qwen_gateway.simulator.faults import errors as error_faults
from qwen_gateway.upstreams.error_body import fault_of_response
from qwen_gateway.upstreams.faults import ROWS, Case, allowed_max_tokens, judge, lacks_tools
from tests.upstreams.services import answer, fault_of

CLASSES = {
    # upstream.md 4.6
    "invalid-parameter": "bad_request",
    "input-too-long": "context",
    "bad-request": "bad_request",
    "arrearage": "billing",
    "data-inspection": "content",
    "data-inspection-output": "content",
    "invalid-api-key": "auth_dead",
    "invalid-api-key-provided": "auth_dead",
    "no-api-key": "auth_dead",
    "missing-authorization": "auth_dead",
    "invalid-access-token": "wrong_plan",
    "not-authorized": "auth_dead",
    "access-denied": "not_entitled",
    "model-access-denied": "not_entitled",
    "workspace-access-denied": "not_entitled",
    "app-access-denied": "not_entitled",
    "access-denied-unpurchased": "not_entitled",
    "free-tier-only": "quota_free",
    "free-tier-quota": "quota_free",
    "model-not-found": "model",
    "model-not-supported": "model",
    "not-found": "model",
    "method-not-allowed": "path",
    "throttling": "throttle",
    "throttling-route": "throttle",
    "rate-quota": "throttle",
    "limit-requests": "throttle",
    "burst-rate": "throttle",
    "insufficient-quota": "throttle_tokens",
    "allocation-quota": "throttle_tokens",
    "free-quota": "quota_free",
    "commodity-not-purchased": "billing",
    "prepaid-bill-overdue": "billing",
    "postpaid-bill-overdue": "billing",
    "internal-error": "overload",
    "internal-algo": "overload",
    "system-error": "overload",
    "model-service-failed": "overload",
    "request-timeout": "timeout",
    "model-serving-error": "overload",
    "model-serving-error-503": "overload",
    "stream-timeout": "timeout",
    "model-unavailable": "overload",
    # upstream.md 4.7
    "plan-key": "wrong_plan",
    "plan-model": "model",
    "hour-quota": "quota_window",
    "week-quota": "quota_window",
    "month-quota": "quota_window",
    "hour-quota-exhausted": "quota_window",
    "concurrency-quota": "busy",
    "token-plan-rate": "throttle",
    "token-plan-quota": "throttle_tokens",
    # upstream.md 4.5: the shapes
    "flat-error": "bad_request",
    "error-in-200": "throttle_tokens",
    "error-in-200-json": "throttle_tokens",
    "error-lines": "throttle_tokens",
    "error-event": "overload",
    "error-event-late": "overload",
    "content-filter-in-stream": "content",
    "buffer-overflow": "overload",
    "too-many-in-stream": "throttle",
}

SECTION_6 = {
    "auth_dead": (503, "upstream_auth", "needs-login"),
    "wrong_plan": (503, "upstream_auth", "needs-login"),
    "quota_window": (429, "insufficient_quota", "exhaust"),
    "quota_free": (429, "insufficient_quota", "exhaust"),
    "throttle": (429, "rate_limit_exceeded", "rest"),
    "throttle_tokens": (429, "rate_limit_exceeded", "rest"),
    "billing": (402, "upstream_billing", "needs-login"),
    "not_entitled": (403, "model_not_allowed", "exclude-model"),
    "model": (404, "model_not_found", "none"),
    "context": (400, "context_length_exceeded", "none"),
    "content": (400, "content_policy_violation", "none"),
    "bad_request": (400, "invalid_value", "none"),
    "busy": (503, "upstream_busy", "rest"),
    "overload": (503, "upstream_overloaded", "rest"),
    "timeout": (504, "upstream_timeout", "none"),
    "path": (502, "upstream_path", "rest"),
}
"""What the client is told and what it does to the account. A call that finds its account busy is tried again inside,
which a rest of seconds brings about."""


def test_every_error_of_the_simulator_has_its_class() -> None:
    assert CLASSES.keys() == {fault.name for fault in error_faults.FAULTS}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("stream", [True, False])
def test_errors_are_judged_as_the_contract_says(name: str, stream: bool) -> None:
    verdict = judge(fault_of(*answer(name, stream=stream)))

    assert verdict.name == CLASSES[name]
    assert (verdict.status, verdict.code, verdict.effect) == SECTION_6[verdict.name]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("shape", ["E1", "E2", "E3", "E3-json", "E3-status"])
def test_the_class_does_not_depend_on_the_shape(name: str, shape: str) -> None:
    assert judge(fault_of(*answer(f"{name};shape={shape}"))).name == CLASSES[name]


OF_HTTP = {"missing-authorization", "method-not-allowed"}
"""Errors that only a status tells."""


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in OF_HTTP])
def test_nor_does_it_in_the_middle_of_a_stream(name: str) -> None:
    assert judge(fault_of(*answer(f"{name};shape=E4"))).name == CLASSES[name]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("text-500", "overload"),
        ("empty-404", "path"),
        ("empty-200", "torn"),
        ("bad-gateway", "overload"),
        ("service-unavailable", "overload"),
        ("gateway-timeout", "timeout"),
        ("only-done", "torn"),
        ("empty-stream", "torn"),
        ("invalid-json-chunk", "malformed"),
        ("drop-after", "torn"),
        ("drop-mid-json", "malformed"),
        ("drop-mid-utf8", "malformed"),
    ],
)
def test_broken_answers_have_a_class_too(name: str, verdict: str) -> None:
    assert name in FAULTS
    assert judge(fault_of(*answer(name))).name == verdict


@pytest.mark.parametrize(
    ("face", "status", "body", "verdict"),
    [
        # upstream.md 4.13
        ("vllm", 401, b'{"error":"Unauthorized"}', "auth_dead"),
        (
            "vllm",
            400,
            b'{"error":{"message":"This model\'s maximum context length is 32768 tokens. However, you requested 40000 '
            b'tokens","type":"BadRequestError","param":null,"code":400}}',
            "context",
        ),
        (
            "vllm, older",
            404,
            b'{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}',
            "model",
        ),
        (
            "vllm",
            400,
            b'{"object":"error","message":"Unexpected item type in content.","type":"BadRequestError","code":400}',
            "bad_request",
        ),
        ("vllm", 404, b'{"detail":"Not Found"}', "path"),
        (
            "ollama",
            404,
            b'{"error":{"message":"model \\"x\\" not found, try pulling it first","type":"api_error"}}',
            "model",
        ),
        ("openrouter", 402, b'{"error":{"code":402,"message":"Insufficient credits"}}', "billing"),
        ("openrouter", 403, b'{"error":{"code":403,"message":"Your input was flagged","metadata":{}}}', "content"),
        ("openrouter", 408, b'{"error":{"code":408,"message":"Your request timed out"}}', "timeout"),
        ("openrouter", 429, b'{"error":{"code":429,"message":"Provider returned error"}}', "throttle"),
        ("openrouter", 502, b'{"error":{"code":502,"message":"Provider returned error"}}', "overload"),
        ("openrouter", 503, b'{"error":{"code":503,"message":"No provider available"}}', "overload"),
        ("openrouter", 400, b'{"error":{"code":400,"message":"x is not a valid model ID"}}', "model"),
        ("openai", 400, b'{"error":{"code":"context_length_exceeded","message":"Too long"}}', "context"),
        # what is left is told by the status
        ("any", 401, b"", "auth_dead"),
        ("any", 403, b"", "not_entitled"),
        ("any", 404, b"", "path"),
        ("any", 405, b"", "path"),
        ("any", 302, b"", "path"),
        ("any", 408, b"", "timeout"),
        ("any", 422, b'{"detail":[{"loc":["body"],"msg":"extra fields not permitted"}]}', "bad_request"),
        ("any", 429, b"", "throttle"),
        ("any", 500, b"Internal Server Error", "overload"),
        ("any", 504, b"<html>alibaba-ga</html>", "timeout"),
        ("any", 407, b"<html>Proxy Authentication Required</html>", "unreachable"),
        ("any", 524, b"", "overload"),
        ("any", 599, b"", "overload"),
    ],
)
def test_other_hosts_are_understood(face: str, status: int, body: bytes, verdict: str) -> None:
    assert judge(fault_of_response(status, {}, body)).name == verdict


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("<429> InternalError.Algo: … [Too many requests.]", "throttle"),
        ("<400> InternalError.Algo.InvalidParameter: messages is wrong", "bad_request"),
        ("Backend buffer overflow", "overload"),
        ("Output data may contain inappropriate content.", "content"),
        ("Rate limit reached", "throttle"),
        ("something that nobody has seen before", "overload"),
    ],
)
def test_a_fault_in_a_stream_is_told_by_its_words(message: str, verdict: str) -> None:
    assert judge(Fault(0, "", message, origin="stream")).name == verdict


@pytest.mark.parametrize(
    ("origin", "verdict"),
    [
        ("connect", "unreachable"),
        ("timeout", "silence"),
        ("cut", "torn"),
        ("empty", "torn"),
        ("body", "malformed"),
        ("stream", "overload"),
    ],
)
def test_what_the_engine_saw_has_a_class(origin: str, verdict: str) -> None:
    assert judge(Fault(0, "", "no word", origin=origin)).name == verdict


def test_an_error_of_the_client_never_touches_an_account() -> None:
    """upstream.md section 6: these are never rotated."""
    for name in ("context", "content", "bad_request"):
        verdict = next(judge(fault_of(*answer(fault))) for fault, found in CLASSES.items() if found == name)
        assert (verdict.retry, verdict.effect) == ("no", "none")


@pytest.mark.parametrize(
    ("message", "ceiling"),
    [
        ("Range of max_tokens should be [1, 8192]", 8192),
        ("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1,  32768 ]", 32768),
        ("range of MAX_TOKENS should be [0,5]", 5),
        ("Range of input length should be [1, 30720]", None),
        ("", None),
    ],
)
def test_the_ceiling_of_an_answer_is_read_from_the_refusal(message: str, ceiling: int | None) -> None:
    assert allowed_max_tokens(Fault(400, "invalid_parameter_error", message)) == ceiling


FAULTS_OF_ANY_KIND = st.builds(
    Fault, st.integers(0, 999), st.text(), st.text(), origin=st.sampled_from(["status", "stream", "cut", "body", "?"])
)


@given(FAULTS_OF_ANY_KIND)
def test_every_fault_has_a_class(fault: Fault) -> None:
    assert judge(fault).name


def test_every_row_has_a_source_and_looks_for_something() -> None:
    for row in ROWS:
        assert row.source
        assert row.codes or row.text or row.statuses or row.origins


PLAIN = [row for row in ROWS if not any(getattr(row, name, None) for name in ("flavours", "renewed", "repeats"))]
"""Rows that look at nothing but the fault."""


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: f"{row.verdict}: {row.source}")
def test_no_row_is_shadowed_by_those_above_it(row: object) -> None:
    assert judge(example(row), case(row)).name == row.verdict  # type: ignore[attr-defined]


WORDS = {
    r"maximum context length": "This model's maximum context length is 5 tokens",
    r"free (alloc": "The free quota of the model has been exhausted.",
    r"invalid access": "invalid access token or token expired",
    r"^invalid": "invalid api-key",
    r"<400>": "<400> InternalError.Algo.InvalidParameter: x",
    r"(hour|week|month)": "hour allocated quota exceeded",
    r"model [`": "model 'x' is not supported",
    r"the model .": "The model x y does not exist",
    r"too many requests.": "Too many requests. Your requests are throttled due to system capacity limits.",
    r"^not auth": "not authorized",
}


def example(row: object) -> Fault:
    """A fault with just what the row looks for."""
    pattern = row.text.pattern if row.text else ""  # type: ignore[attr-defined]
    plain = re.split(r"(?<!\\)\|", pattern)[0].replace("\\", "")
    message = next((text for start, text in WORDS.items() if pattern.startswith(start)), plain.strip("^$"))
    code = min(row.codes, default="")  # type: ignore[attr-defined]
    status = min(row.statuses, default=0)  # type: ignore[attr-defined]
    return Fault(status, code, message, origin=min(row.origins, default="status"))  # type: ignore[attr-defined]


def case(row: object) -> Case:
    """What must be known beside it."""
    prompt = b"word " * row.tokens  # type: ignore[attr-defined]
    flavour = min(row.flavours, default="")  # type: ignore[attr-defined]
    return Case(flavour, prompt, row.renewed, row.repeats, row.lasting)  # type: ignore[attr-defined]


EXPIRED = Fault(401, "invalid_api_key", "invalid access token or token expired")
USED_UP = Fault(429, "insufficient_quota", "Free allocated quota exceeded.")
AMBIGUOUS = Fault(429, "insufficient_quota", "You exceeded your current quota, please check your plan.")
GAVE_UP = Fault(504, "", "stream timeout")
PORTAL = Case("portal")
HUGE = b"word " * 120_000


@pytest.mark.parametrize(
    ("fault", "known", "verdict"),
    [
        # upstream.md 2.12: refresh once, repeat once; then it is the closed tier
        (EXPIRED, PORTAL, "auth_expired"),
        (EXPIRED, Case("portal", renewed=True), "discontinued"),
        (EXPIRED, Case("coding-plan"), "wrong_plan"),
        (EXPIRED, Case("coding-plan", renewed=True), "wrong_plan"),
        (Fault(401, "", "Unauthorized"), PORTAL, "auth_expired"),
        (Fault(0, "invalid_api_key", EXPIRED.message), PORTAL, "auth_expired"),
        (Fault(401, "invalid_api_key", "Incorrect API key provided."), PORTAL, "auth_dead"),
        # the day is over for this account; the same words mean one model's free quota elsewhere
        (USED_UP, PORTAL, "quota_day"),
        (Fault(403, "insufficient_quota", USED_UP.message), PORTAL, "quota_day"),
        (USED_UP, Case("dashscope"), "quota_free"),
        # upstream.md 9.6: at first a throttle, after minutes a quota
        (AMBIGUOUS, PORTAL, "throttle_tokens"),
        (AMBIGUOUS, Case("portal", repeats=2, lasting=900), "throttle_tokens"),
        (AMBIGUOUS, Case("portal", repeats=9, lasting=299), "throttle_tokens"),
        (AMBIGUOUS, Case("portal", repeats=3, lasting=300), "quota_repeated"),
        (AMBIGUOUS, Case("dashscope", repeats=3, lasting=300), "quota_repeated"),
        (Fault(429, "Throttling", "slow down"), Case("portal", repeats=9, lasting=900), "throttle"),
        # upstream.md 2.10: more than 130,000 tokens hang
        (GAVE_UP, Case("portal", HUGE), "context_hang"),
        (GAVE_UP, Case("portal", b"word " * 1_000), "timeout"),
        (GAVE_UP, Case("dashscope", HUGE), "timeout"),
        (GAVE_UP, Case("portal", b'"data:image/png;base64,' + b"A" * 900_000 + b'"'), "timeout"),
        (Fault(400, "invalid_parameter_error", "bad request"), PORTAL, "bad_request"),
        (Fault(504, "", "504 Gateway Time-out alibaba-ga"), PORTAL, "timeout"),
    ],
)
def test_what_is_known_beside_the_fault_decides_too(fault: Fault, known: Case, verdict: str) -> None:
    assert judge(fault, known).name == verdict


@pytest.mark.parametrize(
    ("status", "message", "lacking"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', True),
        (400, "registry.ollama.ai/library/gemma:2b does not support tools", True),
        (500, "tools param requires --jinja flag", True),
        (404, "No endpoints found that support tool use. To learn more, visit the documentation.", True),
        (400, "This model does not support function calling", True),
        (429, "does not support tools", False),
        (400, "'tools[0].function.name' is too long", False),
        (400, "bad request", False),
    ],
)
def test_a_host_without_tools_is_known_by_its_words(status: int, message: str, lacking: bool) -> None:
    assert lacks_tools(Fault(status, "", message)) is lacking
