"""HTTP/2 over TLS, chosen by ALPN."""

import asyncio
import json
import ssl

import h2.connection
import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.simulator.asking import HI, ask, text


async def test_http2_is_chosen_where_the_client_offers_it(tls: Simulator, client2: httpx.AsyncClient) -> None:
    answer = await ask(tls, client2)

    assert answer.http_version == "HTTP/2"
    assert tls.connections[0].http_version == "2"
    assert tls.connections[0].tls


async def test_a_client_without_http2_speaks_http1(tls: Simulator) -> None:
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    async with httpx.AsyncClient(verify=trust) as client:
        answer = await ask(tls, client, stream=True)

    assert answer.http_version == "HTTP/1.1"
    assert text(answer)


async def test_http2_can_be_left_out() -> None:
    async with Simulator(tls=True, http2=False) as sim:
        trust = ssl.create_default_context(cafile=str(sim.ca_file))
        async with httpx.AsyncClient(http2=True, verify=trust) as client:
            assert (await ask(sim, client)).http_version == "HTTP/1.1"


async def test_who_does_not_trust_the_authority_gets_nothing(tls: Simulator) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await ask(tls, client)


async def test_other_names_can_be_certified() -> None:
    async with Simulator(tls=True, tls_names=["portal.example"]) as sim:
        trust = ssl.create_default_context(cafile=str(sim.ca_file))
        _, writer = await asyncio.open_connection(sim.host, sim.port, ssl=trust, server_hostname="portal.example")
        writer.close()
        await writer.wait_closed()


async def test_streams_of_one_connection_run_side_by_side(tls: Simulator, client2: httpx.AsyncClient) -> None:
    await ask(tls, client2)
    answers = await asyncio.gather(*(ask(tls, client2, fault="slow;chunk=0.001", stream=True) for _ in range(20)))

    assert {text(answer) for answer in answers} == {text(answers[0])}
    assert {received.connection for received in tls.log} == {1}


async def test_a_large_body_passes_the_flow_control(tls: Simulator, client2: httpx.AsyncClient) -> None:
    long = "word " * 300_000
    messages = [{"role": "user", "content": long}]
    answer = await ask(tls, client2, messages=messages, enable_thinking=False)

    assert long in answer.json()["choices"][0]["message"]["content"]


async def test_a_client_that_breaks_the_protocol_is_left(tls: Simulator) -> None:
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    trust.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(tls.host, tls.port, ssl=trust)
    writer.write(b"GET / HTTP/1.1\r\n\r\n" * 3)

    assert await reader.read()  # up to the end that the simulator has set
    assert tls.log == []
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_takes_all_its_streams_along(tls: Simulator) -> None:
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    async with httpx.AsyncClient(http2=True, verify=trust, timeout=0.2) as client:
        calls = (ask(tls, client, fault="stall-mid", stream=True) for _ in range(3))
        answers = await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(0.05)

    assert all(isinstance(answer, httpx.ReadTimeout) for answer in answers)
    assert [received.disconnected for received in tls.log] == [True, True, True]


async def test_a_reset_stream_is_noted_at_once(tls: Simulator) -> None:
    # httpx does not reset a stream that it leaves, so this client is written out.
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    trust.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(tls.host, tls.port, ssl=trust)
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    body = json.dumps({"model": "qwen3.7-plus", "messages": HI, "stream": True}).encode()
    target = [(":method", "POST"), (":scheme", "https"), (":authority", "x")]
    target += [(":path", "/compatible-mode/v1/chat/completions")]
    connection.send_headers(1, [*target, ("authorization", "Bearer sk-sim-stall-mid")])
    connection.send_data(1, body, end_stream=True)
    writer.write(connection.data_to_send())
    await reader.read(65_536)

    connection.reset_stream(1)
    writer.write(connection.data_to_send())
    await asyncio.sleep(0.05)

    assert tls.log[-1].disconnected
    assert tls.connections[0].open
    writer.close()
    await writer.wait_closed()
