"""The event loop of the benchmark's own processes: uvloop where it is installed, asyncio elsewhere."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the cheapest loop at hand."""
    try:
        from uvloop import new_event_loop  # noqa: PLC0415 - optional: the benchmark does not depend on it
    except ImportError:
        new_event_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)


async def until_stdin_closes() -> None:
    """Wait for the end of stdin: the parent holds the other end, so its death ends this process too."""
    import sys  # noqa: PLC0415 - see above

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
