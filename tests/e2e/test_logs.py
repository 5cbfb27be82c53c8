"""Log files and debug files of a real mitmdump: what is in them, what is not, and a disk that is full."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from qwen_gateway.simulator import Key, Simulator
from tests.e2e.asking import HI, MODEL, ask, http
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import SCRIPT, Mitm, free_port, wait_until

GOOD, BAD = "sk-canary-log-good-11", "sk-canary-log-bad-22"
GATEWAY_KEY, ADMIN = "gk-canary-log-33", "admin-canary-log-44"
CLIENT = {"authorization": f"Bearer {GATEWAY_KEY}", "cookie": "session=canary-log-55", "x-api-key": "canary-log-66"}
CANARIES = (GOOD, BAD, GATEWAY_KEY, ADMIN, "canary-log-55", "canary-log-66", "canary-log-77")


def entries(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def written(file: Path, number: int, event: str = "call") -> list[dict[str, Any]]:
    """So many entries of that event, when they are there."""

    def found() -> list[dict[str, Any]]:
        return [entry for entry in entries(file) if entry["event"] == event]

    wait_until(lambda: len(found()) >= number, 10, lambda: file.read_text() if file.exists() else f"no {file}")
    return found()


def test_calls_refusals_and_errors_are_written_down(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("logs", environ=one_account(upstream) | {"LOG_LEVEL": "INFO"})
    gateway.options["qwen_log_dir"] = logs = gateway.folder / "logs"
    gateway.start()
    answers = [ask(gateway), ask(gateway, stream=True)]
    assert ask(gateway, n=99).status_code == 400
    sim.script(["bad-request"])
    failed = ask(gateway)
    calls = written(logs / "gateway.log", 3)
    assert [call["id"] for call in calls[:2]] == [answer.headers["x-request-id"] for answer in answers]
    assert calls[0]["tokens"]["input"] == answers[0].json()["usage"]["prompt_tokens"]
    assert calls[0]["tokens"]["estimated"] > 0
    assert calls[0]["level"] == "info"
    (refusal,) = written(logs / "gateway.log", 1, "refusal")
    assert (refusal["status"], refusal["path"], refusal["level"]) == (400, "/v1/chat/completions", "warn")
    (error,) = written(logs / "error.log", 1)
    assert error["id"] == failed.headers["x-request-id"]
    assert error["error"]["status"] == failed.status_code
    assert (logs / "gateway.log").stat().st_mode & 0o777 == 0o600


def test_the_level_decides_what_is_written(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("logs-level", environ=one_account(upstream) | {"LOG_LEVEL": "error"})
    gateway.options["qwen_log_dir"] = logs = gateway.folder / "logs"
    gateway.start()
    ask(gateway)
    ask(gateway, n=99)
    sim.script(["bad-request"])
    failed = ask(gateway)
    (only,) = written(logs / "gateway.log", 1)
    assert only["id"] == failed.headers["x-request-id"]
    assert len(entries(logs / "gateway.log")) == 1


def test_the_newest_debug_files_are_kept(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    environ = one_account(upstream) | {"DEBUG_LOG": "true", "LOG_FILE_LIMIT": "3"}
    gateway = starter("logs-debug", environ=environ).start()
    numbers = [ask(gateway, stream=bool(turn % 2)).headers["x-request-id"] for turn in range(7)]
    folder = gateway.home / "logs" / "debug"

    def kept() -> list[str]:
        return [file.stem.split("Z-")[1] for file in sorted(folder.glob("*.json"))]

    wait_until(lambda: folder.exists() and kept() == numbers[-3:], 10, lambda: f"{kept()} of {numbers}")
    for file in folder.iterdir():
        told = json.loads(file.read_text())
        assert told["client"]["body"]["messages"] == HI
        assert told["client"]["body"]["model"] == MODEL
        (attempt,) = told["attempts"]
        assert attempt["url"].startswith(upstream.url())
        assert attempt["body"]["messages"][-1]["content"] == "Say hi"
        assert "authorization" not in {name.lower() for name in attempt["headers"]}
        assert told["answer"]["status"] == 200
        shown = told["answer"]["body"]
        assert "chat.completion" in (shown if isinstance(shown, str) else shown["object"])
        assert file.stat().st_mode & 0o777 == 0o600


def test_no_secret_is_written(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    sim.keys[GOOD], sim.keys[BAD] = Key(), Key(fault="invalid-api-key")
    gateway = starter(
        "logs-secrets",
        environ={
            "QWEN_GATEWAY_KEYS": GATEWAY_KEY, "QWEN_GATEWAY_ADMIN_KEYS": ADMIN, "DEBUG_LOG": "1", "LOG_LEVEL": "debug",
            "QWEN_TERMINAL": "json",
        },
        options={"qwen_strategy": "fill-first"},
    )  # fmt: skip
    gateway.options["qwen_log_dir"] = logs = gateway.folder / "logs"
    gateway.add_account("bad", BAD, upstream.url())
    gateway.add_account("good", GOOD, upstream.url())
    gateway.start()
    body = {"model": MODEL, "messages": HI}
    with http(gateway) as client:
        assert client.post("/v1/chat/completions", json=body, headers=CLIENT).status_code == 200
        url = "/v1/chat/completions?api_key=canary-log-77"
        assert client.post(url, json=body, headers={"authorization": "Bearer canary-log-66"}).status_code == 401
    assert httpx.get(gateway.url + "/metrics", headers={"authorization": f"Bearer {ADMIN}"}).status_code == 200
    written(logs / "gateway.log", 1)
    written(logs / "gateway.log", 1, "refusal")
    wait_until(lambda: list((logs / "debug").glob("*.json")), 10, "no debug file")
    gateway.stop()
    files = [file for file in logs.rglob("*") if file.is_file()]
    assert len(files) >= 2
    for file in [*files, gateway.folder / "log.txt"]:
        for canary in CANARIES:
            assert canary not in file.read_text(), f"{canary} in {file}"


def test_a_full_disk_stops_no_call(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    gateway = starter("logs-full", environ=one_account(upstream) | {"DEBUG_LOG": "true"})
    gateway.options["qwen_log_dir"] = logs = gateway.folder / "logs"
    logs.mkdir()
    for name in ("gateway.log", "error.log"):
        (logs / name).symlink_to("/dev/full")
    (logs / "debug").symlink_to("/proc/nothing")
    gateway.start()
    for turn in range(6):
        assert ask(gateway, stream=bool(turn % 2)).status_code == 200
    wait_until(lambda: "the log files: No space left on device" in gateway.log, 10, lambda: gateway.log)
    wait_until(lambda: "the debug files: " in gateway.log, 10, lambda: gateway.log)
    assert gateway.log.count("No space left on device") == 1


def launched(folder: Path, upstream: Simulator, **environ: str) -> None:
    """`qwen-gateway`, one call, and its end."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "qwen_gateway", "-q", "--port", str(port)],
        env={
            "PATH": os.environ["PATH"], "HOME": str(folder), "QWEN_GATEWAY_HOME": str(folder / "home"),
            "PYTHONPATH": os.pathsep.join(str(SCRIPT.parents[1] / name) for name in ("addons", "auth")),
            **one_account(upstream), **environ,
        },
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 30, "it did not start")
        body = {"model": MODEL, "messages": HI}
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20)
        assert answer.status_code == 200
    finally:
        process.terminate()
        process.wait(20)


def test_the_launcher_writes_logs_into_its_home(upstream: Simulator, sim: Simulator, tmp_path: Path) -> None:
    launched(tmp_path, upstream)
    assert [
        entry["outcome"] for entry in entries(tmp_path / "home" / "logs" / "gateway.log") if entry["event"] == "call"
    ]


def test_the_launcher_can_be_told_not_to(upstream: Simulator, sim: Simulator, tmp_path: Path) -> None:
    launched(tmp_path, upstream, QWEN_LOG_DIR="")
    assert not (tmp_path / "home" / "logs").exists()


def test_the_script_writes_none_unless_it_is_told_to(gateway: Mitm) -> None:
    ask(gateway)
    assert not (gateway.home / "logs").exists()
