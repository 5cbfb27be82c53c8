"""mitmweb shows the newest calls; its memory is bounded."""

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import body, http, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import free_port, wait_until


@pytest.mark.parametrize("stream", [False, True])
def test_mitmweb_shows_the_newest_and_what_runs(starter: Starter, sim: Simulator, stream: bool) -> None:
    port = free_port()
    options = {"qwen_keep_flows": 10, "web_password": "web-password", "web_port": port, "web_open_browser": "false"}
    gateway = starter("recent", command="mitmweb", environ=one_account(sim), options=options).start()
    sim.state.pace = 0.001
    sim.script([{"fault": "internal-error", "times": 1}, "stall-mid;after=2"])
    with (
        http(gateway) as client,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": "Bearer web-password"}) as web,
        client.stream("POST", "/v1/chat/completions", json=body(stream=True)) as running,
    ):
        for number in range(40):
            messages = [{"role": "user", "content": f"word{number}"}]
            answer = client.post("/v1/chat/completions", json=body(stream=stream, messages=messages))
            assert text(answer).endswith(f"“word{number}”")
        wait_until(lambda: len(web.get("/flows").json()) == 10, 10, "the list did not get shorter")
        shown = web.get("/flows").json()

        # What runs is the oldest; the failed attempt before it is gone.
        assert shown[0]["response"]["headers"][0] is not None
        assert [flow["marked"] for flow in shown] == [""] * 10
        assert shown[0]["response"]["timestamp_end"] is None
        assert len(sim.log) == 42
        del running
    gateway.stop()
