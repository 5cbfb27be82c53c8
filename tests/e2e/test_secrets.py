"""Canaries in every credential; afterwards everything that the gateway wrote or showed is searched for them."""

import json
import re
from pathlib import Path

import httpx
import pytest

from qwen_gateway.simulator import Key, Simulator
from tests.e2e.asking import ask, ask_with, http
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, free_port, wait_until

GOOD, BAD, SPARE = "sk-canary-good-7f3a91", "sk-canary-bad-55c2d0", "sk-canary-spare-0b6e"
GATEWAY_KEY = "gk-canary-12ab88"
PROXY_PASSWORD = "canary-proxy-e09c4f"
CLIENT = {
    "authorization": f"Bearer {GATEWAY_KEY}",
    "x-api-key": "canary-x-api-key-31d7",
    "api-key": "canary-api-key-90aa",
    "cookie": "session=canary-cookie-c4e1",
    "proxy-authorization": "Basic canary-proxy-authorization-6d",
    "openai-organization": "org-canary-77",
}
CANARIES = (
    GOOD, BAD, SPARE, GATEWAY_KEY, PROXY_PASSWORD, "canary-x-api-key-31d7", "canary-api-key-90aa",
    "canary-cookie-c4e1", "canary-proxy-authorization-6d", "org-canary-77", "canary-query-55",
)  # fmt: skip


def found_in(content: bytes | str, where: str) -> list[str]:
    """Which canaries stand there."""
    raw = content.encode() if isinstance(content, str) else content
    return [f"{canary} in {where}" for canary in CANARIES if canary.encode() in raw]


@pytest.mark.parametrize("command", ["mitmdump", "mitmweb"])
def test_no_secret_is_seen_anywhere(starter: Starter, upstream: Simulator, sim: Simulator, command: str) -> None:
    har = "hardump"
    web_port = free_port()
    options: dict[str, object] = {
        "qwen_strategy": "fill-first", "qwen_wait": 0, "qwen_first_timeout": 1, "termlog_verbosity": "debug",
    }  # fmt: skip
    arguments: tuple[str, ...] = ()
    if command == "mitmdump":
        options["flow_detail"] = 4
    else:
        options |= {"web_password": "web-password", "web_port": web_port, "web_open_browser": "false"}
    gateway = starter(
        f"secrets-{command}", command=command, environ={"QWEN_GATEWAY_KEYS": GATEWAY_KEY}, options=options,
        arguments=arguments,
    )  # fmt: skip
    har_file = gateway.folder / "all.har"
    gateway.options[har] = har_file
    sim.keys[GOOD], sim.keys[BAD] = Key(), Key(fault="invalid-api-key")
    gateway.add_account("bad", BAD, upstream.url(), "qwen3.7-plus", "qwen3-coder-plus")
    gateway.add_account(
        "behind-proxy",
        SPARE,
        upstream.url(),
        "qwen3.6-plus",
        proxy=f"http://user:{PROXY_PASSWORD}@127.0.0.1:{free_port()}",
    )
    gateway.add_account("good", GOOD, upstream.url())
    shown: dict[str, bytes | str] = {}
    with gateway, http(gateway, headers=CLIENT) as client:
        answers = {
            "an answer": ask(gateway, headers=CLIENT),
            "a stream": ask(gateway, headers=CLIENT, stream=True),
            "a failover past a proxy": ask(gateway, headers=CLIENT, model="qwen3.6-plus"),
            "a wrong call": ask(gateway, headers=CLIENT, messages="x"),
            "no call": ask_with(gateway, b"{", **CLIENT),
            "a wrong key": ask(gateway, headers=CLIENT | {"authorization": "Bearer wrong", "x-api-key": SPARE}),
            "an unknown path": client.post("/v1/files", json={"input": "x"}),
            "a key in the query": client.post(
                "/v1/chat/completions?api_key=canary-query-55", json={"model": "qwen3.7-plus", "messages": []}
            ),
            "models": client.get("/v1/models"),
            "health": client.get("/health"),
        }
        sim.script([{"fault": "internal-error", "times": 9}])
        answers["an outage"] = ask(gateway, headers=CLIENT)
        sim.state.script.clear()
        sim.script(["stall-mid;after=3"])
        fields = {"model": "qwen3.5-plus", "messages": [{"role": "user", "content": "x"}], "stream": True}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(gateway.url + "/v1/chat/completions", json=fields, headers=CLIENT, timeout=0.5)
        if command == "mitmweb":
            with httpx.Client(headers={"authorization": "Bearer web-password"}, timeout=10) as web:
                base = f"http://127.0.0.1:{web_port}"
                listed = web.get(base + "/flows")
                assert listed.status_code == 200, listed.text
                shown["mitmweb's flows"] = listed.content
                comments = [flow.get("comment", "") for flow in listed.json()]
                assert any("auth_dead" in comment for comment in comments)
                assert any(flow["marked"] and flow["comment"].startswith("attempt 1 of") for flow in listed.json())
                for flow in listed.json():
                    for part in ("request", "response"):
                        if not flow.get(part):
                            continue
                        content = web.get(f"{base}/flows/{flow['id']}/{part}/content.data")
                        shown[f"{part} of {flow['id']}"] = content.content
                shown["mitmweb's dump"] = web.get(base + "/flows/dump").content
                shown["mitmweb's options"] = web.get(base + "/options").content
                shown["mitmweb's events"] = web.get(base + "/events").content
        wait_until(lambda: len(gateway.flows()) >= len(answers), 5, "flows are missing")
    assert sim.log[0].header("authorization") == f"Bearer {BAD}"
    assert any(received.header("authorization") == f"Bearer {GOOD}" for received in sim.log)
    for name, answer in answers.items():
        shown[name] = answer.content + str(answer.headers).encode()
    shown["the dump"] = gateway.dump_file.read_bytes()
    shown["the log"] = gateway.log
    if command == "mitmdump":
        shown["the HAR"] = har_file.read_bytes()
        assert len(json.loads(har_file.read_bytes())["log"]["entries"]) >= len(answers)

    assert [hit for where, content in shown.items() for hit in found_in(content, where)] == []
    assert answers["an answer"].status_code == 200
    assert answers["a wrong key"].status_code == 401
    assert b"qwen3.7-plus" in shown["the dump"] if isinstance(shown["the dump"], bytes) else True


def test_the_command_line_shows_no_secret(starter: Starter, upstream: Simulator) -> None:
    """Neither does the environment that mitmweb would show, nor a message about a key of the wrong plan."""
    environ = one_account(upstream, "sk-sp-canary-plan-4411")
    gateway: Mitm = starter("wrong-plan", environ=environ, options={"termlog_verbosity": "debug"})
    with gateway:
        answer = ask(gateway)
        files = [path for path in Path(gateway.folder).rglob("*") if path.is_file()]
        hits = [path.name for path in files if b"canary-plan" in path.read_bytes()]

    assert answer.status_code == 503
    assert hits == []
    assert not re.search("canary", answer.text)
