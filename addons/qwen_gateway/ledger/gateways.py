"""Which gateways use this database, and which of them are dead: then what they left running was interrupted."""

import os
import sys
from collections.abc import Callable

from sqlalchemy import Connection, delete, select, update

from qwen_gateway.ledger.identity import Gateway
from qwen_gateway.ledger.schema import GATEWAYS as TABLE
from qwen_gateway.ledger.schema import REQUESTS
from qwen_gateway.version import __version__

DEAD = 60.0
"""Seconds without a sign after which a gateway on another machine is taken for dead."""

FORGET = 7 * 86_400.0
"""Seconds after which nobody asks any more when a gateway ended."""


def begin(connection: Connection, gateway: Gateway, now: float) -> None:
    """A gateway starts."""
    connection.execute(
        TABLE.insert().values(
            id=gateway.id, machine=gateway.machine, pid=gateway.pid, version=__version__, started_at=now, seen_at=now
        )
    )


def beat(connection: Connection, gateway: Gateway, now: float) -> None:
    """A sign of life."""
    connection.execute(update(TABLE).where(TABLE.c.id == gateway.id).values(seen_at=now))


def end(connection: Connection, gateway: Gateway, now: float) -> None:
    """A gateway ends in order; what it has not finished by now, it never will."""
    connection.execute(update(TABLE).where(TABLE.c.id == gateway.id).values(seen_at=now, ended_at=now))
    _interrupt(connection, [gateway.id], now)


def bury(connection: Connection, gateway: Gateway, now: float, alive: Callable[[int], bool] | None = None) -> list[str]:
    """Mark as interrupted what dead gateways left running.

    Returns:
        The ids of those that were found dead now.
    """
    alive = alive or process_lives
    dead = [
        row.id
        for row in connection.execute(select(TABLE).where(TABLE.c.ended_at.is_(None), TABLE.c.id != gateway.id))
        if row.seen_at < now - DEAD
        # The same process id, and not this gateway: it was given anew, as containers do.
        or (row.machine == gateway.machine and (row.pid == gateway.pid or not alive(row.pid)))
    ]
    if dead:
        connection.execute(update(TABLE).where(TABLE.c.id.in_(dead)).values(ended_at=TABLE.c.seen_at))
        _interrupt(connection, dead, now)
    connection.execute(delete(TABLE).where(TABLE.c.ended_at < now - FORGET))
    return dead


def process_lives(pid: int) -> bool:
    """Whether a process of this machine lives; yes where that cannot be asked without harm."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _interrupt(connection: Connection, gateways: list[str], now: float) -> None:
    connection.execute(
        update(REQUESTS)
        .where(REQUESTS.c.outcome == "running", REQUESTS.c.gateway.in_(gateways))
        .values(outcome="interrupted", ended_at=now)
    )
