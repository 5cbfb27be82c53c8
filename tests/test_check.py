"""`qwen-gateway check`: what is wrong is said with its remedy, nothing is sent, no secret is shown."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qwen_gateway.cli import main


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    for name in ("DASHSCOPE_API_KEY", "QWEN_API_KEY", "QWEN_TOKEN", "QWEN_COOKIES"):
        monkeypatch.delenv(name, raising=False)

    def check(*arguments: str, **environ: str) -> Result:
        base = {"QWEN_GATEWAY_HOME": str(tmp_path / "home"), "QWEN_HOME": str(tmp_path), "HOME": str(tmp_path)}
        return CliRunner(env=base | environ).invoke(main, ["check", *arguments])

    return check


def test_a_sound_configuration_ends_with_zero(check) -> None:  # type: ignore[no-untyped-def]
    done = check(DASHSCOPE_API_KEY="sk-canary")

    assert done.exit_code == 0, done.output
    assert "account dashscope: key, model-studio-intl" in done.output
    assert "The configuration is valid." in done.output
    assert "canary" not in done.output


def test_without_an_account_it_ends_with_three(check) -> None:  # type: ignore[no-untyped-def]
    done = check()

    assert done.exit_code == 3
    assert "there is no account" in done.output


@pytest.mark.parametrize(
    ("environ", "arguments", "said"),
    [
        ({"QWEN_TOKEN": "T2gA-canary"}, (), "QWEN_COOKIES is needed"),
        ({"RETRY_MAX_ATTEMPTS": "many"}, (), "RETRY_MAX_ATTEMPTS='many' cannot be read"),
        ({}, ("--set", "qwen_attempts=0"), "qwen_attempts is 0"),
        ({}, ("--set", "qwen_keys_file=/nowhere"), "/nowhere cannot be read"),
        ({}, ("--set", "qwen_ca_bundle=/nowhere"), "there is no file /nowhere"),
        ({}, ("--host", "0.0.0.0"), "needs keys"),
        ({"QWEN_API_KEY": "sk-canary", "QWEN_PLAN": "nonsense"}, (), "there is no plan 'nonsense'"),
    ],
)
def test_what_would_be_refused_is_an_error(check, environ, arguments, said) -> None:  # type: ignore[no-untyped-def]
    done = check(*arguments, **{"DASHSCOPE_API_KEY": "sk-1"} | environ)

    assert done.exit_code == 1, done.output
    assert said in done.output
    assert "canary" not in done.output


def test_files_that_others_can_read_are_told(check, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / ".env").write_text("DASHSCOPE_API_KEY=sk-canary\n")
    (tmp_path / ".env").chmod(0o644)

    done = check()

    assert done.exit_code == 0, done.output
    assert f"chmod 600 {tmp_path / '.env'}" in done.output.replace("\n", "")
    assert "canary" not in done.output
