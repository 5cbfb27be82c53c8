"""The ways to the upstreams, over real sockets: faults by their origin, connections that are used again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from qwen_gateway.codec.json import dumps
from qwen_gateway.engine.aiohttp_transport import AiohttpTransport
from qwen_gateway.engine.httpx_transport import HttpxTransport
from qwen_gateway.engine.transport import TransportFault, describe
from qwen_gateway.simulator import Simulator
from tests.engine.wire import Do, wire

BODY = dumps({"model": "qwen3.7-plus", "messages": [{"role": "user", "content": "Say hi"}], "stream": True})


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture(params=["aiohttp", "httpx"])
async def transport(request: pytest.FixtureRequest, trust: str) -> AsyncIterator[Any]:
    kind = AiohttpTransport if request.param == "aiohttp" else HttpxTransport
    made = kind(connect_timeout=0.5, ca_bundle=trust)
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One authority: reading those of the system takes longer than a test."""
    from qwen_gateway.simulator.certificates import make_context

    folder = tmp_path_factory.mktemp("authority")
    make_context(folder, ["localhost"], http2=False)
    return str(folder / "ca.pem")


async def send(transport: Any, sim: Simulator, fault: str = "ok", **more: Any) -> Any:
    headers = {"authorization": "Bearer sk-sim", "content-type": "application/json", "x-sim-fault": fault}
    return await transport.send("POST", sim.url("dashscope") + "/chat/completions", headers, BODY, **more)


async def read(answer: Any) -> bytes:
    return b"".join([chunk async for chunk in answer.chunks()])


async def test_an_answer_comes_in_pieces(transport: Any, sim: Simulator) -> None:
    answer = await send(transport, sim)
    body = await read(answer)
    await answer.aclose(reuse=True)

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_only_what_was_given_is_sent(transport: Any, sim: Simulator) -> None:
    await read(await send(transport, sim))

    (received,) = sim.log
    names = {name.lower() for name, _ in received.headers}
    assert names <= {
        "host", "authorization", "content-type", "content-length", "x-sim-fault", "accept-encoding", "connection",
        "accept", "user-agent",
    }  # fmt: skip
    assert received.body == BODY
    assert received.header("accept-encoding") == "identity"


async def test_connections_are_used_again(transport: Any, sim: Simulator) -> None:
    for _ in range(3):
        answer = await send(transport, sim)
        await read(answer)
        await answer.aclose(reuse=True)

    assert len({received.connection for received in sim.log}) == 1


async def test_also_when_the_last_bytes_were_not_waited_for(transport: Any, sim: Simulator) -> None:
    for _ in range(3):
        answer = await send(transport, sim)
        async for chunk in answer.chunks():
            if b"[DONE]" in chunk:
                break
        await answer.aclose(reuse=True)
        await asyncio.sleep(0.01)

    assert len({received.connection for received in sim.log}) == 1


async def test_an_answer_let_go_is_cancelled_at_the_upstream(transport: Any, sim: Simulator) -> None:
    answer = await send(transport, sim, "stall-mid;after=1")
    async for _ in answer.chunks():
        break
    await answer.aclose()

    async with asyncio.timeout(1):
        while sim.log[0].disconnected_at is None:
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("fault", ["gzip"])
async def test_packed_answers_are_unpacked(transport: Any, sim: Simulator, fault: str) -> None:
    assert (await read(await send(transport, sim, fault))).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("fault", ["drop-before-headers", "reset", "drop-in-headers"])
async def test_a_break_before_the_head_is_a_cut(transport: Any, sim: Simulator, fault: str) -> None:
    with pytest.raises(TransportFault) as broken:
        await send(transport, sim, fault)

    assert broken.value.origin == "cut"
    assert broken.value.message


@pytest.mark.parametrize("fault", ["drop-after;after=2", "drop-mid-json", "truncated"])
async def test_a_break_within_the_body_is_a_cut(transport: Any, sim: Simulator, fault: str) -> None:
    answer = await send(transport, sim, fault)

    with pytest.raises(TransportFault) as broken:
        await read(answer)

    assert broken.value.origin == "cut"
    await answer.aclose()


async def test_nobody_listening_is_told_as_such(transport: Any, unused: int) -> None:
    with pytest.raises(TransportFault) as broken:
        await transport.send("GET", f"http://127.0.0.1:{unused}/v1/models", {}, b"")

    assert broken.value.origin == "connect"
    assert "127.0.0.1" in broken.value.message


@pytest.fixture
async def unused() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1")
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


async def test_a_proxy_that_is_not_there_is_told_as_such(transport: Any, sim: Simulator, unused: int) -> None:
    with pytest.raises(TransportFault) as broken:
        await send(transport, sim, proxy=f"http://127.0.0.1:{unused}")

    assert broken.value.origin == "connect"


@pytest.mark.parametrize("upstream", ["http", "https"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS5"])
async def test_a_proxy_of_a_kind_that_cannot_be_used_gets_not_a_byte(
    transport: Any, scheme: str, upstream: str
) -> None:
    headers = {"authorization": "Bearer sk-key"}
    async with wire([Do.CLOSE]) as playing:
        proxy = f"{scheme}://user:secret@127.0.0.1:{playing.port}"
        with pytest.raises(TransportFault) as broken:
            await transport.send("POST", f"{upstream}://up.test/v1", headers, BODY, proxy)
        await asyncio.sleep(0.03)

    assert playing.connections == 0
    assert broken.value.origin == "connect"
    assert f"127.0.0.1:{playing.port}" in broken.value.message
    assert "HTTP proxy" in broken.value.message
    assert "secret" not in broken.value.message


async def test_redirects_are_not_followed(transport: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with server:
        found = await transport.send("GET", f"http://127.0.0.1:{port}/", {}, b"")
        await found.aclose()

    assert found.status == 302


def test_an_error_without_words_is_told_by_its_name() -> None:
    assert describe(OSError()) == "OSError"
    assert describe(OSError("gone")) == "gone"
    assert "word" not in describe(aiohttp.InvalidURL("http://user:word@xn--"))
