"""Names that nobody can guess: of calls, answers and objects."""

import os

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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_left.clear)  # or parent and child would give the same names
