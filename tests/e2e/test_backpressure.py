"""An HTTP/2 client that leaves its window closed holds the upstream back."""

import json
import time

from qwen_gateway.simulator import Simulator
from tests.e2e.mitm import Mitm, wait_until
from tests.e2e.raw_http2 import RawHttp2

BODY = {"model": "qwen3-coder-plus", "stream": True, "messages": [{"role": "user", "content": "Say hi"}]}


def test_a_closed_window_does_not_fill_the_memory(gateway: Mitm, sim: Simulator) -> None:
    before = gateway.probe()["memory"]
    clients = []
    for _ in range(3):
        sim.script(["long-answer;words=300000"])
        client = RawHttp2(gateway)
        client.send(json.dumps(BODY).encode())
        clients.append(client)  # which never reads: 65,535 bytes fill its window
    grown = []
    for _ in range(6):
        time.sleep(0.5)
        grown.append(gateway.probe()["memory"] - before)
    for client in clients:
        client.close()

    assert max(grown) < 40_000_000
    wait_until(lambda: gateway.probe()["exchanges"] == [], 5, "exchanges are left")
