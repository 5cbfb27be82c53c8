"""One direct call, against upstreams as upstream.md 2.8, 2.12 and 4.5 describe them."""

import json

import httpx
import pytest

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.errors import NeedsLoginError, RefusedError, UnreachableError
from qwen_auth.oauth import OAuthCredentials, oauth_account
from qwen_auth.probe import probe
from qwen_auth.qwen_store import LoginFile
from qwen_auth.refresher import Refresher
from qwen_auth.token import Token
from tests.auth.authority import Authority
from tests.auth.clocks import FakeTime

STREAM = (
    'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
    'data: {"choices":[{"delta":{"reasoning_content":"Hm. "}}]}\n\n'
    'data: {"choices":[{"delta":{"content":"Hi!"}}]}\n\n'
    'data: {"choices":[],"usage":{"total_tokens":9}}\n\n'
    "data: [DONE]\n\n"
)


def account(plan="model-studio-intl", base_url="https://h.example/v1", key="sk-canary", **more):
    return Account("work", "key", plan, base_url, KeyCredentials(key), **more)


class Upstream:
    """Answers in turn, the last one for ever, and remembers what it was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        text = body if isinstance(body, str) else json.dumps(body)
        return httpx.Response(status, text=text, headers={"x-request-id": "r-1"}, request=request)

    async def probe(self, account, model=None):
        connect = lambda _: httpx.AsyncClient(transport=httpx.MockTransport(self))  # noqa: E731
        return await probe(account, Refresher(connect=connect), connect, model=model)

    @property
    def models(self):
        return [json.loads(request.content)["model"] for request in self.requests if request.content]


async def test_an_account_that_works_answers():
    upstream = Upstream((200, STREAM))

    answer = await upstream.probe(account())

    assert (answer.model, answer.text, answer.request_id) == ("qwen-plus", "Hm. Hi!", "r-1")
    [request] = upstream.requests
    assert str(request.url) == "https://h.example/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-canary"


async def test_the_model_is_the_wanted_one_or_the_account_s_own():
    upstream = Upstream((200, STREAM))

    await upstream.probe(account(models=("qwen3-max",)))
    await upstream.probe(account(models=("qwen3-max",)), model="qwen-flash")

    assert upstream.models == ["qwen3-max", "qwen-flash"]


async def test_a_server_of_one_s_own_is_asked_what_it_has():
    upstream = Upstream((200, {"object": "list", "data": [{"id": "Qwen/Qwen3-8B"}]}), (200, STREAM))

    await upstream.probe(account("vllm"))

    assert [request.url.path for request in upstream.requests] == ["/v1/models", "/v1/chat/completions"]
    assert upstream.models == ["Qwen/Qwen3-8B"]


async def test_a_server_without_models_is_told():
    with pytest.raises(UnreachableError, match="give one with --model"):
        await Upstream((200, {"data": []})).probe(account("ollama"))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided."}}, "bound to a region"),
        (
            403,
            {"error": {"code": "AccessDenied", "message": "No right to sk-canary"}},
            r"AccessDenied: No right to \*\*\*$",
        ),
        (404, {"error": {"code": "model_not_found", "message": "no such model"}}, "404 model_not_found: no such model"),
        (400, {"code": "InvalidParameter", "message": "flat"}, "400 InvalidParameter: flat"),
        (429, "", "429 without words"),
        (401, {"error": "Unauthorized"}, "401 Unauthorized"),
    ],
)
async def test_a_refusal_is_explained_in_words(status, body, words):
    with pytest.raises(RefusedError, match=words) as fault:
        await Upstream((status, body)).probe(account())

    assert "canary" not in str(fault.value)


async def test_a_plan_key_at_the_pay_as_you_go_url_is_explained_with_the_command_that_mends_it():
    upstream = Upstream((403, {"error": {"message": "invalid api-key"}}))

    with pytest.raises(RefusedError, match=r"begins with sk-sp-.*qwen-auth add work --replace .*--plan coding-plan"):
        await upstream.probe(account(key="sk-sp-canary"))


async def test_a_subscription_that_ended_is_explained():
    upstream = Upstream((401, {"error": {"message": "invalid access token or token expired"}}))

    with pytest.raises(RefusedError, match="The subscription has ended, or the key is not of the Coding Plan"):
        await upstream.probe(account("coding-plan", key="sk-sp-1"))


@pytest.mark.parametrize(
    "event",
    [
        'data: {"error":{"code":"data_inspection_failed","message":"no"}}\n\n',
        'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"request_id":"r","code":"Throttling","message":"no"}\n\n',
    ],
)
async def test_an_error_inside_a_200_is_seen(event):
    with pytest.raises(RefusedError, match=r"answered 200, then failed: .*: no"):
        await Upstream((200, event)).probe(account())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, "<html>"), "answered 503 without words; try again"),
        (httpx.ConnectError("refused"), "h.example was not reached"),
        (httpx.ReadTimeout(""), "h.example was not reached \\(ReadTimeout\\)"),
    ],
)
async def test_an_upstream_that_is_down_is_unreachable(answer, words):
    with pytest.raises(UnreachableError, match=words):
        await Upstream(answer).probe(account())


class Portal:
    """The portal beside its authorization server; `closed` as it is since 2026-04-15 (upstream.md 2.13)."""

    def __init__(self, closed=False):
        self.authority = Authority()
        self.closed = closed
        self.calls = []
        self.good = "access-0"

    def connect(self, proxy=None):
        return httpx.AsyncClient(transport=httpx.MockTransport(self))

    def __call__(self, request):
        if request.url.host == "chat.qwen.ai":
            response = self.authority(request)
            self.good = json.loads(response.content).get("access_token")
            return response
        self.calls.append(request)
        if self.closed or request.headers["authorization"] != f"Bearer {self.good}":
            error = {"code": "invalid_api_key", "message": "invalid access token or token expired"}
            return httpx.Response(401, json={"error": error}, request=request)
        return httpx.Response(200, text=STREAM, request=request)

    async def probe(self, tmp_path, life, model=None):
        time = FakeTime()
        file = LoginFile(tmp_path / "oauth_creds.json")
        file.write(Token("access-0", "refresh-0", (time.wall + life) * 1000, resource_url="portal.qwen.ai"))
        login = oauth_account("default", OAuthCredentials(file, file.read(), file.stamp(), clock=time.clock))
        refresher = Refresher(connect=self.connect, clock=time.clock, warn=lambda _: None)
        return await probe(login, refresher, self.connect, model=model)


async def test_a_login_is_tried_as_the_portal_wants_it(tmp_path):
    portal = Portal()

    await portal.probe(tmp_path, 21600)

    [call] = portal.calls
    assert str(call.url) == "https://portal.qwen.ai/v1/chat/completions"
    assert call.headers["x-dashscope-authtype"] == "qwen-oauth"
    assert call.headers["x-dashscope-useragent"].startswith("QwenCode/")
    body = json.loads(call.content)
    assert body["model"] == "coder-model"
    assert body["messages"][0] == {
        "role": "system",
        "content": [{"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}],
    }


async def test_an_expired_login_is_renewed_first(tmp_path):
    portal = Portal()

    await portal.probe(tmp_path, -1)

    assert [call.headers["authorization"] for call in portal.calls] == ["Bearer access-1"]


async def test_a_revoked_token_is_renewed_once_and_the_call_repeated_once(tmp_path):
    portal = Portal()
    portal.good = "another"

    answer = await portal.probe(tmp_path, 21600)

    assert [call.headers["authorization"] for call in portal.calls] == ["Bearer access-0", "Bearer access-1"]
    assert answer.text == "Hm. Hi!"


async def test_the_closed_free_tier_is_said_plainly_and_not_tried_in_a_loop(tmp_path):
    portal = Portal(closed=True)

    with pytest.raises(RefusedError, match=r"closed the free tier .* on 2026-04-15.*Use an API key instead"):
        await portal.probe(tmp_path, 21600)

    assert len(portal.calls) == 2
    assert portal.authority.refreshes == ["refresh-0"]


async def test_a_dead_login_needs_its_owner(tmp_path):
    portal = Portal()
    portal.authority.alive.clear()

    with pytest.raises(NeedsLoginError, match="run `qwen-auth login default`"):
        await portal.probe(tmp_path, -1)

    assert portal.calls == []
