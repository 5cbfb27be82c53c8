"""A canary in every credential, servers that repeat whatever they are sent, and a search of all that is said."""

import logging
import time
from urllib.parse import parse_qsl

import httpx
import pytest
from click.testing import CliRunner

from qwen_auth import load_accounts
from qwen_auth.cli import cli
from qwen_auth.commands.terminal import Outside
from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token

CANARY = "c4n4ry"


def parrot(status):
    """A server that answers with everything it was sent."""

    def answer(request):
        fields = [value for _, value in parse_qsl(request.content.decode())]
        said = " ".join([request.headers.get("authorization", ""), *reversed(fields), *request.headers.values()])
        error = {"error": "invalid_request", "error_description": said, "message": said}
        return httpx.Response(status, json=error, request=request)

    return answer


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A key with a proxy in the file, one in the environment, one in `.env`, and a login."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"BAILIAN_TOKEN_PLAN_API_KEY=sk-sp-{CANARY}1\n")
    environ = {"HOME": str(tmp_path), "DASHSCOPE_API_KEY": f"sk-sp-{CANARY}2", "QWEN_CLIENT_SECRET": f"{CANARY}3"}
    expiry = (time.time() - 1) * 1000
    extra = {"id_token": f"{CANARY}4"}
    LoginFile(tmp_path / ".qwen" / "oauth_creds.json").write(
        Token(f"{CANARY}5", f"{CANARY}6", expiry, resource_url="portal.qwen.ai", extra=extra)
    )

    def run(*arguments, status=401, keys=None):
        transport = httpx.MockTransport(parrot(status))
        outside = Outside(connect=lambda _: httpx.AsyncClient(transport=transport))
        return CliRunner(env=environ).invoke(cli, arguments, obj=outside, input=keys)

    add = ("add", "work", "--plan", "coding-plan", "--key-from-stdin", "--proxy", f"http://me:{CANARY}7@proxy:3128")
    assert CANARY not in run(*add, keys=f"sk-{CANARY}8").output
    return run, environ


COMMANDS = (
    *("list", "list --json", "counts", "login new --json", "login default", "remove work"),
    *("test work", "test work --json", "test dashscope", "test token-plan", "test default"),
    *("refresh default", "refresh default --json"),
)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_says_a_secret(world, caplog, command, status):
    run, _ = world
    caplog.set_level(logging.DEBUG)

    done = run(*command.split(), status=status)

    assert CANARY not in done.output
    assert CANARY not in caplog.text
    assert "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_no_account_shows_a_secret_and_a_redactor_can_find_them_all(world, tmp_path):
    _, environ = world
    warnings = []

    accounts = load_accounts(environ | {"BAILIAN_TOKEN_PLAN_API_KEY": f"sk-sp-{CANARY}1"}, warn=warnings.append)

    assert CANARY not in repr(accounts) + str(warnings) + "".join(repr(each.credentials) for each in accounts)
    found = {secret for account in accounts for secret in account.secrets()}
    assert {secret[-1] for secret in found} == set("1245678")
