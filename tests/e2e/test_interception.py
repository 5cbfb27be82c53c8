"""Clients that know nothing of the gateway: HTTPS_PROXY and an authority, and OpenAI is answered by Qwen."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from qwen_gateway.simulator.certificates import make_context
from tests.e2e.asking import PATIENCE, body, text, trusting
from tests.e2e.conftest import Starter, one_account
from tests.e2e.judge import JUDGE, AsyncJudged
from tests.e2e.mitm import Mitm, free_port, wait_until

UNMODIFIED = """
import json
from openai import OpenAI
client = OpenAI(api_key="sk-canary-openai", max_retries=0)
messages = [{"role": "user", "content": "Say hi"}]
whole = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages)
stream = client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
models = client.models.with_raw_response.list()
print(json.dumps({"base": str(client.base_url), "whole": whole.text, "said": said, "models": models.text}))
"""


@pytest.fixture(scope="module")
def proxy(starter: Starter, upstream: Simulator) -> Iterator[Mitm]:
    """mitmproxy as a forward proxy, with one account."""
    options = {"termlog_verbosity": "debug"}
    with starter("proxy", mode="regular", environ=one_account(upstream), options=options) as gateway:
        yield gateway
    assert gateway.troubles() == []


def test_an_unmodified_client_is_answered_by_qwen(proxy: Mitm, sim: Simulator) -> None:
    environ = {"PATH": "", "HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(proxy.ca_file)}
    done = subprocess.run(
        [sys.executable, "-c", UNMODIFIED], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["base"] == "https://api.openai.com/v1/"
    assert told["said"].endswith("“Say hi”")
    JUDGE.judge("/v1/chat/completions", None, 200, "application/json", told["whole"].encode(), complete=True)
    JUDGE.judge("/v1/models", None, 200, "application/json", told["models"].encode(), complete=True)
    assert [received.key for received in sim.log if received.method == "POST"] == ["sk-sim"] * 2
    # mitmproxy itself opened no connection at all: the calls to Qwen are the engine's own.
    assert proxy.probe()["connects"] == []
    assert b"sk-canary-openai" not in proxy.dump_file.read_bytes()
    assert "sk-canary-openai" not in proxy.log


@pytest.mark.parametrize("stream", [False, True])
async def test_http2_clients_are_intercepted_too(proxy: Mitm, sim: Simulator, stream: bool) -> None:
    transport = AsyncJudged(verify=trusting(proxy.ca_file), http1=False, http2=True, proxy=httpx.Proxy(proxy.url))
    async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    "https://api.openai.com/v1/chat/completions",
                    json=body(stream=stream, messages=[{"role": "user", "content": f"word{number}"}]),
                )
                for number in range(5)
            )
        )

    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    assert [text(answer)[-7:-1] for answer in answers] == [f"“word{number}" for number in range(5)]
    assert proxy.probe()["connects"] == []


class Recorder:
    """A TLS server of nobody's: it keeps what it was sent, and says what it is."""

    def __init__(self, folder: Path) -> None:
        context = make_context(folder, ["localhost"], http2=False)
        self.ca_file = folder / "ca.pem"
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._context: ssl.SSLContext = context
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as connection:
                    connection.settimeout(5)
                    got = b""
                    while b"\r\n\r\n" not in got or (
                        b"content-length: 2\r\n" in got.lower() and not got.endswith(b"{}")
                    ):
                        got += connection.recv(65_536)
                    self.received.append(got)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nmyself")

    @staticmethod
    def _whole(got: bytes) -> bool:
        head, end, content = got.partition(b"\r\n\r\n")
        return bool(end) and (b"content-length: 2" not in head.lower() or len(content) == 2)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """A server that is none of the gateway's business."""
    recorder = Recorder(tmp_path_factory.mktemp("elsewhere"))
    yield recorder
    recorder.close()


