"""Where the ledger is, and whether there is one; it is written out and closed at the end."""

from mitmproxy import ctx

from qwen_gateway import options
from qwen_gateway.ledger import Ledger
from qwen_gateway.shelf.shelf import Shelf


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

    def done(self) -> None:
        """Blocks for as long as it takes to write what waits."""
        self._ledger.close()
