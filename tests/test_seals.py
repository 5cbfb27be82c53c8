"""The key of the seal: made once, private, and the same for every process that has the home."""

import stat
from pathlib import Path

import pytest

from qwen_gateway.openai.sealing import KEY
from qwen_gateway.seals import key_file, load_key


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = key_file({"QWEN_GATEWAY_HOME": str(tmp_path / "home")})

    first = load_key(path)

    assert len(first) == KEY
    assert load_key(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["seal.key"]


def test_a_file_without_a_key_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "seal.key"
    path.write_text("nonsense")

    assert load_key(path) == load_key(path)
    assert "holds no key" in caplog.text


def test_without_a_place_for_it_the_key_lives_as_long_as_the_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    assert len(load_key(tmp_path / "file" / "seal.key")) == KEY
    assert "will not open after a restart" in caplog.text
