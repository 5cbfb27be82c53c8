"""Log files that start anew when they are full."""

import os
from pathlib import Path

import pytest

from qwen_gateway.rotation import RotatedFile

LINE = b"x" * 99 + b"\n"


def test_a_full_file_makes_room_and_the_oldest_goes(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "a.log", size=1_000, kept=3)
    for number in range(55):
        file.write(b"%02d" % number + LINE[2:])
    file.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert (tmp_path / "a.log").read_bytes().startswith(b"50")
    assert (tmp_path / "a.log.1").read_bytes().startswith(b"40")
    assert (tmp_path / "a.log.2").stat().st_size == 1_000


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    for _ in range(15):
        file = RotatedFile(tmp_path / "a.log", size=1_000, kept=5)
        file.write(LINE)
        file.close()
    assert (tmp_path / "a.log").stat().st_size == 500
    assert (tmp_path / "a.log.1").stat().st_size == 1_000


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    file = RotatedFile(tmp_path / "logs" / "a.log")
    file.write(LINE)
    file.close()
    assert (tmp_path / "logs" / "a.log").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "logs").stat().st_mode & 0o077 == 0


def test_a_line_that_was_cut_off_does_not_swallow_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with room for half a line, and then for more."""
    file = RotatedFile(tmp_path / "a.log")
    real = os.write
    with monkeypatch.context() as half:
        half.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:10]))
        file.write(LINE)
    file.write(b"whole\n")
    file.close()
    assert (tmp_path / "a.log").read_bytes().splitlines() == [b"x" * 10, b"whole"]


def test_what_cannot_be_written_is_an_error_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    file = RotatedFile(tmp_path / "logs" / "a.log")
    with pytest.raises(OSError, match="exists"):
        file.write(LINE)
    (tmp_path / "logs").unlink()
    file.write(LINE)
    file.close()
    assert (tmp_path / "logs" / "a.log").read_bytes() == LINE
