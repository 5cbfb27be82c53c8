"""The command `qwen-gateway`: without an account, as a demo, by environment and `.env`."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from qwen_auth.commands.qr import qr_lines
from qwen_gateway.simulator import Simulator
from tests import referee
from tests.e2e.conftest import one_account
from tests.e2e.mitm import free_port
from tests.terminals import Terminal, plain

READY = 30.0  # seconds


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(folder), "QWEN_GATEWAY_HOME": str(folder / "gateway"), **more}


@contextmanager
def running(folder: Path, *arguments: str, **environ: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`qwen-gateway` with these arguments, and the file it prints to."""
    printed = folder / "printed.txt"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "qwen_gateway", *arguments],
            cwd=folder,
            env=environment(folder, **environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process, printed
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(20)


def wait_for(printed: Path, pattern: str) -> re.Match[str]:
    end = time.monotonic() + READY
    while time.monotonic() < end:
        if found := re.search(pattern, printed.read_text()):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{pattern!r} was not printed:\n{printed.read_text()}")


def children_of(pid: int) -> list[int]:
    """The simulator is a process of its own; none where the system does not list processes."""
    if not Path("/proc/self/stat").exists():
        return []
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    assert found
    return found


def test_without_an_account_it_says_what_to_do_and_does_not_start(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "qwen_gateway"],
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        timeout=30,
    )
    said = ended.stderr.decode()
    assert ended.returncode == 3
    assert "add work --plan model-studio-intl" in said
    assert "demo" in said
    assert "Traceback" not in said


def test_the_demo_answers_its_own_curl_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    arguments = ("demo", "--port", str(free_port()), "--web-port", str(free_port()), "--pace", "0.005")
    with running(tmp_path, *arguments) as (process, printed):
        base_url = wait_for(printed, r"Base URL\s+(\S+)")[1]
        watch = wait_for(printed, r"Watch\s+(\S+)")[1]
        wait_for(printed, "This is the demo")
        body = wait_for(printed, r"-d '(\{.*\})'")[1]

        answer = httpx.post(f"{base_url}/chat/completions", content=body, timeout=20)
        events = referee.read_sse(answer.content)
        assert referee.check_chat_stream([event.json for event in events if event.data != "[DONE]"]) == []
        assert httpx.get(watch, follow_redirects=True).status_code == 200
        children = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    said = printed.read_text()
    assert "Traceback" not in said
    assert re.search(r"qwen3\.7-plus @qwen ≈\d+: \d+\+\d+ tokens, first .* finished", said)


def test_the_demo_lets_a_newcomer_sign_in_from_the_link_to_the_first_answer(tmp_path: Path) -> None:
    """The printed line is typed as it stands, in another shell that knows no `qwen-auth`."""
    arguments = ("demo", "--port", str(free_port()), "--web-port", str(free_port()), "--pace", "0.005")
    with running(tmp_path, *arguments, PATH="/usr/bin:/bin") as (_, printed):
        base_url = wait_for(printed, r"Base URL\s+(\S+)")[1]
        line = wait_for(printed, r"Sign in\s+(.*)")[1]
        terminal = Terminal(["/bin/sh", "-c", line], tmp_path, {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
        try:
            shown = plain(terminal.until("left"))
            found = re.search(r"http://\S+/authorize\?user_code=(\S+?)&client=qwen-code", shown)
            assert found, shown
            code = "\n".join(row.rstrip() for row in qr_lines(found[0]))
            assert code in "\n".join(row.rstrip() for row in shown.splitlines())
            assert found[1] in httpx.get(found[0], timeout=10).text
            approval = {"user_code": found[1], "decision": "approve"}
            assert httpx.post(found[0].partition("?")[0], data=approval, timeout=10).is_success
            terminal.until("Signed in.", READY)
            assert terminal.finish() == 0
        finally:
            terminal.process.kill()
            terminal.process.wait()
        call = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hi"}]}
        answers: list[httpx.Response] = []
        end = time.monotonic() + READY
        while not answers or answers[-1].status_code != 200:
            assert time.monotonic() < end, answers[-1].text
            answers.append(
                httpx.post(f"{base_url}/chat/completions", json=call, headers={"x-qwen-account": "me"}, timeout=20)
            )
        referee.assert_valid(answers[-1].json(), "chat.completion")
        assert answers[-1].headers["x-gateway-account"] == "me"
    assert not (tmp_path / ".qwen").exists()
    assert "bin/qwen-auth add NAME" in printed.read_text()


def test_the_port_may_stand_in_a_dotenv_file(tmp_path: Path, sim: Simulator) -> None:
    port = free_port()
    account = "\n".join(f"{name}={value}" for name, value in one_account(sim).items())
    (tmp_path / ".env").write_text(f"PORT={port}\n{account}\nDEFAULT_MODEL=qwen3.5-plus\n")
    with running(tmp_path) as (_, printed):
        wait_for(printed, "Base URL")
        call = {"model": "nobody-knows", "messages": [{"role": "user", "content": "Say hi"}]}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=call, timeout=20)
        assert answer.headers["x-gateway-model"] == "qwen3.5-plus"
        referee.assert_valid(answer.json(), "chat.completion")


def test_it_does_not_listen_beyond_loopback_without_keys(tmp_path: Path, sim: Simulator) -> None:
    arguments = ("--host", "0.0.0.0", "--port", str(free_port()))
    with running(tmp_path, *arguments, **one_account(sim)) as (process, printed):
        assert process.wait(20) != 0
        said = printed.read_text()
    assert "QWEN_GATEWAY_KEYS" in said
    assert "Traceback" not in said


def test_beyond_loopback_it_wants_the_key(tmp_path: Path, sim: Simulator) -> None:
    port = free_port()
    with running(
        tmp_path, "--host", "0.0.0.0", "--port", str(port), QWEN_GATEWAY_KEYS="first second", **one_account(sim)
    ) as (_, printed):
        wait_for(printed, "Base URL")
        models = f"http://127.0.0.1:{port}/v1/models"
        assert httpx.get(models).status_code == 401
        assert httpx.get(models, headers={"authorization": "Bearer third"}).status_code == 401
        assert httpx.get(models, headers={"authorization": "Bearer second"}).status_code == 200


@pytest.mark.parametrize("command", [(), ("run",)])
def test_options_of_mitmproxys_stand_where_the_help_says(tmp_path: Path, sim: Simulator, command: tuple[str]) -> None:
    port = free_port()
    arguments = (*command, "--port", str(port), "--set", "qwen_policy=strict", "--set", "qwen_keep_flows=5")
    with running(tmp_path, *arguments, **one_account(sim)) as (_, printed):
        wait_for(printed, f"127.0.0.1:{port}/v1")
        call = {"model": "nobody-knows", "messages": [{"role": "user", "content": "Say hi"}]}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=call, timeout=20)
        assert answer.status_code == 404, answer.text


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("qwen_policy=harsh", "qwen_policy is 'harsh'; it must be one of strict, standard, lenient"),
        ("qwen_polices=strict", "There is no option qwen_polices"),
    ],
)
def test_an_option_that_makes_no_sense_ends_the_start(tmp_path: Path, sim: Simulator, option: str, said: str) -> None:
    with running(tmp_path, "--set", option, "--port", str(free_port()), **one_account(sim)) as (process, printed):
        assert process.wait(READY) == 1
        assert said in printed.read_text()
