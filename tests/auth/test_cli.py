"""`qwen-auth` as a person or a script meets it: in a process, by its output and exit code."""

import json

import pytest
from click.testing import CliRunner

from qwen_auth.cli import cli


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, keys=None, **environ):
        environ = {"QWEN_GATEWAY_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "COLUMNS": "100"} | environ
        return CliRunner(env=environ).invoke(cli, arguments, input=keys, prog_name="qwen-auth")

    return run


def stored(tmp_path):
    return json.loads((tmp_path / "home" / "accounts.json").read_text())["accounts"]


def test_every_command_stands_under_a_heading_of_the_help(run):
    shown = run("--help").stdout

    assert sorted(name for names in type(cli).headings.values() for name in names) == sorted(cli.commands)
    assert all(f"\n  {name} " in shown for name in cli.commands)


def test_the_help_names_the_exit_codes(run):
    assert "0 done, 1 fault, 2 wrong use, 3 no such account, 4 needs login" in run("--help").stdout


def test_a_key_from_stdin_is_stored_and_never_shown(run, tmp_path):
    done = run("add", "work", "--plan", "model-studio-intl", "--key-from-stdin", keys="sk-canary\n")

    assert done.exit_code == 0
    assert stored(tmp_path) == [
        {
            "name": "work",
            "kind": "key",
            "plan": "model-studio-intl",
            "base_url": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "key": "sk-canary",
        }
    ]
    assert "canary" not in done.output
    assert "qwen-auth test work" in done.stderr


def test_a_key_from_a_variable(run, tmp_path):
    done = run("add", "work", "--plan", "coding-plan", "--key-env", "MY_KEY", MY_KEY="sk-sp-canary")

    assert done.exit_code == 0
    assert stored(tmp_path)[0]["key"] == "sk-sp-canary"


def test_a_server_of_one_s_own_needs_no_key(run, tmp_path):
    done = run(
        *("add", "gpu", "--plan", "vllm", "--base-url", "http://gpu:8000/v1/"),
        *("--model", "qwen3", "--model", "qwen3-coder", "--proxy", "http://me:canary@proxy:3128"),
    )

    assert done.exit_code == 0
    assert stored(tmp_path) == [
        {
            "name": "gpu",
            "kind": "key",
            "plan": "vllm",
            "base_url": "http://gpu:8000/v1",
            "key": "",
            "proxy": "http://me:canary@proxy:3128",
            "models": ["qwen3", "qwen3-coder"],
        }
    ]
    assert "canary" not in run("list").output + run("list", "--json").output


def test_a_workspace_has_its_own_domain(run, tmp_path):
    run("add", "work", "--plan", "model-studio-cn", "--workspace", "ws-7", "--key-from-stdin", keys="sk-1")

    assert stored(tmp_path)[0]["base_url"] == "https://ws-7.cn-beijing.maas.aliyuncs.com/compatible-mode/v1"


def test_a_base_url_alone_is_recognised(run, tmp_path):
    run("add", "work", "--base-url", "https://coding.dashscope.aliyuncs.com/v1", "--key-from-stdin", keys="sk-sp-1")

    assert stored(tmp_path)[0]["plan"] == "coding-plan-cn"


def test_a_key_of_another_plan_is_stored_with_a_warning(run, tmp_path):
    done = run("add", "work", "--plan", "model-studio-intl", "--key-from-stdin", "--json", keys="sk-sp-canary")

    assert done.exit_code == 0
    assert stored(tmp_path)[0]["key"] == "sk-sp-canary"
    assert "warning: this key begins with sk-sp-" in done.stderr
    assert "belongs to a Coding Plan" in json.loads(done.stdout)["warning"]
    assert "canary" not in done.output


def test_a_key_over_plain_http_is_warned_of(run):
    done = run("add", "gpu", "--base-url", "http://gpu:8000/v1", "--key-from-stdin", keys="secret")

    assert "http://gpu:8000/v1 is not encrypted" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "keys", "words"),
    [
        (("work", "--key-from-stdin"), "sk-1", "--plan PLAN"),
        (("work", "--plan", "model-studio-intl"), "", "add --key-from-stdin or --key-env VAR"),
        (("work", "--plan", "model-studio-intl", "--key-from-stdin", "--key-env", "X"), "", "not both"),
        (("work", "--base-url", "http://h/v1", "--workspace", "ws-1"), "", "not both"),
        (("work", "--plan", "gold", "--key-from-stdin"), "sk-1", "there is no plan 'gold'"),
        (("work", "--plan", "qwen-oauth", "--key-from-stdin"), "sk-1", "qwen-auth login"),
        (("work", "--plan", "model-studio-jp", "--key-from-stdin"), "sk-1", "--workspace ID"),
        (("../x", "--plan", "vllm"), "", "cannot name an account"),
        (("work", "--plan", "vllm", "--proxy", "proxy:3128"), "", "http://host:3128"),
        (("work", "--plan", "model-studio-intl", "--key-from-stdin"), "\n", "stdin holds no key"),
        (
            ("work", "--plan", "model-studio-intl", "--key-env", "UNSET"),
            "",
            "environment variable UNSET holds no key",
        ),
        (("work", "--plan", "model-studio-intl", "--key-from-stdin"), "sk canary", "stdin: the key has a blank"),
        (("work", "--plan", "model-studio-intl", "--key-from-stdin"), "canary" * 1000, "which is no key"),
        (("work", "--plan", "model-studio-intl", "--key-from-stdin"), b"\xff\xfecanary", "a non-ASCII character"),
    ],
)
def test_wrong_use_ends_with_two_and_says_what_would_do(run, tmp_path, arguments, keys, words):
    done = run("add", *arguments, keys=keys)

    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "home").exists()
    assert "canary" not in done.output


