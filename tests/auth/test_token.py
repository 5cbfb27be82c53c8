import json

import httpx
import pytest

from qwen_auth.errors import UnreachableError
from qwen_auth.token import Token, answer_object, life_of, parse_granted, parse_stored, resolve_endpoint

STORED = {
    "access_token": "canary-a",
    "refresh_token": "canary-r",
    "token_type": "Bearer",
    "resource_url": "portal.qwen.ai",
    "expiry_date": 1790000000000,
}
NOW = 1_780_000_000.0


def test_a_stored_login_is_read():
    token = parse_stored(STORED)

    assert token == Token("canary-a", "canary-r", 1790000000000, "Bearer", "portal.qwen.ai")
    assert token.expires_at == 1790000000.0


def test_a_login_is_written_as_qwen_code_writes_it():
    assert parse_stored(STORED).to_json().decode() == json.dumps(STORED, indent=2)


def test_fields_that_we_do_not_know_survive():
    document = STORED | {"id_token": "canary-i", "email": "me@example.org"}

    assert json.loads(parse_stored(document).to_json()) == document


def test_a_fraction_of_a_millisecond_is_written_as_an_integer():
    assert json.loads(parse_stored(STORED | {"expiry_date": 1790000000000.7}).to_json())["expiry_date"] == 1790000000000


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"access_token": None}, "has no access_token"),
        ({"access_token": ""}, "has no access_token"),
        ({"refresh_token": 7}, "has no refresh_token"),
        ({"token_type": ""}, "has no token_type"),
        ({"access_token": "canary\nX-Evil: 1"}, "no header can carry"),
        ({"expiry_date": None}, "no number expiry_date"),
        ({"expiry_date": "1790000000000"}, "no number expiry_date"),
        ({"expiry_date": True}, "no number expiry_date"),
        ({"expiry_date": 0}, "no number expiry_date"),
        ({"expiry_date": float("nan")}, "no number expiry_date"),
    ],
)
def test_what_qwen_code_does_not_accept_is_no_login(change, problem):
    with pytest.raises(ValueError, match=problem) as fault:
        parse_stored(STORED | change)

    assert "canary" not in str(fault.value)


def test_a_grant_becomes_a_token_that_expires_from_now():
    granted = {"access_token": "a", "refresh_token": "r", "expires_in": 21600, "resource_url": "portal.qwen.ai"}

    assert parse_granted(granted, NOW) == Token("a", "r", (NOW + 21600) * 1000, "Bearer", "portal.qwen.ai")


def test_a_refresh_keeps_what_the_answer_leaves_out():
    previous = parse_stored(STORED | {"id_token": "i", "email": "me"})

    token = parse_granted({"access_token": "new", "expires_in": 60}, NOW, previous)

    assert token == Token(
        "new", "canary-r", (NOW + 60) * 1000, "Bearer", "portal.qwen.ai", {"id_token": "i", "email": "me"}
    )


def test_a_refresh_takes_what_the_answer_brings():
    granted = {"access_token": "a", "refresh_token": "r", "expires_in": 1, "resource_url": "x.example", "id_token": "j"}

    token = parse_granted(granted, NOW, parse_stored(STORED | {"id_token": "i"}))

    assert (token.refresh_token, token.resource_url, token.extra) == ("r", "x.example", {"id_token": "j"})


@pytest.mark.parametrize(
    ("granted", "problem"),
    [
        ({"refresh_token": "r"}, "has no access_token"),
        ({"access_token": "a"}, "has no refresh_token"),
        ({"access_token": "a\r\n", "refresh_token": "r"}, "no header can carry"),
        ({"access_token": ["a"], "refresh_token": "r"}, "has no access_token"),
    ],
)
def test_half_a_grant_is_none(granted, problem):
    with pytest.raises(ValueError, match=problem):
        parse_granted(granted, NOW)


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [(21600, 21600), ("3600", 3600), (1.5, 1.5), (None, 3600), (0, 3600), (-5, 3600), ("soon", 3600), ([], 3600)],
)
def test_the_life_of_a_token_is_what_the_answer_says(expires_in, life):
    assert life_of({"expires_in": expires_in}) == life


@pytest.mark.parametrize(
    ("resource_url", "endpoint"),
    [
        ("portal.qwen.ai", "https://portal.qwen.ai/v1"),
        ("portal.qwen.ai/", "https://portal.qwen.ai/v1"),
        ("https://portal.qwen.ai/v1", "https://portal.qwen.ai/v1"),
        ("https://portal.qwen.ai/v1//", "https://portal.qwen.ai/v1"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x/v1"),
        ("dashscope.aliyuncs.com/compatible-mode/v1", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        (None, "https://portal.qwen.ai/v1"),
        ("", "https://portal.qwen.ai/v1"),
        ("https://me:pw@host", "https://portal.qwen.ai/v1"),
        ("undefined://", "https://portal.qwen.ai/v1"),
    ],
)
def test_the_endpoint_follows_the_resource_url(resource_url, endpoint):
    assert resolve_endpoint(resource_url) == endpoint


def test_a_token_never_shows_itself():
    token = parse_stored(STORED | {"id_token": "canary-i"})

    assert "canary" not in repr(token)
    assert token.secrets() == ("canary-a", "canary-r", "canary-i")


@pytest.mark.parametrize(
    ("body", "kind", "what"),
    [
        ("", "text/html", "an empty body"),
        ("<html>alibaba-ga</html>", "text/html; charset=utf-8", r"no JSON object \(text/html\)"),
        ("[1]", "application/json", "no JSON object"),
    ],
)
def test_an_answer_that_is_no_object_is_a_passing_fault(body, kind, what):
    request = httpx.Request("POST", "https://chat.qwen.ai/token")
    response = httpx.Response(504, text=body, headers={"content-type": kind}, request=request)

    with pytest.raises(UnreachableError, match=rf"chat\.qwen\.ai answered 504 with .*{what}"):
        answer_object(response)
