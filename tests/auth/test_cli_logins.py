"""The commands about Qwen logins, as a person or a script meets them."""

import json
import time

import pytest
from click.testing import CliRunner

from qwen_auth.cli import cli
from qwen_auth.commands.terminal import Outside
from qwen_auth.qwen_store import LoginFile
from qwen_auth.rests import Resting, write_rests
from qwen_auth.token import Token
from tests.auth.authority import Authority, json_answer

LINK = "https://chat.qwen.ai/authorize?user_code=K7Q2X9_M&client=qwen-code"
CLOSED = "closed the free tier"


async def no_sleep(seconds):
    """Tests do not wait."""


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def opened():
    return []


@pytest.fixture
def run(tmp_path, monkeypatch, authority, opened):
    monkeypatch.chdir(tmp_path)
    for name in ("SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY", "QWEN_HOME", "QWEN_GATEWAY_HOME", "DASHSCOPE_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, **environ):
        outside = Outside(connect=authority.connect, launch=opened.append, sleep=no_sleep)
        environ = {"HOME": str(tmp_path), "COLUMNS": "100", "DISPLAY": ":0"} | environ
        return CliRunner(env=environ).invoke(cli, arguments, obj=outside, prog_name="qwen-auth")

    return run


@pytest.fixture
def file(tmp_path):
    def file(name="default"):
        plain = "oauth_creds.json" if name == "default" else f"oauth_creds_{name}.json"
        return LoginFile(tmp_path / ".qwen" / plain)

    return file


@pytest.fixture
def signed_in(file):
    def signed_in(name="default", life=21600):
        expiry = (time.time() + life) * 1000
        file(name).write(Token("access-0", "refresh-0", expiry, resource_url="portal.qwen.ai"))

    return signed_in


def test_signing_in_stores_the_login_where_qwen_code_looks_for_it(run, file, authority, opened):
    done = run("login")

    assert done.exit_code == 0
    assert LINK in done.stderr
    assert "K7Q2X9_M" in done.stderr
    assert opened == [LINK]
    assert file().read().access_token == "access-1"
    assert file().path.stat().st_mode & 0o777 == 0o600
    assert "qwen-code uses it too" in done.stderr
    for secret in ("canary", "access-1", "refresh-1", authority.forms[-1]["code_verifier"]):
        assert secret not in done.output


def test_the_end_of_a_sign_in_says_that_the_free_tier_is_closed_and_what_to_do(run):
    said = run("login").stderr

    assert CLOSED in said
    assert "qwen-auth add work --plan model-studio-intl" in said


def test_nothing_is_said_about_the_free_tier_of_another_portal(run, authority):
    authority.resource_url = "http://127.0.0.1:9"

    assert CLOSED not in run("login").stderr


def test_another_account_gets_a_file_of_its_own(run, file):
    run("login", "work", "--no-browser")

    assert file("work").read().access_token == "access-1"
    assert file("default").read() is None


@pytest.mark.parametrize(
    "environ", [{"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, {"DISPLAY": "", "WAYLAND_DISPLAY": ""}]
)
def test_no_browser_is_opened_where_nobody_would_see_it(run, opened, environ, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    run("login", **environ)

    assert opened == []


def test_no_browser_is_opened_against_the_users_will(run, opened):
    run("login", "--no-browser")

    assert opened == []


def test_a_sign_in_for_scripts_is_two_lines_of_json(run, file):
    done = run("login", "work", "--json")

    link, end = map(json.loads, done.stdout.splitlines())
    assert link == {"verification_uri": LINK, "user_code": "K7Q2X9_M", "expires_in": 1800.0}
    assert (end["name"], end["endpoint"], end["path"]) == ("work", "https://portal.qwen.ai/v1", str(file("work").path))
    assert CLOSED in end["notice"]


def test_a_denied_sign_in_ends_with_five_and_stores_nothing(run, tmp_path, authority):
    authority.next_answers = [authority._device({"code_challenge": "x"}), json_answer(400, {"error": "access_denied"})]

    done = run("login", "--json")

    assert done.exit_code == 5
    assert json.loads(done.stdout.splitlines()[-1])["error"]["kind"] == "refused"
    assert not (tmp_path / ".qwen").exists()


def test_a_server_that_is_down_ends_with_six(run, authority):
    authority.next_answers = [(504, "text/html", "<html>alibaba-ga</html>")]

    assert run("login").exit_code == 6


def test_a_disk_without_room_is_told_before_anyone_signs_in(run, tmp_path, authority):
    (tmp_path / ".qwen").mkdir()
    (tmp_path / ".qwen" / "oauth_creds.json").symlink_to("/dev/null/oauth_creds.json")

    done = run("login")

    assert done.exit_code == 1
    assert "cannot be written" in done.stderr
    assert authority.forms == []


def test_stopping_leaves_nothing_behind(tmp_path, monkeypatch, authority):
    async def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    outside = Outside(connect=authority.connect, sleep=interrupt)

    done = CliRunner(env={"HOME": str(tmp_path)}).invoke(cli, ["login", "--no-browser"], obj=outside)

    assert done.exit_code == 130
    assert "stopped" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_login_can_have_a_proxy_and_models(run):
    run("login", "work", "--proxy", "http://me:canary@proxy:3128", "--model", "coder-model")

    [account] = map(json.loads, run("list", "--json").stdout.splitlines())
    assert (account["proxy"], account["models"]) == ("http://***@proxy:3128", ["coder-model"])


def test_the_name_of_a_key_account_is_taken(run):
    done = run("login", "dashscope", DASHSCOPE_API_KEY="sk-1")

    assert done.exit_code == 2
    assert "has a key already" in done.stderr


def test_qwen_code_s_login_is_left_alone_when_asked(run):
    done = run("login", QWEN_CODE_AUTH_USE="false")

    assert done.exit_code == 2
    assert "choose another name" in done.stderr


def test_the_list_shows_state_expiry_endpoint_requests_and_recovery(run, signed_in, tmp_path):
    signed_in("work", life=3700)
    counts = {"lastResetDate": time.strftime("%Y-%m-%d", time.gmtime()), "requests": {"work": 42}}
    (tmp_path / ".qwen" / "request_counts.json").write_text(json.dumps(counts))
    write_rests(tmp_path / ".qwen-gateway", [Resting("work", "", "exhausted", time.time() + 725, "quota")])

    done = run("list")

    header, row, details, *_ = done.stdout.splitlines()
    assert header.split() == ["ACCOUNT", "PLAN", "STATE", "EXPIRES", "CALLS", "TODAY", "RECOVERS"]
    assert row.split() == ["work", "qwen-oauth", "exhausted", "in", "1", "h", "1", "min", "42", "in", "12", "min"]
    assert "https://portal.qwen.ai/v1" in details
    assert CLOSED in done.stderr


def test_the_list_says_that_a_hand_disabled_an_account(run, signed_in, tmp_path):
    signed_in("work", life=3700)
    write_rests(tmp_path / ".qwen-gateway", [Resting("work", "", "disabled", None, "disabled by hand")])

    _, row, details, *_ = run("list").stdout.splitlines()

    assert row.split()[2] == "disabled"
    assert row.rstrip().endswith("by hand")
    assert "disabled (disabled by hand)" in details
    assert json.loads(run("list", "--json").stdout)["next_recovery"] is None


def test_the_list_for_scripts_has_them_too(run, signed_in, tmp_path):
    signed_in("work", life=-10)
    write_rests(tmp_path / ".qwen-gateway", [Resting("work", "coder-model", "resting", time.time() + 60)])

    [account] = map(json.loads, run("list", "--json").stdout.splitlines())

    assert (account["kind"], account["state"], account["requests_today"]) == ("oauth", "expired", 0)
    assert account["expires_in"] < 0
    assert account["next_recovery"] is None
    assert account["resting"][0]["model"] == "coder-model"
    assert CLOSED in account["notice"]


def test_counts(run, tmp_path):
    assert "Nothing was counted today" in run("counts").stderr
    counts = {
        "lastResetDate": time.strftime("%Y-%m-%d", time.gmtime()),
        "requests": {"default": 1234},
        "webSearchRequests": {"default": 3},
    }
    (tmp_path / ".qwen").mkdir()
    (tmp_path / ".qwen" / "request_counts.json").write_text(json.dumps(counts))

    assert "1,234" in run("counts").stdout
    [row] = map(json.loads, run("counts", "--json").stdout.splitlines())
    assert (row["name"], row["requests"], row["web_search_requests"]) == ("default", 1234, 3)


def test_refreshing_by_hand(run, signed_in, file, authority):
    signed_in()

    done = run("refresh", "default")

    assert done.exit_code == 0
    assert "renewed for 6 h" in done.stderr
    assert file().read().refresh_token == "refresh-1"
    assert not file().lock_path.exists()


def test_refreshing_a_dead_login_ends_with_four(run, signed_in, file, authority):
    signed_in()
    authority.alive.clear()

    done = run("refresh", "default", "--json")

    assert done.exit_code == 4
    assert json.loads(done.stdout)["error"]["kind"] == "needs_login"
    assert file().read().refresh_token == "refresh-0"


def test_a_key_is_not_refreshed(run):
    assert run("refresh", "dashscope", DASHSCOPE_API_KEY="sk-1").exit_code == 2


@pytest.mark.parametrize("command", ["refresh", "test", "remove"])
def test_a_stranger_ends_with_three(run, command):
    assert run(command, "nobody").exit_code == 3


def test_testing_a_login_of_the_closed_tier_ends_with_five_and_says_so(run, signed_in, authority):
    signed_in()
    unauthorized = json_answer(401, {"error": {"code": "invalid_api_key", "message": "invalid access token"}})
    authority.next_answers = [unauthorized, authority._grant(), unauthorized]

    done = run("test", "default")

    assert done.exit_code == 5
    assert CLOSED in done.stderr


def test_testing_an_account_that_works(run, authority):
    authority.next_answers = [(200, "text/event-stream", 'data: {"choices":[{"delta":{"content":"Hi!"}}]}\n\n')] * 2

    assert "works: qwen-plus at https://dashscope-intl" in run("test", "dashscope", DASHSCOPE_API_KEY="sk-1").stderr
    answer = json.loads(run("test", "dashscope", "--json", DASHSCOPE_API_KEY="sk-1").stdout)
    assert (answer["model"], answer["text"]) == ("qwen-plus", "Hi!")


def test_removing_a_login_deletes_its_file_only(run, signed_in, file):
    signed_in("work")
    signed_in("other")

    assert run("remove", "work").exit_code == 0

    assert file("work").read() is None
    assert file("other").read() is not None


def test_removing_qwen_code_s_own_login_wants_a_yes(run, signed_in, file):
    signed_in()

    assert run("remove", "default").exit_code == 2
    assert file().read() is not None
    assert run("remove", "default", "--yes").exit_code == 0
    assert file().read() is None


def cliproxy(tmp_path):
    path = tmp_path / "qwen-me.json"
    document = {"type": "qwen", "email": "me@example.org", "access_token": "canary-a", "refresh_token": "canary-r"}
    path.write_text(json.dumps(document | {"expired": "2026-09-21T14:13:20Z", "resource_url": "portal.qwen.ai"}))
    path.chmod(0o600)
    return path


def test_importing_a_login_stores_it_here_and_warns_of_two_owners(run, file, tmp_path):
    done = run("import", str(cliproxy(tmp_path)))

    assert done.exit_code == 0
    assert file("me@example.org").read().access_token == "canary-a"
    assert "stop the other program" in done.stderr
    assert "canary" not in done.output


def test_an_import_under_another_name(run, file, tmp_path):
    assert run("import", str(cliproxy(tmp_path)), "--name", "work").exit_code == 0
    assert file("work").read() is not None


def test_an_import_does_not_replace_an_account_unasked(run, file, tmp_path, signed_in):
    signed_in("work")
    path = str(cliproxy(tmp_path))

    assert run("import", path, "--name", "work").exit_code == 2
    assert file("work").read().access_token == "access-0"
    assert run("import", path, "--name", "work", "--replace").exit_code == 0
    assert file("work").read().access_token == "canary-a"


def test_a_folder_is_imported_as_far_as_its_names_are_free(run, file, tmp_path, signed_in):
    signed_in("work")
    folder = tmp_path / "old"
    for name in ("work", "zoe"):
        LoginFile(folder / f"oauth_creds_{name}.json").write(Token("other", "r", 1790000000000))

    done = run("import", str(folder), "--json")

    assert done.exit_code == 2
    imported, error = map(json.loads, done.stdout.splitlines())
    assert imported["name"] == "zoe"
    assert "work" in error["error"]["message"]
    assert file("work").read().access_token == "access-0"