def test_a_taken_name_needs_replace(run, tmp_path):
    add = ("add", "work", "--plan", "model-studio-intl", "--key-from-stdin")
    run(*add, keys="sk-1")

    assert run(*add, keys="sk-2").exit_code == 2
    assert run(*add, "--replace", keys="sk-3").exit_code == 0
    assert [record["key"] for record in stored(tmp_path)] == ["sk-3"]


def test_the_list_shows_name_plan_state_and_endpoint_in_order(run):
    run("add", "gpu", "--plan", "vllm", "--base-url", "http://gpu:8000/v1")

    shown = run("list", DASHSCOPE_API_KEY="sk-canary", DEFAULT_ACCOUNT="dashscope").stdout

    assert shown.index("dashscope") < shown.index("gpu")
    assert "http://gpu:8000/v1" in shown
    assert "canary" not in shown


def test_the_list_for_scripts_is_one_object_per_line(run):
    [account] = map(json.loads, run("list", "--json", DASHSCOPE_API_KEY="sk-canary").stdout.splitlines())

    assert account["name"] == "dashscope"
    assert account["kind"] == "key"
    assert account["plan"] == "model-studio-intl"
    assert account["state"] == "fresh"
    assert account["endpoint"] == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    assert account["source"] == "environment variable DASHSCOPE_API_KEY"


def test_an_empty_list_says_how_to_begin(run):
    done = run("list")

    assert done.exit_code == 0
    assert "qwen-auth add NAME" in done.stderr


def test_accounts_of_a_dotenv_file_are_listed(run, tmp_path):
    (tmp_path / ".env").write_text("DASHSCOPE_API_KEY=sk-1\n")

    assert "dashscope" in run("list").stdout


def test_a_removed_account_is_gone(run, tmp_path):
    run("add", "gpu", "--plan", "vllm")

    assert run("remove", "gpu").exit_code == 0
    assert stored(tmp_path) == []


def test_removing_a_stranger_ends_with_three(run):
    done = run("remove", "nobody", "--json")

    assert done.exit_code == 3
    assert json.loads(done.stdout)["error"] == {
        "kind": "no_such_account",
        "message": "there is no account 'nobody'; there are no accounts yet; see `qwen-auth add --help`",
        "exit_code": 3,
    }


def test_an_account_of_the_environment_is_removed_there(run):
    done = run("remove", "dashscope", DASHSCOPE_API_KEY="sk-1")

    assert done.exit_code == 2
    assert "unset" in done.stderr


def test_a_broken_file_ends_with_one_and_is_named(run, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "accounts.json").write_text("{\n")

    done = run("list")

    assert done.exit_code == 1
    assert "accounts.json:2: is not JSON" in done.stderr


def test_the_plans_are_shown_with_their_base_urls(run):
    done = run("plans")

    assert "coding-plan-cn" in done.stdout
    assert "https://coding.dashscope.aliyuncs.com/v1" in done.stdout


def test_the_plans_for_scripts_have_every_field(run):
    plans = [json.loads(line) for line in run("plans", "--json").stdout.splitlines()]

    assert {"name", "title", "flavour", "base_url", "workspace_url", "key_prefix", "source"} <= plans[0].keys()
