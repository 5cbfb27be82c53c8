"""The sides that are compared, and how each is started, found ready and ended."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from benchmark.calls import request

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
PROXIES = Path(__file__).parent / "proxies"
MITMDUMP = (f"{BIN}/mitmdump", "mitmproxy.tools.main:mitmdump")
LAUNCHER = (f"{BIN}/qwen-gateway", "qwen_gateway.cli:main")
REVERSE = ["--mode", "reverse:http://127.0.0.1:{upstream}@127.0.0.1:{port}", "--set", "confdir={home}"]


@dataclass(frozen=True)
class Side:
    """One way from the client to the upstream."""

    name: str
    what: str
    program: tuple[str, str]  # the command, and the Python function behind it (for the profiler)
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    needs: Path | None = None

    @property
    def exists(self) -> bool:
        """Whether there is something to start."""
        return not self.needs or self.needs.exists()


ACCOUNT = {"QWEN_API_KEY": "sk-bench", "QWEN_BASE_URL": "http://127.0.0.1:{upstream}/v1"}

DIRECT = Side("direct", "the client at the upstream itself", ("", ""), [])
SIDES = {
    side.name: side
    for side in (
        DIRECT,
        Side("bare", "mitmdump -q, reverse", MITMDUMP, ["-q", *REVERSE]),
        Side("stream", "the same, response.stream", MITMDUMP, ["-q", "-s", f"{PROXIES}/pass_through.py", *REVERSE]),
        Side("relay", "a trivial gateway addon", MITMDUMP, ["-q", "-s", f"{PROXIES}/relay.py", *REVERSE]),
        Side(
            "script",
            "mitmdump -q -s addons/qwen.py",
            MITMDUMP,
            ["-q", "-s", f"{ROOT}/addons/qwen.py", *REVERSE],
            ACCOUNT,
            needs=ROOT / "addons/qwen.py",
        ),
        Side(
            "launcher",
            "qwen-gateway --quiet",
            LAUNCHER,
            ["--quiet", "--port", "{port}"],
            ACCOUNT,
            needs=ROOT / "addons/qwen_gateway/cli.py",
        ),
        Side(
            "web",
            "qwen-gateway web --quiet, qwen_keep_flows=500",
            LAUNCHER,
            ["web", "--quiet", "--port", "{port}", "--web-port", "0", "--set", "qwen_keep_flows=500"],
            ACCOUNT,
            needs=ROOT / "addons/qwen_gateway/cli.py",
        ),
        Side(
            "unrecorded",
            "the same without the ledger",
            LAUNCHER,
            ["--quiet", "--port", "{port}"],
            {**ACCOUNT, "ENABLE_PERSISTENCE": "false"},
            needs=ROOT / "addons/qwen_gateway/cli.py",
        ),
    )
}
USUAL = ["bare", "stream", "script", "launcher", "unrecorded", "direct"]


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A side that has been started."""

    def __init__(self, side: Side, upstream: int, wrap: list[str] | None = None) -> None:
        self.side = side
        self.port = upstream if side is DIRECT else free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if side is DIRECT:
            return
        self.home = Path(tempfile.mkdtemp(prefix="qwen-bench-"))
        values = {"port": self.port, "upstream": upstream, "home": self.home}
        command = [*(wrap or [side.program[0]]), *(argument.format_map(values) for argument in side.arguments)]
        # Nothing of the operator's surroundings: no accounts, no .env, no proxies.
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        environment |= {name: value.format_map(values) for name, value in side.environment.items()}
        self.log: IO[bytes] = (self.home / "log").open("wb")
        self.process = subprocess.Popen(
            command, cwd=self.home, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
        )

    @property
    def pid(self) -> int | None:
        """The process whose cost is measured; none for the direct way."""
        return self.process.pid if self.process else None

    def wait_until_ready(self, patience: float = 60.0) -> None:
        """Make calls until one is answered."""
        deadline = time.monotonic() + patience
        said = "nothing listens"
        while time.monotonic() < deadline and (self.process is None or self.process.poll() is None):
            try:
                said = probe(self.port)
            except (OSError, http.client.HTTPException) as error:
                said = repr(error)
            if said == "ready":
                return
            time.sleep(0.1)
        msg = f"{self.side.name} did not get ready: {said}\n{self.tail()}"
        raise RuntimeError(msg)

    def tail(self) -> str:
        """The last lines that the process wrote."""
        return "" if self.process is None else (self.home / "log").read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """End this process, and remove its folder."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def probe(port: int) -> str:
    """One small call, by other means than the load generator's."""
    head, _, body = request(port, 0).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    return "ready" if answer.status == 200 and b"nonce=0" in text else f"status {answer.status}: {text[:500]!r}"


@contextmanager
def harness(module: str, python: str = sys.executable) -> Iterator[subprocess.Popen[str]]:
    """One of the benchmark's own processes; it ends when its stdin is closed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    with subprocess.Popen(
        [python, "-m", f"benchmark.{module}"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
