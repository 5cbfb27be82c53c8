"""A shelf in a ledger, on SQLite and on a real PostgreSQL."""

import pytest

from qwen_gateway.ledger import Ledger
from qwen_gateway.shelf.shelf import Shelf
from tests.ledger.conftest import database, ledger, postgres, where

__all__ = ["database", "ledger", "postgres", "where"]


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf(ledger: Ledger, clock: Clock) -> Shelf:
    return Shelf(ledger, clock)
