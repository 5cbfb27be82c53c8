"""The simulator as an object and as a process."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from qwen_gateway.simulator import FAULTS, Simulator
from qwen_gateway.simulator import __doc__ as documentation

COMMAND = [sys.executable, "-m", "qwen_gateway.simulator"]


def test_a_simulator_in_a_thread_serves_tests_without_a_loop() -> None:
    with Simulator.in_thread(seed=3) as sim:
        answer = httpx.get(sim.url() + "/models", headers={"authorization": "Bearer sk-sim"})
        sim.script(["throttling"])
        refused = httpx.get(sim.url() + "/models", headers={"authorization": "Bearer sk-sim"})

        assert [answer.status_code, refused.status_code] == [200, 429]
        assert len(sim.log) == 2
    with pytest.raises(httpx.ConnectError):
        httpx.get(sim.url() + "/models")


async def test_each_face_has_a_base_url(sim: Simulator) -> None:
    urls = sim.urls()

    assert urls["dashscope"] == f"http://127.0.0.1:{sim.port}/compatible-mode/v1"
    assert urls["coding"].endswith("/coding/v1")
    assert urls["vllm"].endswith("/vllm/v1")
    assert urls["ollama"].endswith("/ollama/v1")
    assert urls["openrouter"].endswith("/openrouter/api/v1")


async def test_stopping_closes_connections(client: httpx.AsyncClient) -> None:
    async with Simulator() as sim:
        await client.get(sim.url() + "/models")
        connection = sim.connections[0]

    assert not connection.open


async def test_the_certificate_is_gone_after_the_end() -> None:
    async with Simulator(tls=True) as sim:
        assert sim.ca_file is not None
        assert sim.ca_file.exists()

    assert not sim.ca_file.exists()


def test_a_process_says_where_it_is_and_stops_on_sigterm(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with subprocess.Popen([*COMMAND, "--ready-file", str(ready)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        answer = httpx.get(said["urls"]["dashscope"] + "/models", headers={"authorization": "Bearer sk-sim"})
        process.send_signal(signal.SIGTERM)

        assert answer.status_code == 200
        assert process.wait(5) == 0
        assert json.loads(ready.read_text()) == said


def test_a_process_stops_when_its_standard_input_closes() -> None:
    command = [*COMMAND, "--until-stdin-closes", "--tls"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert Path(said["ca_file"]).exists()
        process.stdin.close()

        assert process.wait(5) == 0
        assert not Path(said["ca_file"]).exists()


def test_the_package_documents_every_fault() -> None:
    assert documentation is not None
    missing = [name for name in FAULTS if f"`{name}`" not in documentation]

    assert missing == []
