"""The load generator: a process of its own that is told over stdin what to do, one JSON line per order.

It also reads the processor time of the measured process, so that costs and counts cover the same stretch of time.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any

from benchmark.calls import JsonCall, StreamCall
from benchmark.cost import cpu_seconds
from benchmark.http1 import Connection, Exchange
from benchmark.loop import run

type Figures = dict[str, Any]

PATIENCE = 60.0  # seconds that an order may take longer than it should; what is missing then counts as lost
WARM_UP = 5  # calls on each connection before counting begins


class Stretch:
    """A stretch of time: how long, how many chunks or calls, how much processor time of the measured process."""

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        self.count = self.pieces = 0
        self.open = False
        self.seconds = self.cpu = self.began = 0.0

    def begin(self) -> None:
        """Start counting."""
        self.cpu = -cpu_seconds(self.pid) if self.pid else 0.0
        self.began = time.perf_counter()
        self.open = True

    def end(self) -> None:
        """Stop counting."""
        if self.open:
            self.open = False
            self.seconds = time.perf_counter() - self.began
            self.cpu += cpu_seconds(self.pid) if self.pid else 0.0

    def add(self, count: int) -> None:
        """Count, while the stretch lasts."""
        if self.open:
            self.count += count
            self.pieces += 1

    def figures(self) -> Figures:
        """Plain data."""
        return {"count": self.count, "pieces": self.pieces, "seconds": self.seconds, "cpu": self.cpu}


class Line:
    """One client: a connection that is opened again when the other side closed it between two calls."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: Connection | None = None

    async def call(self, exchange: Exchange) -> None:
        """Make a call and wait for its end."""
        if self.connection is None or self.connection.lost:
            loop = asyncio.get_running_loop()
            try:
                _, self.connection = await loop.create_connection(Connection, "127.0.0.1", self.port)
            except OSError as error:
                exchange.close(0, f"cannot connect: {error}")
                await asyncio.sleep(0.1)
                return
        await self.connection.call(exchange)

    def close(self) -> None:
        """Hang up; the next call opens a connection again."""
        if self.connection:
            self.connection.give_up()
        self.connection = None


async def together(workers: Iterable[Coroutine[Any, Any, None]], limit: float) -> bool:
    """Run all workers to their end; say whether they all reached it in time."""
    tasks = [asyncio.ensure_future(worker) for worker in workers]
    _, late = await asyncio.wait(tasks, timeout=limit)
    for task in late:
        task.cancel()
    return not late


async def calls(
    port: int, pid: int | None, connections: int, seconds: float = 0.0, count: int = 0, *, anew: bool = False
) -> Figures:
    """Small JSON calls, each connection as fast as it is answered, for some seconds or until there were so many.

    With `anew`, each call has a connection of its own.
    """
    problems: Counter[str] = Counter()
    times: list[float] = []
    stretch = Stretch(pid)
    lines = [Line(port) for _ in range(connections)]
    left = count
    until = 0.0

    async def warm(line: Line) -> None:
        for _ in range(WARM_UP):
            await line.call(JsonCall(port, problems))

    async def work(line: Line) -> None:
        nonlocal left
        while (left > 0 if count else time.perf_counter() < until) and problems.total() < 1000:
            left -= 1
            call = JsonCall(port, problems)
            await line.call(call)
            stretch.add(1)
            times.append(call.took)
            if anew:
                line.close()

    await together(map(warm, lines), PATIENCE)
    stretch.begin()
    until = stretch.began + seconds
    if not await together(map(work, lines), seconds + count / 50 + PATIENCE):
        problems["the calls did not end in time"] += 1
    for line in lines:
        line.close()
    stretch.end()
    return {**stretch.figures(), "problems": dict(+problems), "times": sample(times)}


async def streams(
    port: int,
    pid: int | None,
    *,
    streams: int,
    chunks: int,
    pace: int,
    ramp: float,
    settle: float,
    seconds: float,
    repeat: bool,
) -> Figures:
    """So many streams at once, begun evenly over the ramp; once settled, figures are taken for some seconds.

    With `repeat`, a stream that has ended is followed by the next one, and only streams begun after the ramp say
    how long the first chunk took. Every stream is read to its end, and checked.
    """
    problems: Counter[str] = Counter()
    first: list[float] = []
    stretch = Stretch(pid)
    lines = [Line(port) for _ in range(streams)]
    made: list[StreamCall] = []
    loop = asyncio.get_running_loop()
    start = loop.time() + 0.1
    begin = start + ramp + settle

    async def work(place: int, line: Line) -> None:
        await asyncio.sleep(start + ramp * place / streams - loop.time())
        while True:
            call = StreamCall(port, problems, chunks, pace, stretch.add)
            made.append(call)
            counts = not repeat or stretch.open
            await line.call(call)
            if call.first and counts:
                first.append(call.first)
            if not repeat or loop.time() > begin + seconds:
                return

    loop.call_at(begin, stretch.begin)
    loop.call_at(begin + seconds, stretch.end)
    began = time.perf_counter()
    limit = ramp + settle + seconds + 3 * chunks * pace / 1000 + PATIENCE
    if not await together((work(place, line) for place, line in enumerate(lines)), limit):
        problems["streams did not end in time"] += 1
    for line in lines:
        line.close()
    stretch.end()
    lost = sum(call.lost for call in made)
    return {
        **stretch.figures(),
        "problems": dict(+problems),
        "first": sample(first),
        "streams": len(made),
        "lost": lost,
        "total": time.perf_counter() - began,
    }


def sample(values: list[float], most: int = 1000) -> list[float]:
    """The values in order, thinned out evenly where there are very many."""
    return sorted(values)[:: max(1, len(values) // most)]


async def main() -> None:
    """Carry out one order after the other until stdin closes."""
    orders = {"calls": calls, "streams": streams}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        print(json.dumps(await orders[order.pop("do")](**order)), flush=True)


if __name__ == "__main__":
    run(main())
