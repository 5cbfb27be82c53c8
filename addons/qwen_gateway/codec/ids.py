"""Names that nobody can guess: of calls, answers and objects."""

import os
import time

POOL = 4096
"""Bytes of randomness fetched at once: asking the system for each name costs more than the name."""

_left = bytearray()


def random_hex(size: int) -> str:
    """`size` random bytes as hexadecimal digits, from the system's own source."""
    if len(_left) < size:
        _left.extend(os.urandom(POOL + size))
    taken = _left[-size:]
    del _left[-size:]
    return taken.hex()


def ordered_hex() -> str:
    """32 hexadecimal digits, of which the first 12 are the time in milliseconds, as in a UUID of version 7 (RFC 9562).

    What is made later sorts later: a database writes its rows behind each other, not all over its indexes.
    """
    return f"{time.time_ns() // 1_000_000:012x}{random_hex(10)}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_left.clear)  # or parent and child would give the same names
