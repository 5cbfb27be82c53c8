import pytest

from qwen_auth import load_accounts
from qwen_auth.errors import UnknownAccountError
from qwen_auth.logins import remove_login, store_login
from qwen_auth.qwen_store import QwenDirectory
from qwen_auth.records import LoginSettings
from qwen_auth.store import AccountStore
from qwen_auth.token import Token

TOKEN = Token("canary-a", "canary-r", 4_000_000_000_000, resource_url="portal.qwen.ai")


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def directory(tmp_path):
    return QwenDirectory(tmp_path / ".qwen")


@pytest.fixture
def load(tmp_path, warnings):
    def load(**environ):
        return load_accounts({"HOME": str(tmp_path)} | environ, warn=warnings.append)

    return load


def test_every_login_on_disk_is_an_account(directory, load, warnings):
    for name in ("work", "default"):
        directory.file(name).write(TOKEN)

    accounts = load()

    assert [(each.name, each.kind, each.endpoint) for each in accounts] == [
        ("default", "oauth", "https://portal.qwen.ai/v1"),
        ("work", "oauth", "https://portal.qwen.ai/v1"),
    ]
    assert accounts[0].credentials.state == "fresh"
    assert warnings == []


def test_logins_come_after_keys_unless_one_is_the_default(directory, load):
    directory.file("work").write(TOKEN)

    assert [each.name for each in load(DASHSCOPE_API_KEY="sk-1")] == ["dashscope", "work"]
    assert [each.name for each in load(DASHSCOPE_API_KEY="sk-1", DEFAULT_ACCOUNT="work")] == ["work", "dashscope"]


def test_qwen_code_s_own_login_can_be_left_alone(directory, load):
    directory.file("default").write(TOKEN)

    assert load(QWEN_CODE_AUTH_USE="false") == []


def test_a_login_can_have_a_proxy_and_models_of_its_own(directory, load, tmp_path):
    directory.file("work").write(TOKEN)
    AccountStore(tmp_path / ".qwen-gateway").add(LoginSettings("work", "http://p:1", ("coder-model",)))

    [account] = load()

    assert (account.kind, account.proxy, account.models) == ("oauth", "http://p:1", ("coder-model",))


def test_a_broken_login_costs_only_itself(directory, load, warnings):
    directory.file("work").write(TOKEN)
    directory.file("zoe").path.write_text("{")

    assert [each.name for each in load()] == ["work"]
    assert "'zoe' is left out" in warnings[-1]
    assert "oauth_creds_zoe.json:1: is not JSON" in warnings[-1]


def test_the_margin_of_the_environment_counts(directory, load):
    directory.file("work").write(TOKEN)

    assert load(TOKEN_REFRESH_BUFFER="60000")[0].credentials.state == "fresh"


def test_a_new_login_takes_the_place_of_the_old_one(directory):
    file = directory.file("work")
    file.write(TOKEN)

    store_login(file, Token("new", "r", 1.0))

    assert file.read().access_token == "new"
    assert [each.name for each in directory.directory.iterdir()] == ["oauth_creds_work.json"]


def test_a_new_login_keeps_a_broken_file_beside_it(directory, warnings):
    file = directory.file("work")
    directory.directory.mkdir()
    file.path.write_text("my notes")

    store_login(file, TOKEN, warnings.append)

    assert file.read() == TOKEN
    assert file.path.with_suffix(".json.broken").read_text() == "my notes"
    assert "is kept as oauth_creds_work.json.broken" in warnings[0]


def test_a_removed_login_is_gone_and_the_others_are_not(directory):
    directory.file("work").write(TOKEN)
    directory.file("default").write(TOKEN)

    remove_login(directory.file("work"), "work")

    assert directory.names() == ["default"]


def test_removing_what_is_not_there_says_so(directory):
    with pytest.raises(UnknownAccountError, match="no account 'work'; known accounts: a"):
        remove_login(directory.file("work"), "work", ("a",))
