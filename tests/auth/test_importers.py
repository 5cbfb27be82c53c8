import json

import pytest

from qwen_auth.errors import AccountError, FileError
from qwen_auth.importers import find_logins
from qwen_auth.token import Token

STORED = {"access_token": "canary-a", "refresh_token": "canary-r", "token_type": "Bearer", "expiry_date": 1790000000000}
# upstream.md 2.6
CLIPROXY = {
    "access_token": "canary-a",
    "refresh_token": "canary-r",
    "last_refresh": "2026-09-21T10:13:20+08:00",
    "resource_url": "portal.qwen.ai",
    "email": "me@example.org",
    "type": "qwen",
    "expired": "2026-09-21T22:13:20+08:00",
}


@pytest.fixture
def write(tmp_path):
    def write(name, document):
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        path.chmod(0o600)
        return path

    return write


def test_a_file_of_cliproxyapi(write):
    [found] = find_logins(write("qwen-me@example.org.json", CLIPROXY))

    assert found.name == "me@example.org"
    assert found.token == Token("canary-a", "canary-r", 1790000000000, resource_url="portal.qwen.ai")


@pytest.mark.parametrize(
    ("expired", "milliseconds"),
    [("2026-09-21T14:13:20Z", 1790000000000), ("2026-09-21T14:13:20.5+00:00", 1790000000500)],
)
def test_its_times_are_rfc_3339(write, expired, milliseconds):
    [found] = find_logins(write("qwen-x.json", CLIPROXY | {"expired": expired}))

    assert found.token.expiry_date == milliseconds


@pytest.mark.parametrize(
    ("email", "file", "name"),
    [("", "qwen-1762.json", "1762"), ("a b@c.example", "qwen-x.json", "a-b@c.example")],
)
def test_an_account_gets_a_name_that_will_do(write, email, file, name):
    assert find_logins(write(file, CLIPROXY | {"email": email}))[0].name == name


def test_an_account_without_a_name_wants_one(write):
    with pytest.raises(AccountError, match="give one with --name"):
        find_logins(write("qwen-_.json", CLIPROXY | {"email": None}))


def test_another_program_s_file_is_not_touched(write):
    path = write("qwen-x.json", CLIPROXY)
    path.chmod(0o644)

    find_logins(path)

    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_of_the_seed(write, tmp_path):
    write("oauth_creds.json", STORED)
    write("oauth_creds_work.json", STORED | {"access_token": "other"})
    write("request_counts.json", {"requests": {}})
    write("settings.json", {})

    assert [(each.name, each.token.access_token) for each in find_logins(tmp_path)] == [
        ("default", "canary-a"),
        ("work", "other"),
    ]


def test_what_is_no_login_in_a_folder_is_passed_over(write, tmp_path):
    warnings = []
    write("oauth_creds_work.json", STORED)
    write("oauth_creds_old.json", "{")
    write("oauth_creds_a b.json", STORED)

    assert [each.name for each in find_logins(tmp_path, warnings.append)] == ["work"]
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, r"is no Qwen login \(has no access_token\)"),
        (CLIPROXY | {"expired": "soon"}, "has no time in expired"),
        (CLIPROXY | {"refresh_token": ""}, "has no refresh_token"),
        ('{"access_token": "canary', "is not JSON"),
    ],
)
def test_half_a_login_is_refused(write, document, problem):
    with pytest.raises(FileError, match=problem) as fault:
        find_logins(write("qwen-x.json", document))

    assert "canary" not in str(fault.value)


def test_a_path_that_leads_nowhere(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        find_logins(tmp_path / "nowhere.json")
    with pytest.raises(FileError, match="holds no Qwen login"):
        find_logins(tmp_path)
