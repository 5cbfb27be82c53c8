"""Where the ledger is, and whether there is one; it is written out and closed at the end."""

import asyncio

from mitmproxy import ctx

from qwen_gateway import options
from qwen_gateway.ledger import Ledger
from qwen_gateway.shelf.shelf import Shelf

SOON = 1.0
"""Seconds after the start when the database is opened, so that the first calls do not share the processor with it."""


class Storage:
    """Hands the options to the ledger, and to what stands in it."""

    def __init__(self, ledger: Ledger, shelf: Shelf) -> None:
        self._ledger = ledger
        self._shelf = shelf

    def configure(self, updated: set[str]) -> None:
        if any(name.startswith("qwen_") for name in updated):
            settings = options.read(ctx.options)
            self._ledger.configure(settings.ledger)
            self._shelf.enabled = settings.persistence

    def running(self) -> None:
        if self._shelf.enabled:
            asyncio.get_running_loop().call_later(SOON, self._ledger.later, lambda _: None)

    def done(self) -> None:
        """Blocks for as long as it takes to write what waits."""
        self._ledger.close()
