"""Dialect-free pieces of the wire: JSON, server-sent events, deltas. Pure; no I/O."""
