"""How many calls and tokens each account spent, by the minute and by the hour, over all gateways."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select

from qwen_gateway.ledger import upsert
from qwen_gateway.ledger.schema import WINDOWS as TABLE
from qwen_gateway.ledger.uses import Span, Use


def add(connection: Connection, uses: Iterable[Use]) -> None:
    """Add to the counts; exact with any number of gateways."""
    rows = [
        {
            "account": use.account,
            "span": use.span,
            "begins": use.begins,
            "calls": use.calls,
            "prompt_tokens": use.prompt_tokens,
            "completion_tokens": use.completion_tokens,
            "cached_tokens": use.cached_tokens,
        }
        for use in sorted(uses, key=lambda use: (use.account, use.span, use.begins))  # one order: no deadlocks
    ]
    upsert.add(connection, TABLE, rows, sums=("calls", "prompt_tokens", "completion_tokens", "cached_tokens"))


def since(connection: Connection, span: Span, begins: int) -> list[Use]:
    """Every account's spans of this length that began then or later."""
    query = select(TABLE).where(TABLE.c.span == span, TABLE.c.begins >= begins).order_by(TABLE.c.begins)
    return [
        Use(row.account, row.span, row.begins, row.calls, row.prompt_tokens, row.completion_tokens, row.cached_tokens)
        for row in connection.execute(query)
    ]


def forget(connection: Connection, span: Span, before: int) -> None:
    """Forget spans of this length that began before then."""
    connection.execute(delete(TABLE).where(TABLE.c.span == span, TABLE.c.begins < before))
