from urllib.parse import parse_qsl

import httpx
import pytest

from qwen_auth.authorization import AuthorizationServer, parse_refresh
from qwen_auth.errors import AccountError, DeadTokenError, UnreachableError
from qwen_auth.token import Token

OLD = Token("canary-a", "canary-r", 1.0, resource_url="portal.qwen.ai")


def answer(status, document=None, text=None):
    request = AuthorizationServer().refresh_request(OLD)
    return httpx.Response(status, json=document, text=text, request=request)


def test_the_server_is_qwen_s():
    server = AuthorizationServer.from_environment({})

    assert server == AuthorizationServer()
    assert server.device_url == "https://chat.qwen.ai/api/v1/oauth2/device/code"
    assert server.token_url == "https://chat.qwen.ai/api/v1/oauth2/token"


def test_the_variables_of_the_seed_move_it():
    assert AuthorizationServer.from_environment({"QWEN_BASE_URL": "http://127.0.0.1:9/"}) == AuthorizationServer(
        device_url="http://127.0.0.1:9/api/v1/oauth2/device/code", token_url="http://127.0.0.1:9/api/v1/oauth2/token"
    )
    assert AuthorizationServer.from_environment(
        {
            "QWEN_DEVICE_CODE_ENDPOINT": "http://d/x",
            "QWEN_TOKEN_ENDPOINT": "http://t/y",
            "QWEN_CLIENT_ID": "me",
            "QWEN_CLIENT_SECRET": "canary",
            "QWEN_SCOPE": "openid",
        }
    ) == AuthorizationServer("http://d/x", "http://t/y", "me", "openid", "canary")


def test_an_endpoint_that_is_no_url_is_refused():
    with pytest.raises(AccountError, match="is not a base URL"):
        AuthorizationServer.from_environment({"QWEN_TOKEN_ENDPOINT": "chat.qwen.ai"})


def test_a_refresh_asks_as_qwen_code_asks():
    request = AuthorizationServer().refresh_request(OLD)

    assert request.method == "POST"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    assert "x-request-id" not in request.headers
    assert dict(parse_qsl(request.content.decode())) == {
        "grant_type": "refresh_token",
        "refresh_token": "canary-r",
        "client_id": "f0304373b74a44d2b584a3fb70ca9e56",
    }


def test_a_request_does_not_wait_for_ever():
    assert AuthorizationServer().refresh_request(OLD).extensions["timeout"]["read"] == 20.0


def test_a_client_secret_is_sent_when_there_is_one_and_never_shown():
    server = AuthorizationServer(client_secret="canary")

    assert b"client_secret=canary" in server.refresh_request(OLD).content
    assert "canary" not in repr(server)


def test_a_grant_is_a_token():
    token = parse_refresh(answer(200, {"access_token": "a", "expires_in": 60}), OLD, 100.0)

    assert token == Token("a", "canary-r", 160_000.0, resource_url="portal.qwen.ai")


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (400, {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"}),
        (401, {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"}),
        (400, {"error": "INVALID_GRANT"}),
        (401, {"message": "no"}),
        (200, {"error": "Invalid_Request", "error_description": "Invalid refresh token or client_id"}),
        (200, {"error": "invalid_grant", "access_token": "canary-looks-like-one"}),
        (400, {"error": {"code": "invalid_api_key", "message": "no"}}),
    ],
)
def test_a_refused_refresh_token_is_dead(status, document):
    with pytest.raises(DeadTokenError, match=f"chat.qwen.ai answered {status}") as fault:
        parse_refresh(answer(status, document), OLD, 0.0)

    assert "canary" not in str(fault.value)


@pytest.mark.parametrize(
    ("status", "document", "text"),
    [
        (200, {"error": "server_busy"}, None),
        (200, {"access_token": None}, None),
        (200, {}, None),
        (200, None, ""),
        (200, None, "<html>login</html>"),
        (400, None, "<html>a gateway in between</html>"),
        (400, {"error": "temporarily_unavailable"}, None),
        (429, {"error": "slow_down"}, None),
        (403, {"error": "blocked"}, None),
        (500, {"error": "server_error"}, None),
        (504, None, "<html>alibaba-ga</html>"),
        (302, {}, None),
    ],
)
def test_nonsense_is_no_token_and_no_verdict(status, document, text):
    with pytest.raises(UnreachableError, match="try again") as fault:
        parse_refresh(answer(status, document, text), OLD, 0.0)

    assert fault.value.retryable


def test_a_server_that_repeats_the_token_does_not_make_us_show_it():
    echo = {"error": "invalid_request", "error_description": "canary-r is no token"}

    with pytest.raises(DeadTokenError, match=r"\*\*\* is no token") as fault:
        parse_refresh(answer(400, echo), OLD, 0.0)

    assert "canary" not in str(fault.value)
