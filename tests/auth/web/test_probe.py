"""`qwen-auth test` with a browser session, against the simulator as a server of its own."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from qwen_auth.cli import cli
from qwen_auth.web.session import Session, parse_cookies
from qwen_gateway.simulator import Simulator
from tests.auth.web.sessions import stored


@pytest.fixture(scope="module")
def upstream() -> Iterator[Simulator]:
    with Simulator.in_thread() as simulator:
        yield simulator


@pytest.fixture
def run(tmp_path, monkeypatch, upstream):
    upstream.reset()
    monkeypatch.chdir(tmp_path)
    headers = upstream.web.visitors.browser("alice")
    session = Session("", headers["bx-umidtoken"], parse_cookies(headers["cookie"]))
    stored(tmp_path / "home", session, base_url=upstream.url("web"))

    def run(*arguments):
        environ = {"QWEN_GATEWAY_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "COLUMNS": "200"}
        return CliRunner(env=environ).invoke(cli, arguments, prog_name="qwen-auth")

    return run


def test_a_session_that_works_answers_and_leaves_no_chat(run, upstream):
    done = run("test", "me")

    assert done.exit_code == 0, done.output
    assert "qwen3.7-plus at" in done.stderr
    assert "Say hi" in done.stderr
    assert len(upstream.web.chats) == 0
    assert len(upstream.web.chats.deleted) == 1


@pytest.mark.parametrize(
    ("fault", "code", "why"),
    [
        ("web-challenge", 5, "bot defence wants to see a browser"),
        ("web-challenge-page", 5, "bot defence wants to see a browser"),
        ("web-rate-limited", 5, "wait 6 hours"),
        ("web-unauthorized", 4, "qwen-auth add me --web --from-curl --replace"),
        ("web-error", 5, "Internal_Server_Error"),
        ("web-silent", 5, "silence"),
    ],
)
def test_a_refusal_is_said_in_words(run, upstream, fault, code, why):
    upstream.script([{"fault": fault, "path": "/chat/completions"}])

    done = run("test", "me")

    assert done.exit_code == code, done.output
    assert why in " ".join(done.output.split())


def test_a_session_is_renewed_by_hand(run, upstream):
    before = upstream.web.visitors.user("alice").renewals

    done = run("refresh", "me")

    assert done.exit_code == 0, done.output
    assert "is renewed for 1" in done.stderr
    assert upstream.web.visitors.user("alice").renewals == before + 1
