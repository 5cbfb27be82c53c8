"""Error bodies of every shape (upstream.md 4.5, 4.13, 2.12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_gateway.upstreams.error_body import (
    MESSAGE_LIMIT,
    fault_of_payload,
    fault_of_response,
    parse_retry_after,
    plain_text,
)


def test_the_envelope() -> None:
    fault = fault_of_response(401, {}, b'{"error":{"message":"No.","code":"invalid_api_key"},"request_id":"r-1"}')

    assert (fault.status, fault.code, fault.message, fault.request_id) == (401, "invalid_api_key", "No.", "r-1")


def test_the_flat_form_in_any_order() -> None:
    fault = fault_of_response(400, {}, b'{"request_id":"r-1","message":"No.","code":"Method Not Allowed"}')

    assert (fault.code, fault.message, fault.request_id) == ("Method Not Allowed", "No.", "r-1")


def test_lines_of_a_stream_under_json() -> None:
    fault = fault_of_response(
        400, {}, b'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"code":"Throttling","message":"x"}\n\n'
    )

    assert (fault.status, fault.code) == (429, "Throttling")


def test_a_text_instead_of_an_object() -> None:
    assert fault_of_response(401, {}, b'{"error":"Unauthorized"}').message == "Unauthorized"


def test_a_type_stands_in_for_a_code() -> None:
    assert fault_of_response(400, {}, b'{"error":{"message":"No.","type":"BadRequestError","code":null}}').code == (
        "BadRequestError"
    )


def test_a_numeric_code_is_a_status_where_there_is_no_other() -> None:
    fault = fault_of_payload({"error": {"message": "No.", "code": 429}}, status=0, origin="stream")

    assert fault is not None
    assert fault.status == 429


def test_a_page_is_read_as_a_person_would() -> None:
    page = b"<html><style>p {}</style><script>x()</script><h1>502 Bad\n Gateway</h1><p>alibaba-ga</p></html>"

    assert fault_of_response(502, {}, page).message == "502 Bad Gateway alibaba-ga"


def test_nothing_said_is_told() -> None:
    assert fault_of_response(404, {}, b"").message == "HTTP 404 without a body"


def test_the_id_of_the_request_may_stand_in_a_header() -> None:
    assert fault_of_response(500, {"x-request-id": "r-2"}, b"").request_id == "r-2"


def test_long_messages_are_cut() -> None:
    assert len(fault_of_response(500, {}, b"x" * 100_000).message) == MESSAGE_LIMIT + 1


@pytest.mark.parametrize(
    "payload",
    [None, [], "text", {}, {"choices": []}, {"message": "Hi"}, {"code": "", "message": ""}, {"error": None},
     {"error": ""}, {"choices": [], "code": 1, "message": "x"}],
)  # fmt: skip
def test_what_is_no_error_is_none(payload: object) -> None:
    assert fault_of_payload(payload, status=0, origin="stream") is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 03:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_an_upstream_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers) == seconds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "type", "object", "request_id", "details", "choices"]), inner
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_no_value_makes_it_raise(payload: object) -> None:
    fault_of_payload(payload, status=0, origin="stream")


@given(st.integers(300, 599), st.binary())
def test_every_answer_of_an_error_is_a_fault(status: int, body: bytes) -> None:
    assert fault_of_response(status, {}, body).message


@given(st.binary())
def test_any_bytes_have_a_text(body: bytes) -> None:
    plain_text(body)
