"""What the terminal shows of calls, in mitmdump and in the launcher alike."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import MODEL, ask
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import REVERSE, SCRIPT, Mitm, free_port, program, wait_until

LINE = re.compile(rf"^\d\d:\d\d:\d\d gpt-4o → {re.escape(MODEL)} @qwen ≈\d+: \d+\+\d+ tokens, .*\d s, finished$", re.M)


def started(starter: Starter, upstream: Simulator, name: str, **options: Any) -> Mitm:
    environ = one_account(upstream) | {"QWEN_MODEL_ALIASES": f"gpt-4o={MODEL}", "PYTHONIOENCODING": "utf-8"}
    return starter(name, environ=environ, options=options).start()


def printed(gateway: Mitm, pattern: re.Pattern[str]) -> list[str]:
    wait_until(lambda: pattern.search(gateway.log), 10, lambda: f"no {pattern.pattern} in:\n{gateway.log}")
    return pattern.findall(gateway.log)


def test_mitmdump_shows_one_line_for_each_call(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = started(starter, upstream, "terminal-line")
    reported = ask(gateway, model="gpt-4o").json()["usage"]
    ask(gateway, n=99)
    gateway.health()
    (shown,) = printed(gateway, LINE)
    assert f"{reported['prompt_tokens']}+{reported['completion_tokens']} tokens" in shown
    assert len(printed(gateway, re.compile(r"^\S+ POST /v1/chat/completions 400 refused: 'n' is 99.*$", re.M))) == 1
    # mitmproxy's own lines are for what is not a call.
    wait_until(lambda: "/health" in gateway.log, 10, lambda: gateway.log)
    assert "/compatible-mode" not in gateway.log
    assert upstream.url() not in gateway.log
    assert "\x1b[" not in gateway.log


def test_as_json_each_line_is_a_record(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = started(starter, upstream, "terminal-json", qwen_terminal="json")
    answer = ask(gateway, model="gpt-4o", stream=True)
    (shown,) = printed(gateway, re.compile(r'^\{"time".*\}$', re.M))
    told = json.loads(shown)
    assert told["id"] == answer.headers["x-request-id"]
    assert (told["model_asked"], told["model"], told["outcome"], told["stream"]) == ("gpt-4o", MODEL, "finished", True)


@pytest.mark.parametrize(
    ("options", "theirs"),
    [({"qwen_terminal": "off"}, True), ({"flow_detail": 0}, False)],
    ids=["mitmproxy's own", "nothing at all"],
)
def test_quiet_is_quiet(
    starter: Starter, upstream: Simulator, sim: Simulator, options: dict[str, Any], theirs: bool
) -> None:
    gateway = started(starter, upstream, f"terminal-quiet-{theirs}", **options)
    ask(gateway, model="gpt-4o")
    gateway.flow(ask(gateway, model="gpt-4o").headers["x-request-id"])
    if theirs:
        wait_until(lambda: gateway.log.count("/compatible-mode") >= 2, 10, lambda: gateway.log)
    assert not LINE.search(gateway.log)
    assert ("/compatible-mode" in gateway.log) is theirs


@pytest.mark.parametrize("no_colour", [False, True])
def test_colours_are_for_terminals(upstream: Simulator, sim: Simulator, tmp_path: Path, no_colour: bool) -> None:
    """A real terminal, as far as the process can tell."""
    port = free_port()
    ours, theirs = pty.openpty()
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm", "LANG": "C.UTF-8",
        **one_account(upstream), **({"NO_COLOR": "1"} if no_colour else {}),
    }  # fmt: skip
    process = subprocess.Popen(
        [program("mitmdump"), "-s", str(SCRIPT), "--mode", f"{REVERSE}@127.0.0.1:{port}"],
        env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        wait_until(lambda: answers(port), 20, "mitmdump did not start")
        ask_at(port)
        end = time.monotonic() + 10
        while b"finished" not in shown and time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                shown += os.read(ours, 65_536)
    finally:
        process.terminate()
        process.wait(15)
        os.close(ours)
    (line,) = [line for line in shown.splitlines() if b"finished" in line]
    assert (b"\x1b[32mfinished\x1b[0m" in line) is not no_colour


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def ask_at(port: int) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20)
    assert answer.status_code == 200


@pytest.mark.parametrize("quiet", [False, True])
def test_the_launcher_shows_the_same(upstream: Simulator, sim: Simulator, tmp_path: Path, quiet: bool) -> None:
    port = free_port()
    log = tmp_path / "log.txt"
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "QWEN_GATEWAY_HOME": str(tmp_path), "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(str(SCRIPT.parents[1] / name) for name in ("addons", "auth")),
        **one_account(upstream),
    }  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "qwen_gateway", "--port", str(port), *(["-q"] if quiet else [])],
            env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(lambda: answers(port), 30, log.read_text)
        ask_at(port)
        if not quiet:
            wait_until(lambda: "finished" in log.read_text(), 10, log.read_text)
    finally:
        process.terminate()
        process.wait(20)
    assert log.read_text().count("finished") == (0 if quiet else 1)


def test_a_terminal_that_nobody_reads_holds_up_no_call(upstream: Simulator, sim: Simulator, tmp_path: Path) -> None:
    """The pipe is full after some 64 KiB; far more than that is printed."""
    port = free_port()
    reading, writing = os.pipe()
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "QWEN_TERMINAL": "json", **one_account(upstream)
    }  # fmt: skip
    process = subprocess.Popen(
        [program("mitmdump"), "-s", str(SCRIPT), "--mode", f"{REVERSE}@127.0.0.1:{port}"],
        env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        wait_until(lambda: answers(port), 20, "mitmdump did not start")
        body = {"model": "x" * 250, "messages": [{"role": "user", "content": "hi"}]}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            for _ in range(200):
                assert client.post("/v1/chat/completions", json=body).status_code == 200
    finally:
        process.terminate()
        os.close(reading)
        process.wait(20)
