"""A real mitmdump (or mitmweb) process that runs the addon from the checkout, and what it left behind."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import httpx
from mitmproxy import http, io

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.store import AccountStore

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "addons" / "qwen.py"
PROBE = Path(__file__).with_name("probe.py")
REVERSE = "reverse:https://dashscope-intl.aliyuncs.com"
READY = 20.0  # seconds


def program(name: str) -> str:
    """A command of the environment that the tests run in."""
    return str(Path(sys.executable).with_name(name))


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mitm:
    """One process.

    Args:
        folder: for everything it writes: home, configuration, log, dump.
        mode: mitmproxy's mode, without an address.
        options: `--set` of mitmproxy.
        environ: added to the environment, which is otherwise empty.
        authority: a folder with mitmproxy's CA, copied; making one takes longer than a test.
    """

    def __init__(
        self,
        folder: Path,
        *,
        mode: str = REVERSE,
        command: str = "mitmdump",
        options: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        authority: Path | None = None,
    ) -> None:
        self.folder = folder
        self.command = command
        self.mode = mode
        self.port = free_port()
        self.home = folder / "gateway"
        self.confdir = folder / "mitmproxy"
        self.dump_file = folder / "flows.mitm"
        self._log_file = folder / "log.txt"
        self.options = {"confdir": self.confdir, "qwen_drain": 5, **(options or {})}
        self._environ = dict(environ or {})
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.home.mkdir(parents=True)
        if authority is not None:
            shutil.copytree(authority, self.confdir)

    def environment(self) -> dict[str, str]:
        """Nothing of the developer's own accounts and settings."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "QWEN_GATEWAY_HOME": str(self.home),
            **self._environ,
        }

    def add_account(
        self, name: str, key: str, url: str, *models: str, proxy: str | None = None, plan: str = "model-studio-intl"
    ) -> None:
        """Put an account with a key into the file; the command that users have is shown by one test of its own."""
        AccountStore(self.home).add(
            Account(name, "key", plan, url, KeyCredentials(key), proxy=proxy, models=models or None)
        )

    def start(self) -> Self:
        """Start, and wait until it listens."""
        settings = [part for name, value in self.options.items() for part in ("--set", f"{name}={value}")]
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program(self.command),
                    "-s", str(PROBE),
                    "-s", str(SCRIPT),
                    "--mode", f"{self.mode}@127.0.0.1:{self.port}",
                    "-w", str(self.dump_file),
                    *settings,
                    *self._arguments,
                ],
                cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self._listens, READY, lambda: f"{self.command} did not start:\n{self.log}")
        return self

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.command} has ended:\n{self.log}"
        # Not before its own addons have run their `running`: until then the log has not been set up.
        return self.probe(quiet=True).get("running", False)

    def stop(self) -> None:
        """End it as an operator would."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None

    def tell(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None
        code = self._process.wait(seconds)
        self._process = None
        return code

    def kill(self) -> None:
        """End it as no operator would: nothing of it runs any more when this returns."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it printed."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""

    @property
    def url(self) -> str:
        """What a client's requests begin with."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The same with TLS, by mitmproxy's own authority."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority of its certificates."""
        return self.confdir / "mitmproxy-ca-cert.pem"

    def probe(self, *, quiet: bool = False) -> dict[str, Any]:
        """What `probe.py` sees inside of the process."""
        proxied = not self.mode.startswith("reverse")
        try:
            with httpx.Client(proxy=self.url if proxied else None, verify=False, timeout=5) as client:
                found: dict[str, Any] = client.get(
                    "http://probe.invalid/probe" if proxied else self.url + "/probe", headers={"x-e2e-probe": "1"}
                ).json()
                return found
        except (OSError, httpx.TransportError):
            if quiet:
                return {}
            raise

    def health(self) -> httpx.Response:
        """What the gateway says of itself."""
        return httpx.get(self.url + "/health", timeout=5)

    def flows(self) -> list[http.HTTPFlow]:
        """The flows of the dump, so far."""
        with self.dump_file.open("rb") as dump:
            return [flow for flow in io.FlowReader(dump).stream() if isinstance(flow, http.HTTPFlow)]

    def flow(self, request_id: str) -> http.HTTPFlow:
        """The flow whose answer had this `x-request-id`."""
        found: list[http.HTTPFlow] = []

        def there() -> bool:
            found[:] = [
                flow
                for flow in self.flows()
                if flow.response is not None and flow.response.headers.get("x-request-id") == request_id
            ]
            return bool(found)

        wait_until(there, 5, lambda: f"no flow of {request_id} in the dump")
        return found[0]

    def attempts(self, request_id: str) -> list[http.HTTPFlow]:
        """The flows of the failed attempts of an exchange."""
        return [flow for flow in self.flows() if flow.metadata.get("qwen.attempt") == request_id]

    def troubles(self) -> list[str]:
        """Lines of the log that no operator should ever see."""
        words = (
            "Traceback",
            "never retrieved",
            "was destroyed",
            "never awaited",
            "Addon error",
            "mitmproxy has crashed",
        )
        lines = self.log.splitlines()
        return [
            line
            for line, after in pairwise([*lines, ""])
            # mitmproxy's views tell in the debug log what they could not show.
            if any(word in line for word in words) and "contentviews" not in after
        ]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()


def wait_until(there: Any, seconds: float, otherwise: Any) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, otherwise() if callable(otherwise) else otherwise
        time.sleep(0.02)
