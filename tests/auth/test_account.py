import dataclasses

import pytest

from qwen_auth.account import Account, redact_url
from qwen_auth.credentials import KeyCredentials
from qwen_auth.errors import AccountError

BASE = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"


def account(**changes):
    fields = {"name": "work", "kind": "key", "plan": "model-studio-intl", "base_url": BASE}
    return Account(**(fields | {"credentials": KeyCredentials("sk-canary")} | changes))


@pytest.mark.parametrize("name", ["work", "Work2", "a", "me@home.example", "team_1-b", "x+y", "a" * 64])
def test_names_that_fit_files_headers_and_labels_are_taken(name):
    assert account(name=name).name == name


@pytest.mark.parametrize("name", ["", "a" * 65, "../x", "a/b", ".hidden", "-v", "a b", "wörk", "a\n", "a.", "a\x00"])
def test_any_other_name_is_refused_with_what_would_do(name):
    with pytest.raises(AccountError, match="letters, digits"):
        account(name=name)


@pytest.mark.parametrize("url", ["", "host/v1", "ftp://host/v1", "https://", "https://host:port/v1", "http://[::1/v1"])
def test_a_base_url_must_be_one(url):
    with pytest.raises(AccountError, match="https://host/v1"):
        account(base_url=url)


def test_a_base_url_with_credentials_is_refused_without_showing_them():
    with pytest.raises(AccountError, match="--key-from-stdin") as refusal:
        account(base_url="https://me:canary@host/v1")

    assert "canary" not in str(refusal.value)


def test_a_base_url_has_no_query():
    with pytest.raises(AccountError, match="no query"):
        account(base_url="https://host/v1?key=1")


def test_an_account_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        account().name = "other"


def test_an_account_shows_neither_its_key_nor_its_proxy_password():
    shown = repr(account(proxy="http://me:hunter2@proxy.example:3128"))

    assert "canary" not in shown
    assert "hunter2" not in shown
    assert "proxy.example:3128" in shown


def test_its_secrets_are_those_of_the_credentials_and_of_the_proxy():
    assert account().secrets() == ("sk-canary",)
    assert account(proxy="http://me:hunter2@proxy").secrets() == ("sk-canary", "hunter2")


def test_calls_go_where_the_credentials_say_and_else_to_the_base_url():
    class Elsewhere(KeyCredentials):
        endpoint = "https://portal.qwen.ai/v1"

    assert account().endpoint == BASE
    assert account(credentials=Elsewhere("x")).endpoint == "https://portal.qwen.ai/v1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://me:pa@ss@proxy:3128", "http://***@proxy:3128"),
        ("me:pass@proxy", "***@proxy"),
    ],
)
def test_a_url_is_shown_without_user_and_password(url, shown):
    assert redact_url(url) == shown
