import json
import multiprocessing
from pathlib import Path

import pytest

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.errors import AccountError, FileError, UnknownAccountError
from qwen_auth.store import AccountStore, gateway_home

INTL = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"


def account(name="work", key="sk-canary", **changes):
    return Account(**({"name": name, "kind": "key", "plan": "model-studio-intl", "base_url": INTL} | changes),
                   credentials=KeyCredentials(key))  # fmt: skip


def record(**changes):
    return {"name": "work", "kind": "key", "plan": "model-studio-intl", "base_url": INTL, "key": "sk-canary"} | changes


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def store(tmp_path, warnings):
    return AccountStore(tmp_path / "home", warnings.append)


@pytest.fixture
def write(store):
    def write(document):
        store.path.parent.mkdir(exist_ok=True)
        store.path.write_text(document if isinstance(document, str) else json.dumps(document, indent=2))
        store.path.chmod(0o600)

    return write


def test_without_a_file_there_are_no_accounts(store):
    assert store.load() == []


def test_an_account_comes_back_as_it_was_stored(store, warnings):
    stored = account(proxy="http://proxy:3128", models=("qwen3-max", "qwen-plus"))

    store.add(stored)

    [loaded] = store.load()
    assert loaded.source == str(store.path)
    assert (loaded.name, loaded.plan, loaded.base_url) == (stored.name, stored.plan, stored.base_url)
    assert (loaded.proxy, loaded.models, loaded.credentials) == (stored.proxy, stored.models, stored.credentials)
    assert warnings == []


def test_accounts_keep_their_order(store):
    for name in ("b", "a", "c"):
        store.add(account(name))

    assert [each.name for each in store.load()] == ["b", "a", "c"]


def test_a_taken_name_is_refused_even_in_another_case(store):
    store.add(account("work"))

    with pytest.raises(AccountError, match="there is an account 'work'; add --replace"):
        store.add(account("Work", "sk-new"))

    assert store.load()[0].credentials == KeyCredentials("sk-canary")


def test_replacing_keeps_the_place_and_what_we_do_not_know(store, write):
    write({"version": 1, "accounts": [record(note="mine", proxy="http://p:1"), record(name="b")], "theme": "dark"})

    store.add(account(key="sk-new"), replace=True)

    document = json.loads(store.path.read_text())
    assert document["theme"] == "dark"
    assert [each["name"] for each in document["accounts"]] == ["work", "b"]
    assert document["accounts"][0] == record(key="sk-new", note="mine")


def test_a_removed_account_is_gone_and_the_others_are_untouched(store, write):
    write({"version": 1, "accounts": [record(), record(name="b", note=1), {"name": "future", "kind": "beam"}]})

    store.remove("work")

    assert json.loads(store.path.read_text())["accounts"] == [
        record(name="b", note=1),
        {"name": "future", "kind": "beam"},
    ]


def test_removing_what_is_not_there_names_what_is(store):
    store.add(account("work"))

    with pytest.raises(UnknownAccountError, match="no account 'wrok'; known accounts: work"):
        store.remove("wrok")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ('{"version": 1, "accounts": [{"name": "wo', r"accounts\.json:1: is not JSON"),
        ('{"access_token": "canary"}', r"accounts\.json:1: is not a file of accounts"),
        ('{"version": 1, "accounts": ["work"]}', "is not a file of accounts"),
        ('{"version": 2, "accounts": []}', "version 2, newer than this program; upgrade"),
        ("[]", "holds no JSON object"),
    ],
)
def test_a_file_that_we_do_not_understand_is_reported_and_never_overwritten(store, write, content, problem):
    write(content)

    with pytest.raises(FileError, match=problem) as fault:
        store.load()
    with pytest.raises(FileError, match=problem):
        store.add(account())
    with pytest.raises(FileError, match=problem):
        store.remove("work")

    assert store.path.read_text() == content
    assert "canary" not in str(fault.value)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({"name": "b"}, "\"key\" of account 'b' is missing"),
        ({"name": "b", "kind": "beam"}, "kind 'beam' of account 'b' is not known here"),
        (record(name="b", plan="gold"), "there is no plan 'gold'"),
        (record(name="b", base_url="nowhere"), "is not a base URL"),
        (record(name="b", key="sk-canary\u0007"), "account 'b': the key has a control character"),
        (record(name="b", models="qwen-plus"), "\"models\" of account 'b' is not a list"),
        (record(name="../b"), "cannot name an account"),
        (record(name=7), '"name" is missing or no text'),
        (record(name="WORK"), "there is another account 'WORK'"),
    ],
)
def test_an_account_that_we_do_not_understand_costs_only_itself(store, write, warnings, bad, problem):
    write({"version": 1, "accounts": [record(), bad, record(name="c")]})

    assert [each.name for each in store.load()] == ["work", "c"]

    [warning] = warnings
    assert problem in warning
    assert f"{store.path}:11: this account is left out" in warning
    assert "canary" not in warning


def test_a_world_readable_file_is_closed_and_told(store, warnings):
    store.add(account())
    store.path.chmod(0o644)

    assert len(store.load()) == 1

    assert store.path.stat().st_mode & 0o777 == 0o600
    assert "was open to other users" in warnings[0]


def add_many(home, names):
    for name in names:
        AccountStore(home).add(account(name))


def test_two_processes_that_add_at_once_lose_nothing(store):
    spawn = multiprocessing.get_context("spawn")
    halves = ([f"a{number}" for number in range(10)], [f"b{number}" for number in range(10)])

    processes = [spawn.Process(target=add_many, args=(store.path.parent, names)) for names in halves]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert sorted(each.name for each in store.load()) == sorted(halves[0] + halves[1])
    assert [each.name for each in store.path.parent.iterdir()] == ["accounts.json"]


def test_the_home_is_a_variable_or_a_folder_of_the_user():
    assert gateway_home({"QWEN_GATEWAY_HOME": "/somewhere"}) == Path("/somewhere")
    assert gateway_home({"QWEN_GATEWAY_HOME": ""}) == Path.home() / ".qwen-gateway"
    assert gateway_home({"QWEN_GATEWAY_HOME": "~/x"}) == Path.home() / "x"
    assert gateway_home({"HOME": "/home/me"}) == Path("/home/me/.qwen-gateway")
