"""Why the ledger cannot be used."""


class LedgerError(Exception):
    """The database cannot be opened, read or written now; the message says why and what helps."""
