import json
import os

import pytest

from qwen_auth.errors import AccountError, FileError
from qwen_auth.qwen_store import LoginFile, QwenDirectory, login_name, qwen_directory
from qwen_auth.token import Token

TOKEN = Token("canary-a", "canary-r", 1790000000000, resource_url="portal.qwen.ai")


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def directory(tmp_path, warnings):
    return QwenDirectory(tmp_path / ".qwen", warn=warnings.append)


def test_the_plain_file_is_the_account_default(directory):
    assert directory.file("default").path.name == "oauth_creds.json"
    assert directory.file("default").lock_path.name == "oauth_creds.lock"


def test_every_other_account_has_a_file_and_a_lock_of_its_own(directory):
    assert directory.file("work").path.name == "oauth_creds_work.json"
    assert directory.file("work").lock_path.name == "oauth_creds_work.lock"


def test_a_login_is_written_privately_and_read_back(directory, warnings):
    file = directory.file("default")

    file.write(TOKEN)

    assert file.read() == TOKEN
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert warnings == []


def test_without_a_file_there_is_no_login(directory):
    assert directory.file("work").read() is None
    assert directory.file("work").stamp() is None
    assert directory.names() == []


def test_every_write_changes_the_stamp(directory):
    file = directory.file("work")
    stamps = set()
    for _ in range(5):
        file.write(TOKEN)
        stamps.add(file.stamp())

    assert len(stamps) == 5


def test_the_modification_time_always_grows_because_qwen_code_looks_at_nothing_else(directory):
    file = directory.file("default")
    file.write(TOKEN)
    tomorrow = file.path.stat().st_mtime + 86400  # written before the clock was set back
    os.utime(file.path, (tomorrow, tomorrow))

    file.write(TOKEN)

    assert file.path.stat().st_mtime > tomorrow


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ('{\n  "access_token": "canary-a",\n  "refr', r"oauth_creds_work\.json:3: is not JSON"),
        ('{"version": 1, "accounts": []}', r"is no Qwen login \(has no access_token\); .* `qwen-auth login work`"),
        ("[]", "holds no JSON object"),
    ],
)
def test_a_file_that_is_no_login_is_reported_and_left_alone(directory, content, problem):
    file = directory.file("work")
    file.path.parent.mkdir()
    file.path.write_text(content)
    file.path.chmod(0o600)

    with pytest.raises(FileError, match=problem) as fault:
        file.read()

    assert file.path.read_text() == content
    assert "canary" not in str(fault.value)


def test_a_login_that_others_can_read_is_closed_and_told(directory, warnings):
    file = directory.file("work")
    file.write(TOKEN)
    file.path.chmod(0o644)

    assert file.read() == TOKEN

    assert file.path.stat().st_mode & 0o777 == 0o600
    assert "was open to other users (mode 0644)" in warnings[0]


def test_what_is_no_file_cannot_be_read(directory):
    file = directory.file("work")
    file.path.mkdir(parents=True)

    with pytest.raises(FileError, match="cannot be read"):
        file.read()


def test_all_logins_are_found_the_default_one_first(directory):
    for name in ("zoe", "default", "ann"):
        directory.file(name).write(TOKEN)
    for other in ("settings.json", "oauth_creds.lock", "request_counts.json", "oauth_creds_x.json.tmp.1"):
        (directory.directory / other).write_text("{}")

    assert directory.names() == ["default", "ann", "zoe"]


def test_a_file_whose_name_is_no_account_name_is_told(directory, warnings):
    directory.file("work").write(TOKEN)
    for odd in ("oauth_creds_my work.json", "oauth_creds_default.json"):
        (directory.directory / odd).write_text("{}")

    assert directory.names() == ["work"]
    assert ["rename the file" in warning for warning in warnings] == [True, True]


def test_qwen_code_s_own_login_is_left_alone_when_asked(tmp_path):
    environ = {"QWEN_HOME": str(tmp_path), "QWEN_CODE_AUTH_USE": "false"}
    QwenDirectory(tmp_path).file("default").write(TOKEN)
    QwenDirectory(tmp_path).file("work").write(TOKEN)
    directory = QwenDirectory.from_environment(environ)

    assert directory.names() == ["work"]
    with pytest.raises(AccountError, match="QWEN_CODE_AUTH_USE=false"):
        directory.file("default")


@pytest.mark.parametrize("said", ["true", "", "1"])
def test_else_it_is_shared(tmp_path, said):
    environ = {"QWEN_HOME": str(tmp_path), "QWEN_CODE_AUTH_USE": said}
    QwenDirectory(tmp_path).file("default").write(TOKEN)

    assert QwenDirectory.from_environment(environ).names() == ["default"]


def test_a_name_cannot_leave_the_directory(directory):
    with pytest.raises(AccountError, match="cannot name an account"):
        directory.file("../../etc/passwd")


def test_the_directory_is_qwen_code_s(tmp_path):
    assert qwen_directory({"HOME": str(tmp_path)}) == tmp_path / ".qwen"
    assert qwen_directory({"HOME": str(tmp_path), "QWEN_HOME": "~/q"}) == tmp_path / "q"
    assert qwen_directory({"QWEN_HOME": "/q"}).as_posix() == "/q"


def test_a_file_names_its_account(directory):
    assert login_name(directory.file("default").path) == "default"
    assert login_name(directory.file("me@home").path) == "me@home"


def test_a_full_disk_is_noticed_before_it_matters(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(FileError, match="cannot be written"):
        LoginFile(tmp_path / "file" / "oauth_creds.json").check_room()


def test_probing_leaves_nothing_behind(directory):
    file = directory.file("work")
    file.write(TOKEN)

    file.check_room()

    assert [entry.name for entry in directory.directory.iterdir()] == ["oauth_creds_work.json"]
    assert json.loads(file.path.read_text())["access_token"] == "canary-a"
