"""Options: defaults from the environment, values checked once."""

from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions, options
from mitmproxy.addonmanager import Loader

from qwen_gateway.option_table import OPTIONS
from qwen_gateway.options import aliases, caller_keys, declare, environment, read


def declared(environ: dict[str, str] | None = None, **values: Any) -> Any:
    """mitmproxy's options with ours among them."""
    manager = options.Options()
    declare(_Loader(manager), environ or {})
    manager.update(**values)
    return manager


class _Loader(Loader):
    """Adds options, and needs no running master for it."""

    def __init__(self, manager: options.Options) -> None:
        self.master = type("Master", (), {"options": manager})()  # type: ignore[assignment]
        self.boot_into_addon = None


def test_every_option_is_ours_and_explained() -> None:
    for option in OPTIONS:
        assert option.name.startswith("qwen_")
        assert option.help.endswith(".")


def test_the_defaults_make_sense() -> None:
    settings = read(declared())

    assert settings.intercept_hosts == {"api.openai.com"}
    assert (settings.strategy, settings.policy, settings.thinking) == ("single", "standard", "reasoning_content")
    assert settings.body_limit == 32 * 1024 * 1024
    assert settings.limits.attempts == 4
    assert settings.naming.default is None
    assert not settings.naming.strict


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("MODELS_CACHE_DURATION", "60000", "models_cache", 60),
        ("QWEN_STRATEGY", "sticky", "strategy", "sticky"),
        ("DEFAULT_ACCOUNT", "work", "default_account", "work"),
        ("QWEN_POLICY", "strict", "policy", "strict"),
        ("QWEN_THINKING", "tags", "thinking", "tags"),
        ("QWEN_ALLOWED_HOSTS", "A.test, b.test", "allowed_hosts", {"a.test", "b.test"}),
        ("QWEN_CORS_ORIGINS", "https://App.test/", "cors_origins", {"https://app.test"}),
    ],
)
def test_the_environment_gives_defaults(variable: str, text: str, name: str, value: Any) -> None:
    assert getattr(read(declared({variable: text})), name) == value


def test_options_win_over_the_environment() -> None:
    assert read(declared({"QWEN_POLICY": "strict"}, qwen_policy="lenient")).policy == "lenient"


@pytest.mark.parametrize("name", [option.name for option in OPTIONS if option.choices])
def test_only_what_may_be_chosen_is_taken(name: str) -> None:
    with pytest.raises(exceptions.OptionsError, match=f"{name} is 'nonsense'; it must be one of "):
        read(declared(**{name: "nonsense"}))


def test_strict_policy_refuses_unknown_models_too() -> None:
    assert read(declared(qwen_policy="strict")).naming.strict


@pytest.mark.parametrize(
    ("variable", "text"),
    [("MODELS_CACHE_DURATION", "soon"), ("MODELS_CACHE_DURATION", "inf"), ("MODELS_CACHE_DURATION", "nan"),
     ("RETRY_MAX_ATTEMPTS", "many"), ("QWEN_POLICY", "harsh"), ("QWEN_STRATEGY", "luck")],
)  # fmt: skip
def test_a_variable_that_cannot_be_read_is_named(variable: str, text: str) -> None:
    with pytest.raises(exceptions.OptionsError, match=variable):
        declared({variable: text})


@pytest.mark.parametrize(
    ("name", "value"),
    [("qwen_attempts", 0), ("qwen_hold", 0), ("qwen_keep_alive", 0), ("qwen_first_timeout", 0), ("qwen_wait", -1),
     ("qwen_total_timeout", -5), ("qwen_models_cache", -1), ("qwen_body_limit", "much"), ("qwen_body_limit", "0"),
     ("qwen_model_aliases", ["gpt-4o"]), ("qwen_model_aliases", ["=x"])],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_named(name: str, value: Any) -> None:
    with pytest.raises(exceptions.OptionsError, match=name):
        read(declared(**{name: value}))


def test_aliases_are_names_and_models() -> None:
    assert aliases(["gpt-4* = qwen-plus", "a=b=c"]) == {"gpt-4*": "qwen-plus", "a": "b=c"}


class TestCallerKeys:
    def test_they_come_from_the_environment(self) -> None:
        keys = caller_keys(read(declared()), {"QWEN_GATEWAY_KEYS": "k-1, k-2"})

        assert repr(keys) == "Keys(2)"
        assert keys.known("k-2")

    def test_and_from_a_file_with_comments(self, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        file.write_text("# mine\nk-1  # laptop\n\nk-2\n")

        keys = caller_keys(read(declared(qwen_keys_file=str(file))), {})

        assert keys.known("k-1")
        assert repr(keys) == "Keys(2)"

    @pytest.mark.parametrize("content", [None, b"", b"# none\n", b"\xff"])
    def test_a_file_without_keys_is_never_an_open_door(self, tmp_path: Path, content: bytes | None) -> None:
        file = tmp_path / "keys"
        if content is not None:
            file.write_bytes(content)

        with pytest.raises(exceptions.OptionsError, match="qwen_keys_file"):
            caller_keys(read(declared(qwen_keys_file=str(file))), {})


def test_the_environment_is_read_with_its_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("QWEN_POLICY=strict\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QWEN_POLICY", raising=False)

    assert environment()["QWEN_POLICY"] == "strict"


def test_a_password_is_no_option() -> None:
    with pytest.raises(exceptions.OptionsError, match="QWEN_DATABASE_URL") as caught:
        read(declared(qwen_database="postgresql://me:hunter2@127.0.0.1/x"))

    assert "hunter2" not in str(caught.value)


def test_the_ledger_is_in_the_home_in_a_file_or_at_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_GATEWAY_HOME", str(tmp_path))
    monkeypatch.delenv("QWEN_DATABASE_URL", raising=False)
    assert read(declared()).ledger.where == str(tmp_path / "ledger.db")
    assert read(declared({"DATABASE_PATH": str(tmp_path / "x.db")})).ledger.where == str(tmp_path / "x.db")
    monkeypatch.setenv("QWEN_DATABASE_URL", "postgresql://db/qwen")
    assert read(declared({"DATABASE_PATH": "x.db"})).ledger.where == "postgresql://db/qwen"


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(exceptions.OptionsError, match="qwen_redact"):
        read(declared(qwen_redact=["("]))
