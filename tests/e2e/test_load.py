"""Many at once, slow ones, and connections that are used again."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import pytest
from mitmproxy import http as http_

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ahttp, ask, body, dumped, http, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm, wait_until


async def test_two_hundred_streams_at_once_are_complete(gateway: Mitm, sim: Simulator) -> None:
    sim.state.pace = 0.02

    async def one(number: int) -> str:
        messages = [{"role": "user", "content": f"word{number}"}]
        return text(await client.post("/v1/chat/completions", json=body(stream=True, messages=messages)))

    async with ahttp(gateway) as client:
        said = await asyncio.gather(*(one(number) for number in range(200)))

    assert [words.endswith(f"“word{number}”") for number, words in enumerate(said)] == [True] * 200


def test_a_slow_reader_does_not_fill_the_memory(gateway: Mitm, sim: Simulator) -> None:
    """The upstream is held back as far as the client is: what nobody reads is not sent."""
    call = dumped(body(stream=True, model="qwen3-coder-plus"))
    before = gateway.probe()["memory"]
    readers = []
    for _ in range(5):
        sim.script(["long-answer;words=300000"])
        reader = socket.create_connection(("127.0.0.1", gateway.port), 5)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(call)}\r\n\r\n"
        reader.sendall(head.encode() + call)
        readers.append(reader)
    grown = []
    for _ in range(6):
        time.sleep(0.5)
        for reader in readers:
            reader.recv(1024)
        grown.append(gateway.probe()["memory"] - before)
    for reader in readers:
        reader.close()

    assert max(grown) < 60_000_000
    wait_until(lambda: gateway.probe()["exchanges"] == [], 5, "exchanges are left")


@pytest.fixture(scope="module")
def tls_upstream() -> Iterator[Simulator]:
    """Qwen with TLS, which offers HTTP/2."""
    with Simulator.in_thread(tls=True) as simulator:
        yield simulator


@pytest.mark.parametrize(("option", "version"), [("false", "1.1"), ("true", "2")])
def test_connections_to_the_upstream_are_used_again(
    starter: Starter, tls_upstream: Simulator, option: str, version: str
) -> None:
    """A new client connection costs no new TLS handshake with Qwen."""
    tls_upstream.reset()
    options = {"qwen_ca_bundle": tls_upstream.ca_file, "qwen_http2": option}
    with starter("keep-alive", environ=one_account(tls_upstream), options=options) as gateway:
        for number in range(6):
            assert ask(gateway, stream=number % 2 == 0).status_code == 200
            time.sleep(0.05)

    assert len(tls_upstream.log) == 6
    assert {received.http_version for received in tls_upstream.log} == {version}
    assert len({received.connection for received in tls_upstream.log}) == 1


def test_an_upstream_that_nobody_vouches_for_is_not_trusted(starter: Starter, tls_upstream: Simulator) -> None:
    tls_upstream.reset()
    with starter("untrusted", environ=one_account(tls_upstream), options={"qwen_wait": 0}) as gateway:
        answer = ask(gateway)

    assert answer.status_code == 502
    assert "certificate" in answer.text.lower()
    assert tls_upstream.log == []


def answered(flow: http_.HTTPFlow) -> bool:
    """A replay of a chat, with its answer; health checks are replayed as well."""
    return bool(flow.is_replay and flow.response and flow.metadata.get("qwen.client"))


def test_a_recorded_flow_can_be_replayed(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    """From a dump, in another process: the client's own call is made again, with the account of that process."""
    with starter("recorded", environ=one_account(upstream)) as gateway:
        messages = [{"role": "user", "content": "Say it again"}]
        ask(gateway, model="gpt-4o", messages=messages, stream=True)
        wait_until(lambda: any(flow.metadata.get("qwen.client") for flow in gateway.flows()), 5, "no flow")
        recorded = gateway.dump_file
    sim.reset()
    second = starter(
        "replayed", environ=one_account(upstream, "sk-sim.second"), options={"client_replay": recorded}
    )  # fmt: skip
    with second:
        wait_until(lambda: any(answered(flow) for flow in second.flows()), 10, lambda: second.log)
        replayed = next(flow for flow in second.flows() if answered(flow))

    call = next(received for received in sim.log if received.method == "POST")
    assert call.key == "sk-sim.second"
    assert call.json["messages"] == messages
    assert replayed.response is not None
    assert replayed.response.status_code == 200
    assert b"[DONE]" in (replayed.response.content or b"")
    assert replayed.comment.startswith("gpt-4o → qwen3.7-plus on qwen: finished")
    assert json.loads(replayed.metadata["qwen.client"]["body"])["model"] == "gpt-4o"


def test_a_stop_ends_the_process_in_time(starter: Starter, upstream: Simulator, sim: Simulator) -> None:
    sim.state.pace = 0.05
    gateway = starter("stopping", environ=one_account(upstream)).start()
    with http(gateway) as client:
        fields = body(stream=True)
        with client.stream("POST", "/v1/chat/completions", json=fields) as answer:
            next(answer.iter_raw())
            begin = time.monotonic()
            gateway.stop()
            took = time.monotonic() - begin

    assert took < 5
    assert gateway.troubles() == []
