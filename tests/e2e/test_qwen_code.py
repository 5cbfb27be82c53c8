"""qwen-code itself, from npm: its login is ours and ours is its, in one file (upstream.md 2.5).

Its OAuth code knows one sign-in server by name, so it is driven through a proxy that leads that name to the simulator.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token
from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, text
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, free_port, program, wait_until
from tests.e2e.npm import installed

pytestmark = pytest.mark.node
FOLDER = Path(__file__).with_name("qwen_code")
REDIRECT = """
def request(flow):
    if flow.request.pretty_host == "chat.qwen.ai":
        flow.request.scheme, flow.request.host, flow.request.port = "http", "127.0.0.1", {port}
"""
SAID = "“Say hi”"


@dataclass
class QwenCode:
    """The program, and its way out."""

    node: str
    proxy: str
    ca_file: Path

    def start(self, home: Path) -> subprocess.Popen[str]:
        """Ask it to say hi."""
        script = FOLDER / "node_modules" / "@qwen-code" / "qwen-code" / "cli.js"
        return subprocess.Popen(
            [self.node, str(script), "--auth-type", "qwen-oauth", "--chat-recording", "false", "-p", "Say hi"],
            cwd=home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "HTTPS_PROXY": self.proxy,
                "NODE_EXTRA_CA_CERTS": str(self.ca_file),
                "QWEN_CODE_NO_RELAUNCH": "1",
                "NO_BROWSER": "1",
                "CI": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def says(self, home: Path) -> str:
        """Its answer, or its complaint."""
        process = self.start(home)
        try:
            out, complaint = process.communicate(timeout=90)
        finally:
            process.kill()
            process.wait()
        return out if process.returncode == 0 else complaint


@pytest.fixture(scope="module")
def qwen() -> Iterator[Simulator]:
    """Qwen's sign-in server and portal; qwen-code polls faster than the real one allows."""
    with Simulator.in_thread(interval=0.05) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def qwen_code(qwen: Simulator, authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QwenCode]:
    """The last version that still calls with its login, behind the proxy."""
    node = installed(FOLDER, "--ignore-scripts", "--omit=optional")
    folder = tmp_path_factory.mktemp("to-the-simulator")
    (folder / "redirect.py").write_text(REDIRECT.format(port=qwen.port))
    port = free_port()
    proxy = subprocess.Popen(
        [
            program("mitmdump"), "-q", "-s", str(folder / "redirect.py"), "--mode", f"regular@127.0.0.1:{port}",
            "--set", f"confdir={authority}", "--set", "connection_strategy=lazy",
        ],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(1)
        yield QwenCode(node, f"http://127.0.0.1:{port}", authority / "mitmproxy-ca-cert.pem")
    finally:
        proxy.terminate()
        proxy.wait(15)


@pytest.fixture
def gateway(starter: Starter, qwen: Simulator, request: pytest.FixtureRequest) -> Mitm:
    """One that shares its home with qwen-code, and has no login yet."""
    qwen.reset()
    return starter(request.node.name[:40], environ={"QWEN_BASE_URL": qwen.base_url, "PYTHONUNBUFFERED": "1"})


def file_of(gateway: Mitm) -> LoginFile:
    return LoginFile(gateway.folder / ".qwen" / "oauth_creds.json")


def stored(gateway: Mitm) -> Token:
    token = file_of(gateway).read()
    assert token is not None
    return token


def age(gateway: Mitm) -> None:
    """The token's life is over, by the file."""
    path = file_of(gateway).path
    document = json.loads(path.read_text()) | {"expiry_date": int(time.time() * 1000) - 1000}
    path.write_text(json.dumps(document, indent=2))


def refreshes(qwen: Simulator) -> list[str]:
    """Who refreshed, in order, and in vain or not."""
    return [
        f"{'gateway' if call.header('user-agent') == 'qwen-gateway' else 'qwen-code'}: {call.note}"
        for call in qwen.log
        if call.path == "/api/v1/oauth2/token" and "refresh" in call.note
    ]


def renewed(gateway: Mitm, old: Token) -> bool:
    """Whether a call makes the gateway renew the login: it looks at the file every five seconds."""
    time.sleep(0.3)
    assert ask(gateway).status_code == 200
    return stored(gateway).refresh_token != old.refresh_token


def test_we_serve_with_the_login_that_it_made(qwen_code: QwenCode, gateway: Mitm, qwen: Simulator) -> None:
    codes = len(qwen.oauth.codes)
    process = qwen_code.start(gateway.folder)
    try:
        wait_until(lambda: len(qwen.oauth.codes) > codes, 60, "it asked for no code")
        qwen.oauth.approve(qwen.oauth.codes[-1].user_code, "shared")
        said, complaint = process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()
    assert SAID in said, complaint
    theirs = file_of(gateway).path.read_bytes()
    gateway.start()

    answer = ask(gateway)

    assert answer.status_code == 200
    assert text(answer).endswith(SAID)
    assert file_of(gateway).path.read_bytes() == theirs, "a good file is left as it is"
    assert refreshes(qwen) == []


def test_it_calls_with_the_login_that_we_wrote(qwen_code: QwenCode, gateway: Mitm, qwen: Simulator) -> None:
    granted = qwen.oauth.login("shared")
    expired = Token(str(granted["access_token"]), str(granted["refresh_token"]), 1.0, "Bearer", qwen.base_url)
    file_of(gateway).write(expired)
    gateway.start()
    assert ask(gateway).status_code == 200
    ours = file_of(gateway).path.read_bytes()

    said = qwen_code.says(gateway.folder)

    assert SAID in said, said
    assert file_of(gateway).path.read_bytes() == ours
    assert refreshes(qwen) == ["gateway: refresh 1 of shared"]


def test_they_take_turns_in_renewing_it(qwen_code: QwenCode, gateway: Mitm, qwen: Simulator) -> None:
    granted = qwen.oauth.login("shared")
    file_of(gateway).write(
        Token(str(granted["access_token"]), str(granted["refresh_token"]), 1.0, "Bearer", qwen.base_url)
    )
    gateway.start()
    for _ in range(2):
        assert ask(gateway).status_code == 200
        age(gateway)
        said = qwen_code.says(gateway.folder)
        assert SAID in said, said
        theirs = stored(gateway)
        age(gateway)
        wait_until(lambda old=theirs: renewed(gateway, old), 20, "what it wrote is not noticed")

    assert [line.partition(":")[0] for line in refreshes(qwen)] == [
        "gateway", "qwen-code", "gateway", "qwen-code", "gateway"
    ]  # fmt: skip
    assert not [line for line in refreshes(qwen) if "refused" in line]
    assert qwen.oauth.refresh(stored(gateway).refresh_token) is not None, "the file's refresh token is dead"
    assert not list(file_of(gateway).path.parent.glob("*.lock*"))
