"""What gateways have set aside of the limits of a key, and what was used: told and asked in one transaction."""

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select, update

from qwen_gateway.keys.purse import Answer, Ask, Used
from qwen_gateway.keys.spans import Span
from qwen_gateway.ledger import keys
from qwen_gateway.ledger.schema import GATEWAY_KEYS

HELD = " held"
"""Behind a span's name: the row of what is set aside in it."""

COLUMNS = {"calls": "calls", "tokens": "prompt_tokens", "money": "cost"}
"""Where the row of what is set aside keeps each unit."""


def exchange(
    connection: Connection,
    key_id: str,
    used: Iterable[tuple[Span, int, Used]],
    asks: Sequence[Ask],
    now: float | None = None,
) -> list[Answer]:
    """Add what was used, take back what is no longer held, and set aside as much of what is wanted as is left.

    Exact with any number of gateways: they take turns at the key.
    """
    locked = select(GATEWAY_KEYS.c.id).where(GATEWAY_KEYS.c.id == key_id).with_for_update()
    if connection.execute(locked).first() is None:
        return [Answer(0.0, ask.limit.most) for ask in asks]  # the key is gone
    now = time.time() if now is None else now
    told = [(span, begins, each) for span, begins, each in used if each.calls]
    for span, begins, each in told:
        keys.spend(
            connection, key_id, span, begins,
            keys.Spent(each.calls, each.prompt_tokens, each.completion_tokens, each.money),
        )  # fmt: skip
    if told:
        connection.execute(update(GATEWAY_KEYS).where(GATEWAY_KEYS.c.id == key_id).values(used_at=now))
    return [_answer(connection, key_id, ask) for ask in asks]


def _answer(connection: Connection, key_id: str, ask: Ask) -> Answer:
    span, unit = ask.limit.span, ask.limit.unit
    spent = _amount(keys.spent_since(connection, key_id, span, ask.begins), unit)
    held = _amount(keys.spent_since(connection, key_id, span + HELD, ask.begins), unit)
    granted = max(0.0, min(ask.want, ask.limit.most - spent - held + ask.back))
    if unit != "money":
        granted = float(int(granted))
    change = granted - ask.back
    if change:
        keys.spend(connection, key_id, span + HELD, ask.begins, _held(unit, change))
    return Answer(granted, spent)


def _amount(spent: keys.Spent, unit: str) -> float:
    match unit:
        case "calls":
            return spent.calls
        case "tokens":
            return spent.prompt_tokens + spent.completion_tokens
        case _:
            return spent.cost


def _held(unit: str, amount: float) -> keys.Spent:
    if unit == "money":
        return keys.Spent(cost=amount)
    return keys.Spent(calls=round(amount)) if unit == "calls" else keys.Spent(prompt_tokens=round(amount))


def forget(connection: Connection, now: float | None = None) -> None:
    """Forget spans of which nothing is asked any more."""
    now = time.time() if now is None else now
    for span, age in (("minute", 3_600), ("day", 92 * 86_400), ("month", 800 * 86_400)):
        keys.forget_spent(connection, span, int(now - age))
        keys.forget_spent(connection, span + HELD, int(now - min(age, 32 * 86_400)))
