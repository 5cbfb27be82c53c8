"""Questions to a ledger before anything runs; each opens and closes it, and blocks."""

from pathlib import Path

from qwen_gateway.ledger.ledger import Ledger
from qwen_gateway.ledger.settings import LedgerSettings


def may_exist(where: str) -> bool:
    """Whether there is something to ask: a file that is not there holds nothing."""
    return "://" in where or Path(where).expanduser().exists()


def has_keys(where: str) -> bool:
    """Whether callers need one of the ledger's keys.

    Raises:
        LedgerError: it cannot be read.
    """
    if not may_exist(where):
        return False
    from qwen_gateway.ledger import keys  # noqa: PLC0415 - SQLAlchemy takes long to import

    ledger = Ledger(LedgerSettings(where))
    try:
        return bool(ledger.database().read(keys.every))
    finally:
        ledger.close()
