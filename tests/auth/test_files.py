import os
import sys
import textwrap

import pytest

from qwen_auth.errors import FileError
from qwen_auth.files import MAX_BYTES, parse_object, read_private, replace_private
from tests.auth.processes import run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "accounts.json"


@pytest.fixture
def warnings():
    return []


def mode(path):
    return path.stat().st_mode & 0o777


def test_a_file_that_is_not_there_is_none(path):
    assert read_private(path) is None


def test_what_was_written_is_read_back(path, warnings):
    replace_private(path, b"{}")

    assert read_private(path, warnings.append) == b"{}"
    assert warnings == []


def test_the_file_and_its_directory_are_for_their_owner_alone(path):
    replace_private(path, b"{}")

    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_a_replaced_file_is_private_even_if_the_old_one_was_not(path):
    replace_private(path, b"old")
    path.chmod(0o644)

    replace_private(path, b"new")

    assert mode(path) == 0o600
    assert path.read_bytes() == b"new"


def test_nothing_else_is_left_beside_it(path):
    replace_private(path, b"1")
    replace_private(path, b"2")

    assert [each.name for each in path.parent.iterdir()] == ["accounts.json"]


def test_a_symbolic_link_stays_one(path, tmp_path):
    kept = tmp_path / "dotfiles" / "accounts.json"
    replace_private(kept, b"old")
    path.parent.mkdir()
    path.symlink_to(kept)

    replace_private(path, b"new")

    assert path.is_symlink()
    assert kept.read_bytes() == b"new"


def test_a_file_open_to_others_is_closed_with_a_warning(path, warnings):
    replace_private(path, b"{}")
    path.chmod(0o644)

    assert read_private(path, warnings.append) == b"{}"

    assert mode(path) == 0o600
    assert len(warnings) == 1
    assert f"{path} was open to other users (mode 0644)" in warnings[0]
    assert "renew the keys" in warnings[0]


def test_it_is_closed_only_once(path, warnings):
    replace_private(path, b"{}")
    path.chmod(0o640)

    read_private(path, warnings.append)
    read_private(path, warnings.append)

    assert len(warnings) == 1


def test_what_cannot_be_read_is_named_with_a_remedy(path):
    path.mkdir(parents=True)

    with pytest.raises(FileError, match=r"accounts\.json: cannot be read \(.*\); mend its permissions"):
        read_private(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_someone_else_is_named_with_a_remedy(path):
    replace_private(path, b"{}")
    path.chmod(0)

    with pytest.raises(FileError, match=r"cannot be read \(Permission denied\)"):
        read_private(path)


def test_a_huge_file_is_something_else(path):
    replace_private(path, b" " * (MAX_BYTES + 1))

    with pytest.raises(FileError, match="larger than 4 MiB"):
        read_private(path)


def test_a_directory_that_is_a_file_cannot_be_written_to(tmp_path):
    (tmp_path / "home").write_text("I am a file")

    with pytest.raises(FileError, match="cannot be written"):
        replace_private(tmp_path / "home" / "accounts.json", b"{}")


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"", None, "is empty"),
        (b" \n", None, "is empty"),
        (b'{\n "version": 1,\n "acc', 3, "is not JSON"),
        (b'{\n "a": 1,\n\n "b" 2}', 4, "is not JSON"),
        (b"[1]", 1, "holds no JSON object"),
        (b"\xff\xfe{}", 1, "is not JSON"),
        (b"[" * 100_000, 1, "is not JSON"),
    ],
)
def test_a_broken_file_is_reported_with_file_and_line(path, content, line, problem):
    with pytest.raises(FileError, match=problem) as fault:
        parse_object(path, content)

    assert fault.value.line == line
    assert str(path) + (f":{line}:" if line else ":") in str(fault.value)


def test_a_broken_file_is_reported_without_its_content(path):
    with pytest.raises(FileError) as fault:
        parse_object(path, b'{"key": "sk-canary", }')

    assert "canary" not in str(fault.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_on_a_full_disk_the_old_file_stays_and_nothing_is_left_behind(path):
    replace_private(path, b"old")
    script = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from qwen_auth.errors import FileError
        from qwen_auth.files import replace_private
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        try:
            replace_private(Path(sys.argv[1]), b"x" * 1000)
        except FileError as error:
            print(error)
        """
    )

    told = run(script, path)

    assert "cannot be written" in told
    assert "nothing was changed" in told
    assert path.read_bytes() == b"old"
    assert [each.name for each in path.parent.iterdir()] == ["accounts.json"]
