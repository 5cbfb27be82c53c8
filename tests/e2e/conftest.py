"""Processes that tests share, and what must hold after each test, whoever wrote it."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.judge import JUDGE
from tests.e2e.mitm import Mitm, free_port, program, wait_until

type Starter = Callable[..., Mitm]


@pytest.fixture(autouse=True)
def no_complaints() -> Iterator[None]:
    """Whatever the gateway sent to any client of the test was valid."""
    JUDGE.complaints.clear()
    yield
    assert not JUDGE.complaints, "\n".join(JUDGE.complaints)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Simulator]:
    """Qwen, in a thread of this process: what it received can be looked at."""
    with Simulator.in_thread() as simulator:
        yield simulator


@pytest.fixture
def sim(upstream: Simulator) -> Iterator[Simulator]:
    """The same, as if it had just started."""
    upstream.reset()
    yield upstream
    upstream.state.pace = 0.0
    upstream.reset()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mitmproxy's CA, made once."""
    folder: Path = tmp_path_factory.mktemp("authority")
    command = [program("mitmdump"), "-q", "--set", f"confdir={folder}", "--mode", f"regular@127.0.0.1:{free_port()}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_until((folder / "mitmproxy-dhparam.pem").exists, 20, "mitmdump made no authority")
    finally:
        process.terminate()
        process.wait(15)
    return folder


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[Starter]:
    """Makes processes; all of them are ended at the end, and none may have told of a fault of its own."""
    made: list[Mitm] = []

    def make(name: str, **settings: Any) -> Mitm:
        made.append(Mitm(tmp_path_factory.mktemp(name), authority=authority, **settings))
        return made[-1]

    yield make
    with ThreadPoolExecutor() as pool:  # one after the other they take half a minute
        list(pool.map(Mitm.stop, made))
    assert [trouble for gateway in made for trouble in gateway.troubles()] == []


def one_account(upstream: Simulator, key: str = "sk-sim") -> dict[str, str]:
    """The environment of one account at the simulator."""
    return {"QWEN_API_KEY": key, "QWEN_PLAN": "model-studio-intl", "QWEN_BASE_URL": upstream.url()}


@pytest.fixture(scope="session")
def shared(starter: Starter, upstream: Simulator) -> Mitm:
    """The card's command, with one account."""
    return starter("shared", environ=one_account(upstream)).start()


@pytest.fixture
def gateway(shared: Mitm, sim: Simulator) -> Iterator[Mitm]:
    """The card's command, with one account that is well, before and after."""
    yield shared
    assert shared.running
    assert shared.troubles() == []
    assert shared.health().json()["status"] == "ok"
