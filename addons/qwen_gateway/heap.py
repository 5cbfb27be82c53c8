"""Keeps the C library's heap from growing in a long run; `scripts/bench --only memory` has the figures.

glibc puts large pieces of memory into mappings of their own and gives them back when they are freed. But each time one
is freed, the size from which it does so rises to the size of that piece (mallopt(3), `M_MMAP_THRESHOLD`). After
one large batch of rows all the next ones lie in the heap, and whatever small and lasting lies behind one keeps the
space from being given back. Setting the sizes ends the rising.
"""

import ctypes
import os
import sys
from collections.abc import Mapping

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3

LARGE = 1 << 20
"""Bytes. Above asyncio's read buffer of 256 KiB: with glibc's own 128 KiB each read would map and unmap one, which
makes a chunk of a stream 30 % dearer. 1 MiB costs nothing that could be measured."""


def keep_small(environ: Mapping[str, str] = os.environ) -> bool:
    """Set the sizes, and give back what starting has left behind; False where that is not ours to do.

    It is not where the C library is another one (macOS, Windows, musl), or where the user tunes it by variables
    (`MALLOC_…`, `GLIBC_TUNABLES`).
    """
    tuned = "glibc.malloc" in environ.get("GLIBC_TUNABLES", "") or any(name.startswith("MALLOC_") for name in environ)
    if tuned or sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        return False
    library.mallopt(M_MMAP_THRESHOLD, LARGE)
    library.mallopt(M_TRIM_THRESHOLD, LARGE)
    library.malloc_trim(0)
    return True
