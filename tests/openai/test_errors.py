"""Errors in OpenAI's one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.codec.json import loads
from qwen_gateway.openai import errors
from tests import referee

KINDS = [
    (errors.OpenAIError, 500, "server_error", None),
    (errors.BadRequest, 400, "invalid_request_error", "invalid_value"),
    (errors.Unsupported, 400, "invalid_request_error", "unsupported_parameter"),
    (errors.TooLarge, 413, "invalid_request_error", "request_too_large"),
    (errors.BadKey, 401, "invalid_request_error", "invalid_api_key"),
    (errors.Forbidden, 403, "invalid_request_error", "forbidden"),
    (errors.NotFound, 404, "invalid_request_error", "not_found"),
    (errors.UpstreamError, 502, "server_error", "upstream_error"),
]


@pytest.mark.parametrize(("kind", "status", "family", "code"), KINDS)
def test_each_kind_knows_its_status_and_code(
    kind: type[errors.OpenAIError], status: int, family: str, code: str | None
) -> None:
    error = kind("No.", param="messages[0]")

    assert error.status == status
    assert error.body() == {"error": {"message": "No.", "type": family, "param": "messages[0]", "code": code}}
    referee.assert_valid(loads(error.encode()), "error")


def test_a_single_error_may_differ_from_its_kind() -> None:
    error = errors.UpstreamError("No.", status=429, type="rate_limit_error", code="rate_limit_exceeded")

    assert (error.status, error.type, error.code) == (429, "rate_limit_error", "rate_limit_exceeded")


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.2, "1"), (1, "1"), (1.2, "2"), (59.01, "60"), (60, "60")])
def test_retry_after_is_whole_seconds_and_never_too_short(seconds: float, header: str) -> None:
    assert errors.UpstreamError("No.", retry_after=seconds).headers() == [("retry-after", header)]


@pytest.mark.parametrize(("given", "header"), [(True, "true"), (False, "false")])
def test_clients_are_told_whether_to_try_again(given: bool, header: str) -> None:
    assert errors.UpstreamError("No.", should_retry=given).headers() == [("x-should-retry", header)]


def test_what_is_not_known_is_not_told() -> None:
    assert errors.UpstreamError("No.").headers() == []


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_can_be_encoded(text: str) -> None:
    """A message may quote a header whose bytes were no UTF-8."""
    referee.assert_valid(loads(errors.BadRequest(text, param=text).encode()), "error")
