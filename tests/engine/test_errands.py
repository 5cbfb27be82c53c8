"""Small requests: whom they are sent to, with which credentials, and what becomes of odd replies."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from qwen_auth.account import Account
from qwen_auth.web.accounts import web_account
from qwen_auth.web.credentials import WebCredentials
from qwen_auth.web.file import Kept, SessionFile
from qwen_auth.web.session import Session
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.engine import errands
from qwen_gateway.engine.errands import Afterwards, errand
from qwen_gateway.engine.transport import TransportFault
from qwen_gateway.upstreams.steps import Reply, Request


class Answer:
    def __init__(self, pieces: list[Any], status: int = 200, cookies: list[str] | None = None) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"X-Request-Id": "r-1"}
        self.set_cookies = cookies or []
        self.closed = False
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                await asyncio.Event().wait()
            yield piece

    async def aclose(self, *, reuse: bool = False) -> None:
        self.closed = True


class Site:
    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.sent: list[tuple[str, str, dict[str, str], bytes, str | None]] = []

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None = None
    ) -> Answer:
        self.sent.append((method, url, dict(headers), body, proxy))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def account(tmp_path: Path) -> Account:
    kept = Kept("https://chat.qwen.ai", Session(bearer="canary", cookies=(("a", "1"),)), proxy="http://proxy:1")
    file = SessionFile(tmp_path / "me.json")
    return web_account("me", file, kept, WebCredentials(file, kept, None))


async def test_a_path_gets_the_account_s_credentials_and_its_proxy(account: Account) -> None:
    site = Site(Answer([b"{", b"}"]))

    reply = await errand(site, account, Request("POST", "/api/x", {"a": "b"}, b"body"))

    assert reply == Reply(200, {"x-request-id": "r-1"}, b"{}")
    assert site.sent == [
        ("POST", "https://chat.qwen.ai/api/x", {"a": "b", "authorization": "Bearer canary", "cookie": "a=1"}, b"body",
         "http://proxy:1"),
    ]  # fmt: skip


async def test_another_host_gets_none_and_sets_no_cookies(account: Account) -> None:
    site = Site(Answer([], cookies=["a=evil"]))

    await errand(site, account, Request("PUT", "https://store.example/x", {}, b"data"))

    assert site.sent[0][2] == {}
    assert account.credentials.secrets() == ("canary",)
    assert isinstance(account.credentials, WebCredentials)
    assert account.credentials.session.cookie_header == "a=1"


async def test_cookies_of_the_site_are_taken_over(account: Account) -> None:
    await errand(Site(Answer([], cookies=["a=2; Path=/", "b=3"])), account, Request("GET", "/", {}))

    assert isinstance(account.credentials, WebCredentials)
    assert account.credentials.session.cookie_header == "a=2; b=3"
    assert account.credentials.unsaved


async def test_work_is_done_in_a_thread_before(account: Account) -> None:
    def work(request: Request) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        request.body, request.headers = b"made", {"made": "1"}

    site = Site(Answer([]))
    await errand(site, account, Request("PUT", "https://store.example/x", {}, work=work))

    assert site.sent[0][2:4] == ({"made": "1"}, b"made")


@pytest.mark.parametrize(
    ("answer", "origin"),
    [
        (TransportFault("connect", "no connection"), "connect"),
        (Answer([b"half", TransportFault("cut", "broken")]), "cut"),
        (Answer([None]), "timeout"),
        (Answer([b"x" * (errands.REPLY_LIMIT + 1)]), "body"),
    ],
)
async def test_what_goes_wrong_is_a_fault(account: Account, answer: Answer | Exception, origin: str) -> None:
    reply = await errand(Site(answer), account, Request("GET", "/", {}), 0.05)

    assert isinstance(reply, Fault)
    assert reply.origin == origin
    assert isinstance(answer, Exception) or answer.closed


async def test_what_nobody_waits_for_is_done_and_has_a_moment_at_the_end(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "PARTING", 0.05)
    site, silent = Site(Answer([])), Site(Answer([None]))
    afterwards = Afterwards()

    afterwards.send(site, account, [Request("POST", "/stop", {}), Request("DELETE", "/chat", {})])
    afterwards.send(silent, account, [Request("POST", "/stop", {})])
    await afterwards.aclose()

    assert [sent[:2] for sent in site.sent] == [
        ("POST", "https://chat.qwen.ai/stop"), ("DELETE", "https://chat.qwen.ai/chat"),
    ]  # fmt: skip
    assert len(silent.sent) == 1