def test_other_hosts_pass_without_being_decrypted(proxy: Mitm, elsewhere: Recorder) -> None:
    """The client sees that server's own certificate, and trusts nobody else's."""
    context = ssl.create_default_context(cafile=str(elsewhere.ca_file))
    before = len(proxy.flows()) if proxy.dump_file.exists() else 0
    with httpx.Client(proxy=proxy.url, verify=context, timeout=10) as client:
        answer = client.get(
            f"https://localhost:{elsewhere.port}/v1/chat/completions", headers={"authorization": "Bearer canary-else"}
        )

    assert answer.text == "myself"
    assert b"authorization: Bearer canary-else" in elsewhere.received[-1]
    assert b"canary-else" not in proxy.dump_file.read_bytes()
    assert len([flow for flow in proxy.flows() if flow.request.path.startswith("/v1/chat")]) <= before


def test_endpoints_of_openai_that_are_not_served_pass_untouched(
    starter: Starter, upstream: Simulator, sim: Simulator, elsewhere: Recorder
) -> None:
    options = {"qwen_intercept_hosts": "localhost", "ssl_insecure": "true", "flow_detail": 4}
    headers = {"authorization": "Bearer canary-pass", "openai-organization": "org-canary", "cookie": "canary=1"}
    with starter("pass", mode="regular", environ=one_account(upstream), options=options) as gateway:
        context = ssl.create_default_context(cafile=str(gateway.ca_file))
        with httpx.Client(proxy=gateway.url, verify=context, timeout=10) as client:
            base = f"https://localhost:{elsewhere.port}/v1"
            passed = client.post(base + "/audio/speech", content=b"{}", headers=headers)
            listed = client.get(base + "/files?after=canary", headers=headers)
            served = client.post(base + "/chat/completions", json=body(), headers=headers)
        wait_until(lambda: len([flow for flow in gateway.flows() if flow.response]) >= 3, 5, "flows are missing")
        saved, log = gateway.dump_file.read_bytes(), gateway.log

    assert passed.text == listed.text == "myself"
    for received in elsewhere.received[-2:]:
        assert b"authorization: bearer canary-pass" in received.lower()
        assert b"openai-organization: org-canary" in received.lower()
    assert served.json()["object"] == "chat.completion"
    assert len(sim.log) == 1
    assert b"canary-pass" not in saved
    assert "canary-pass" not in log


@pytest.mark.parametrize("how", ["plain", "connect"])
def test_the_proxy_does_not_lead_to_itself(proxy: Mitm, how: str) -> None:
    """mitmweb and the gateway are protected by being on loopback; their own proxy must not undo that."""
    target = f"127.0.0.1:{proxy.port}"
    sent = f"GET http://{target}/health HTTP/1.1" if how == "plain" else f"CONNECT {target} HTTP/1.1"
    for name in (target, f"localhost:{proxy.port}"):
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection:
            connection.sendall(f"{sent}\r\nhost: {name}\r\n\r\n".replace(target, name).encode())
            answer = connection.recv(65_536)
            while b"}}" not in answer:
                answer += connection.recv(65_536)

        assert answer.startswith(b"HTTP/1.1 403"), answer[:200]
        assert b"proxy_loop" in answer


def test_the_proxy_does_not_lead_to_mitmweb(starter: Starter, upstream: Simulator) -> None:
    web_port = free_port()
    options = {"web_port": web_port, "web_password": "web-password", "web_open_browser": "false"}
    with starter(
        "web-loop", mode="regular", command="mitmweb", environ=one_account(upstream), options=options
    ) as gateway:
        with httpx.Client(proxy=gateway.url, timeout=5) as client:
            answer = client.get(f"http://127.0.0.1:{web_port}/flows", headers={"authorization": "Bearer web-password"})
        direct = httpx.get(f"http://127.0.0.1:{web_port}/flows", headers={"authorization": "Bearer web-password"})

    assert answer.status_code == 403
    assert direct.status_code == 200
