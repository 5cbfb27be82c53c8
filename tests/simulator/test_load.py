"""The simulator carries hundreds of streams at once."""

import asyncio

from qwen_gateway.simulator import Simulator
from tests.simulator.test_http1 import request

STREAMS = 300


async def read_stream(sim: Simulator) -> int:
    """How many bytes of events one bare client sees."""
    body = b'{"model":"qwen3.7-plus","stream":true,"messages":[{"role":"user","content":"load"}]}'
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    head = request(b"Connection: close\r\n").rpartition(b"Content-Length")[0]
    writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    got = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    return got.count(b"data: {")


async def test_hundreds_of_streams_at_once() -> None:
    async with Simulator(pace=0.01) as sim:
        counts = await asyncio.gather(*(read_stream(sim) for _ in range(STREAMS)))

        assert set(counts) == {counts[0]}
        assert len(sim.log) == STREAMS
        assert not any(received.disconnected for received in sim.log)
