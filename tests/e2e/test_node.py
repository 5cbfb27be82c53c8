"""The official library for Node, against a real process."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, WEATHER, body
from tests.e2e.judge import JUDGE
from tests.e2e.mitm import Mitm, wait_until
from tests.e2e.npm import installed

pytestmark = pytest.mark.node
FOLDER = Path(__file__).with_name("node")


@pytest.fixture(scope="session")
def node() -> str:
    """Node, with the library installed beside the script."""
    return installed(FOLDER)


def run(node: str, gateway: Mitm, call: Any, **settings: Any) -> dict[str, Any]:
    """One call; what came back is judged here, for the library itself is lenient."""
    asked = json.dumps({"baseURL": gateway.url + "/v1", "call": call, **settings})
    done = subprocess.run(
        [node, "client.mjs", asked], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    for answer in told["answers"]:
        JUDGE.judge(
            answer["path"], answer["asked"], answer["status"], answer["type"], (answer["body"] or "").encode(),
            complete=answer["body"] is not None,
        )  # fmt: skip
    return told


def test_an_answer_and_a_stream(node: str, gateway: Mitm) -> None:
    whole = run(node, gateway, body())
    stream = run(node, gateway, body(stream=True, stream_options={"include_usage": True}))

    assert whole["text"].endswith("“Say hi”")
    assert stream["text"].endswith("“Say hi”")
    assert stream["chunks"] > 10
    assert whole["error"] is stream["error"] is None


def test_responses_go_on_from_each_other(node: str, gateway: Mitm) -> None:
    call = {"model": "qwen3.7-plus", "input": "Say hi"}

    first = run(node, gateway, call)
    second = run(node, gateway, {**call, "stream": True, "previous_response_id": first["final"]["id"]})

    assert first["text"].endswith("“Say hi”")
    assert second["text"].endswith("“Say hi”")
    assert second["final"]["previous_response_id"] == first["final"]["id"]
    assert first["error"] is second["error"] is None


def test_tools(node: str, gateway: Mitm) -> None:
    messages = [{"role": "user", "content": "get_weather with city=Oslo days=3"}]

    told = run(node, gateway, body(messages=messages, tools=[WEATHER]))

    assert json.loads(told["tools"][0]["function"]["arguments"]) == {"city": "Oslo", "days": 3}


def test_models(node: str, gateway: Mitm) -> None:
    assert {"qwen3.7-plus", "gpt-4o"} <= set(run(node, gateway, "models")["models"])


def test_errors_have_their_classes(node: str, gateway: Mitm, sim: Simulator) -> None:
    wrong = run(node, gateway, body(messages=[]))
    sim.script(["drop-after;after=3"])
    sim.state.pace = 0.003
    torn = run(node, gateway, body(stream=True))

    assert wrong["error"]["name"] == "BadRequestError"
    assert wrong["error"]["status"] == 400
    assert torn["error"] is not None
    assert "broke off" in torn["error"]["message"]
    assert torn["chunks"] >= 1


def test_leaving_in_the_middle(node: str, gateway: Mitm, sim: Simulator) -> None:
    sim.script(["stall-mid;after=5"])
    told = run(node, gateway, body(stream=True, messages=HI), cancelAfter=2)
    wait_until(lambda: sim.log[0].disconnected, 2, "the upstream was not told")

    assert told["chunks"] == 2
    assert sim.log[0].disconnected_at is not None
    assert sim.log[0].disconnected_at < time.time()
