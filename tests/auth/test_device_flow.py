import re
from urllib.parse import parse_qsl

import httpx
import pytest

from qwen_auth.authorization import AuthorizationServer
from qwen_auth.device_flow import DeviceFlow, sign_in
from qwen_auth.errors import RefusedError, UnreachableError
from qwen_auth.pkce import Pkce

CODE = {
    "device_code": "canary-d",
    "user_code": "K7Q2X9_M",
    "verification_uri": "https://chat.qwen.ai/authorize",
    "verification_uri_complete": "https://chat.qwen.ai/authorize?user_code=K7Q2X9_M&client=qwen-code",
    "expires_in": 1800,
    "interval": 5,
}
GRANT = {"access_token": "canary-a", "refresh_token": "canary-r", "expires_in": 21600, "resource_url": "portal.qwen.ai"}
PENDING = {"error": "authorization_pending", "error_description": "not yet"}


def answer(status, document=None, text=None):
    sent = {"code_verifier": "canary-v"}
    request = httpx.Request("POST", "https://chat.qwen.ai/api/v1/oauth2/token", data=sent)
    return httpx.Response(status, json=document, text=text, request=request)


@pytest.fixture
def flow():
    return DeviceFlow(AuthorizationServer(), pkce=Pkce("canary-v", "challenge"), clock=lambda: 1000.0)


@pytest.fixture
def begun(flow):
    flow.begun(answer(200, CODE))
    return flow


def form(request):
    return dict(parse_qsl(request.content.decode()))


def test_the_flow_begins_as_qwen_code_begins(flow):
    request = flow.begin()

    assert str(request.url) == "https://chat.qwen.ai/api/v1/oauth2/device/code"
    assert request.headers["accept"] == "application/json"
    assert re.fullmatch(r"[0-9a-f-]{36}", request.headers["x-request-id"])
    assert form(request) == {
        "client_id": "f0304373b74a44d2b584a3fb70ca9e56",
        "scope": "openid profile email model.completion",
        "code_challenge": "challenge",
        "code_challenge_method": "S256",
    }


def test_the_code_is_what_the_server_says(flow):
    code = flow.begun(answer(200, CODE))

    assert code.user_code == "K7Q2X9_M"
    assert code.verification_uri_complete == CODE["verification_uri_complete"]
    assert (code.expires_in, code.interval) == (1800, 5)
    assert "canary" not in repr(code)


def test_without_a_complete_link_the_plain_one_is_opened(flow):
    code = flow.begun(answer(200, {name: CODE[name] for name in ("device_code", "user_code", "verification_uri")}))

    assert code.verification_uri_complete == "https://chat.qwen.ai/authorize"
    assert (code.expires_in, code.interval) == (1800.0, 2.0)


@pytest.mark.parametrize(
    ("status", "document", "text", "error", "words"),
    [
        (200, {"error": "invalid_client", "error_description": "who"}, None, RefusedError, "200 invalid_client: who"),
        (400, {"error": "invalid_scope"}, None, RefusedError, "check QWEN_CLIENT_ID"),
        (429, {"error": "slow_down"}, None, UnreachableError, "try again"),
        (503, {"error": "x"}, None, UnreachableError, "try again"),
        (200, {}, None, UnreachableError, "without a device code"),
        (200, CODE | {"device_code": None}, None, UnreachableError, "without a device code"),
        (200, CODE | {"verification_uri_complete": "file:///etc/passwd"}, None, UnreachableError, "or a link"),
        (504, None, "<html>alibaba-ga</html>", UnreachableError, "no JSON object"),
    ],
)
def test_a_flow_that_cannot_begin_says_why(flow, status, document, text, error, words):
    with pytest.raises(error, match=words):
        flow.begun(answer(status, document, text))


def test_a_poll_sends_the_verifier(begun):
    request = begun.poll()

    assert "x-request-id" not in request.headers
    assert form(request) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "f0304373b74a44d2b584a3fb70ca9e56",
        "device_code": "canary-d",
        "code_verifier": "canary-v",
    }


