"""Where sessions come from, and that they move on in their files."""

import asyncio
import json

import pytest

from qwen_auth.errors import AccountError
from qwen_auth.loading import load_accounts
from qwen_auth.web.renewer import Renewer
from qwen_auth.web.session import Session
from tests.auth.web.sessions import GUEST, jwt, stored


@pytest.fixture
def load(tmp_path, warnings):
    def load(**environ):
        environ = {"QWEN_GATEWAY_HOME": str(tmp_path), "QWEN_HOME": str(tmp_path / "qwen")} | environ
        return load_accounts(environ, warn=warnings.append)

    return load


def test_a_file_is_an_account(load, tmp_path):
    stored(tmp_path, GUEST, base_url="http://127.0.0.1:9", proxy="http://p:1", models=("qwen3.7-plus",))

    [account] = load()

    assert (account.name, account.kind, account.plan, account.flavour) == ("me", "web", "qwen-web", "web")
    assert (account.endpoint, account.proxy, account.models) == ("http://127.0.0.1:9", "http://p:1", ("qwen3.7-plus",))
    assert account.credentials.session == GUEST
    assert "canary" not in repr(account) + repr(account.credentials)
    assert (tmp_path / "web" / "me.json").stat().st_mode & 0o777 == 0o600


def test_seed_b_s_two_variables_are_an_account(load):
    [account] = load(QWEN_TOKEN="T2gA-canary", QWEN_COOKIES="acw_tc=1; x-ap=2")

    assert (account.name, account.kind, account.base_url) == ("web", "web", "https://chat.qwen.ai")
    assert account.credentials.guest
    headers = {}
    account.credentials.apply(headers)
    assert headers == {"bx-umidtoken": "T2gA-canary", "cookie": "acw_tc=1; x-ap=2"}


def test_a_jwt_alone_is_enough(load):
    [account] = load(QWEN_TOKEN=jwt(exp=1), QWEN_WEB_URL="http://127.0.0.1:9/")

    assert not account.credentials.guest
    assert account.base_url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"QWEN_TOKEN": "T2gA"}, "QWEN_COOKIES is needed"),
        ({"QWEN_COOKIES": "a=1"}, "QWEN_TOKEN is needed"),
        ({"QWEN_TOKEN": "T2gA", "QWEN_COOKIES": "rubbish"}, "QWEN_COOKIES: "),
        ({"QWEN_TOKEN": "T2 gA", "QWEN_COOKIES": "a=1"}, "QWEN_TOKEN has characters"),
    ],
)
def test_half_a_session_is_refused(load, environ, why):
    with pytest.raises(AccountError, match=why):
        load(**environ)


def test_a_broken_file_costs_only_itself(load, tmp_path, warnings):
    stored(tmp_path, GUEST)
    (tmp_path / "web" / "bad.json").write_text(
        '{"version": 1, "base_url": "https://chat.qwen.ai", "token": "canary"}\n'
    )
    (tmp_path / "web" / "worse.json").write_text("{")

    assert [account.name for account in load()] == ["bad", "me"]
    assert any("worse.json" in line for line in warnings)
    assert not any("canary" in line for line in warnings)


def test_cookies_that_answers_set_are_written_back(load, tmp_path):
    stored(tmp_path, GUEST, extra=(("note", "mine"),))
    [account] = load()

    account.credentials.absorb(["acw_tc=newer; Path=/"])
    agree(account)

    written = json.loads((tmp_path / "web" / "me.json").read_text())
    assert written["cookies"] == "acw_tc=newer; x-ap=1"
    assert written["note"] == "mine"
    assert load()[0].credentials.session == account.credentials.session


def test_a_session_of_the_environment_goes_on_after_a_restart(load):
    environ = {"QWEN_TOKEN": "T2gA-canary", "QWEN_COOKIES": "acw_tc=1; x-ap=2"}
    [account] = load(**environ)
    account.credentials.absorb(["acw_tc=2"])
    agree(account)

    [again] = load(**environ)
    [other] = load(**environ | {"QWEN_COOKIES": "acw_tc=9"})

    assert again.credentials.session.cookie_header == "acw_tc=2; x-ap=2"
    assert other.credentials.session.cookie_header == "acw_tc=9"
    assert load() == []


def test_a_session_that_its_owner_captured_anew_wins(load, tmp_path):
    stored(tmp_path, GUEST)
    [account] = load()
    account.credentials.absorb(["acw_tc=ours"])
    newer = Session(bearer=jwt(exp=9))

    stored(tmp_path, newer)
    agree(account)

    assert account.credentials.session == newer
    assert load()[0].credentials.session == newer


def agree(account):
    """What the renewer does every few seconds."""
    asyncio.run(Renewer().aclose([account]))
