"""Keeps the C library's heap from growing in a long run; `scripts/bench --only memory` has the figures.

glibc puts large pieces of memory into mappings of their own and gives them back when they are freed. But each time one
is freed, the size from which it does so rises to the size of that piece (mallopt(3), `M_MMAP_THRESHOLD`). After a large
batch of rows all the next ones lie in the heap, and whatever small and lasting lies behind one keeps the space from
being given back. Setting the sizes ends the rising; pages that are free between small pieces are given back now and
then.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Mapping

from mitmproxy.utils import asyncio_utils

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3

LARGE = 1 << 20
"""Bytes. Above asyncio's read buffer of 256 KiB: with glibc's own 128 KiB each read would map and unmap one, which
makes a chunk of a stream 30 % dearer. 1 MiB costs nothing that could be measured."""

EVERY = 30.0
"""Seconds between two times that free pages are given back. That takes some milliseconds at most, in a thread."""


class Heap:
    """Does nothing where the C library is another one (macOS, Windows, musl), or where the user tunes it by variables
    (`MALLOC_…`, `GLIBC_TUNABLES`).
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._library = None if is_tuned(environ) else glibc()
        self._task: asyncio.Task[None] | None = None

    def running(self) -> None:
        """Everything is loaded: set the sizes, and give back what starting has left behind."""
        if self._library is None:
            return
        self._library.mallopt(M_MMAP_THRESHOLD, LARGE)
        self._library.mallopt(M_TRIM_THRESHOLD, LARGE)
        self._library.malloc_trim(0)
        self._task = asyncio_utils.create_task(self._keep_small(self._library), name="give back memory", keep_ref=True)

    def done(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _keep_small(self, library: ctypes.CDLL) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await asyncio.to_thread(library.malloc_trim, 0)


def is_tuned(environ: Mapping[str, str]) -> bool:
    """Whether the user has set how memory is given out."""
    return "glibc.malloc" in environ.get("GLIBC_TUNABLES", "") or any(name.startswith("MALLOC_") for name in environ)


def glibc() -> ctypes.CDLL | None:
    """The C library of this process, when it is glibc."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
