import pytest

from qwen_auth import load_accounts
from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.store import AccountStore

INTL = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"


@pytest.fixture
def home(tmp_path):
    for name in ("a", "b"):
        stored = Account(name, "key", "model-studio-intl", INTL, KeyCredentials(f"sk-{name}"))
        AccountStore(tmp_path).add(stored)
    return tmp_path


@pytest.fixture
def load(home):
    def load(**environ):
        warnings = []
        accounts = load_accounts({"HOME": str(home)} | environ, home, warn=warnings.append)
        return [account.name for account in accounts], warnings

    return load


def test_the_file_comes_before_the_environment(load):
    assert load(DASHSCOPE_API_KEY="sk-1") == (["a", "b", "dashscope"], [])


def test_the_default_account_comes_first(load):
    assert load(DASHSCOPE_API_KEY="sk-1", DEFAULT_ACCOUNT="dashscope")[0] == ["dashscope", "a", "b"]
    assert load(DEFAULT_ACCOUNT="b")[0] == ["b", "a"]


def test_a_default_account_that_does_not_exist_is_told(load):
    names, [warning] = load(DEFAULT_ACCOUNT="c")

    assert names == ["a", "b"]
    assert "DEFAULT_ACCOUNT names 'c', which does not exist; known accounts: a, b" in warning


def test_a_key_that_is_in_both_is_one_account(load):
    assert load(DASHSCOPE_API_KEY="sk-a") == (["a", "b"], [])


def test_a_name_that_is_in_both_is_the_file_s_and_told(home):
    AccountStore(home).add(Account("dashscope", "key", "model-studio-intl", INTL, KeyCredentials("sk-other")))
    warnings = []

    accounts = load_accounts({"HOME": str(home), "DASHSCOPE_API_KEY": "sk-1"}, home, warn=warnings.append)

    assert [account.credentials.secrets() for account in accounts][-1] == ("sk-other",)
    assert "'dashscope' of environment variable DASHSCOPE_API_KEY is left out" in warnings[0]


def test_a_key_at_the_wrong_plan_is_told_without_showing_it(load):
    _, [warning] = load(DASHSCOPE_API_KEY="sk-sp-canary")

    assert warning.startswith(
        "account 'dashscope' (environment variable DASHSCOPE_API_KEY): this key begins with sk-sp-"
    )
    assert "canary" not in warning


def test_the_home_is_found_by_the_environment(home):
    assert [account.name for account in load_accounts({"HOME": str(home), "QWEN_GATEWAY_HOME": str(home)})] == [
        "a",
        "b",
    ]


def test_warnings_go_to_the_log_by_default(home, caplog):
    load_accounts({"HOME": str(home), "DEFAULT_ACCOUNT": "c"}, home)

    assert "DEFAULT_ACCOUNT names 'c'" in caplog.text