def test_approval_brings_a_token(begun):
    token = begun.polled(answer(200, GRANT))

    assert (token.access_token, token.refresh_token) == ("canary-a", "canary-r")
    assert (token.expires_at, token.resource_url) == (22600.0, "portal.qwen.ai")


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (400, PENDING),
        (200, PENDING),
        (428, {"error": "Authorization_Pending"}),
        (200, {"status": "pending"}),
        (200, {"access_token": None, "refresh_token": None}),
        (200, {}),
    ],
)
def test_not_yet_keeps_the_announced_pace(begun, status, document):
    begun.polled(answer(429, {"error": "slow_down"}))

    assert begun.polled(answer(status, document)) is None
    assert begun.interval == 5.0
    assert begun.remark == ""


@pytest.mark.parametrize("status", [429, 400])
def test_slow_down_means_half_as_slow_again_up_to_ten_seconds(begun, status):
    paces = []
    for _ in range(4):
        assert begun.polled(answer(status, {"error": "slow_down"})) is None
        paces.append(begun.interval)

    assert paces == [7.5, 10.0, 10.0, 10.0]


def test_without_an_announced_pace_it_begins_with_two_seconds_as_qwen_code_does(flow):
    flow.begun(answer(200, {name: value for name, value in CODE.items() if name != "interval"}))

    assert flow.interval == 2.0


def test_a_server_that_wants_long_pauses_gets_them(flow):
    flow.begun(answer(200, CODE | {"interval": 30}))
    flow.polled(answer(429, {"error": "slow_down"}))

    assert flow.interval == 30.0


@pytest.mark.parametrize(
    ("status", "document", "text", "remark"),
    [
        (504, None, "<html>alibaba-ga</html>", "answered 504"),
        (200, None, "", "an empty body"),
        (403, None, "<html>who are you</html>", "answered 403"),
        (502, {"error": "bad_gateway"}, None, "answered 502"),
    ],
)
def test_what_may_pass_is_waited_for_and_told(begun, status, document, text, remark):
    assert begun.polled(answer(status, document, text)) is None
    assert begun.interval == 7.5
    assert remark in begun.remark


@pytest.mark.parametrize(
    ("status", "document", "words"),
    [
        (400, {"error": "access_denied"}, "denied on the other screen"),
        (400, {"error": "expired_token"}, "the code has expired"),
        (401, {"error": "invalid_request"}, "expired or is unknown"),
        (429, {"error": "too_many_requests"}, "limits sign-ins now"),
        (400, {"error": "invalid_grant", "error_description": "code_verifier canary-v"}, r"invalid_grant: .* \*\*\*"),
        (200, {"access_token": "canary-a"}, "has no refresh_token"),
    ],
)
def test_what_will_not_pass_ends_the_sign_in(begun, status, document, words):
    with pytest.raises(RefusedError, match=words) as fault:
        begun.polled(answer(status, document))

    assert "qwen-auth login" in str(fault.value)
    assert "canary" not in str(fault.value)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


async def drive(*answers):
    """Sign in against these answers: (status, document), or an exception."""
    time, shown, remaining = Time(), [], list(answers)

    def handler(request):
        said = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(said, Exception):
            raise said
        return httpx.Response(said[0], json=said[1], request=request)

    flow = DeviceFlow(AuthorizationServer())
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        try:
            result = await sign_in(client, flow, shown.append, sleep=time.sleep, monotonic=time)
        except (RefusedError, UnreachableError) as error:
            result = error
    return result, time, shown


async def test_a_sign_in_shows_the_code_and_polls_until_it_is_approved():
    token, time, [code] = await drive((200, CODE), (400, PENDING), (429, {"error": "slow_down"}), (200, GRANT))

    assert code.user_code == "K7Q2X9_M"
    assert time.slept == [5.0, 5.0, 7.5]
    assert token.access_token == "canary-a"


async def test_a_broken_connection_in_between_does_not_end_it():
    token, time, _ = await drive((200, CODE), httpx.ConnectError("down"), httpx.ReadTimeout("slow"), (200, GRANT))

    assert time.slept == [5.0, 7.5, 10.0]
    assert token.access_token == "canary-a"


async def test_a_server_that_is_down_at_the_beginning_ends_it():
    error, _, shown = await drive(httpx.ConnectError("All connection attempts failed"))

    assert isinstance(error, UnreachableError)
    assert "chat.qwen.ai was not reached (ConnectError: All connection attempts failed)" in str(error)
    assert shown == []


async def test_nobody_approves():
    error, time, _ = await drive((200, CODE | {"expires_in": 61}), (400, PENDING))

    assert "nobody approved within 1 minutes" in str(error)
    assert time.now == 61.0
