"""The databases of the ledger's tests."""

from tests.ledger.conftest import ledger, postgres, where

__all__ = ["ledger", "postgres", "where"]
