"""`qwen-auth` with browser sessions, in a process."""

import json

import pytest
from click.testing import CliRunner

from qwen_auth.cli import cli
from tests.auth.web.sessions import jwt
from tests.auth.web.test_curl import BASH


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, keys=None, **environ):
        environ = {"QWEN_GATEWAY_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "COLUMNS": "100"} | environ
        return CliRunner(env=environ).invoke(cli, arguments, input=keys, prog_name="qwen-auth")

    return run


def test_a_pasted_request_becomes_an_account_and_its_terms_are_said(run, tmp_path):
    done = run("add", "me", "--web", "--from-curl", keys=BASH)

    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "home" / "web" / "me.json").read_text())
    assert set(kept) == {"version", "base_url", "umidtoken", "cookies", "headers", "captured"}
    assert "may be against the terms of chat.qwen.ai" in " ".join(done.stderr.split())
    assert "canary" not in done.output
    assert "private" not in (tmp_path / "home" / "web" / "me.json").read_text()


def test_a_jwt_is_added_and_listed_with_its_expiry(run):
    added = run("add", "me", "--web", "--key-from-stdin", "--json", keys=jwt(exp=4_000_000_000))
    listed = json.loads(run("list", "--json").stdout)

    assert added.exit_code == 0, added.output
    assert (listed["name"], listed["kind"], listed["state"]) == ("me", "web", "fresh")
    assert listed["expires_in"] > 1_000_000_000
    assert listed["notice"] is None


def test_an_expired_session_is_told_in_the_list(run):
    run("add", "me", "--web", "--key-from-stdin", keys=jwt(exp=1_700_000_000))

    listed = run("list")

    assert "expired" in listed.stdout
    assert "qwen-auth add me --web --from-curl --replace" in " ".join(listed.stderr.split())


def test_a_name_that_is_taken_is_replaced_only_on_demand(run, tmp_path):
    run("add", "me", "--web", "--from-curl", "--proxy", "http://p:1", keys=BASH)

    again = run("add", "me", "--web", "--from-curl", keys=BASH)
    replaced = run("add", "me", "--web", "--from-curl", "--replace", keys=BASH)

    assert again.exit_code == 2
    assert "--replace" in again.stderr
    assert replaced.exit_code == 0
    assert json.loads((tmp_path / "home" / "web" / "me.json").read_text())["proxy"] == "http://p:1"


def test_a_session_is_removed(run, tmp_path):
    run("add", "me", "--web", "--from-curl", keys=BASH)

    assert run("remove", "me").exit_code == 0
    assert not (tmp_path / "home" / "web" / "me.json").exists()


@pytest.mark.parametrize(
    ("arguments", "keys", "why"),
    [
        (("--web", "--key-from-stdin"), "T2gA-canary", "no JWT"),
        (("--from-curl",), "curl https://example.com -b token=eyJ.eyJpZCI6MX0.c", "not chat.qwen.ai"),
        (("--web", "--plan", "vllm", "--from-curl"), BASH, "no plan"),
        (("--web", "--from-curl", "--key-from-stdin"), BASH, "no plan"),
    ],
)
def test_what_is_no_session_is_refused(run, arguments, keys, why):
    done = run("add", "me", *arguments, keys=keys)

    assert done.exit_code == 2
    assert why in " ".join(done.output.split())
    assert "canary" not in done.output
