"""The ledger: what the gateway keeps, in SQLite or PostgreSQL.

One `Ledger` is made by `default_addons()` and handed to the addons that need it. It opens its database at its first
use, in a thread of its own, and never on the event loop:

    await ledger.read(work)     `work(connection)` in a thread for readers; its result. Only SELECT.
    await ledger.write(work)    in the writer's thread, a transaction of its own, committed when it returns; its result.
    ledger.put(entry)           never waits: `entry.save` joins the next batch (`qwen_ledger_flush` seconds).
    ledger.later(work)          the same for a function whose result nobody needs.
    await ledger.flush()        everything that was put is written: before reading what has just happened.

`work` is any function of one argument, an SQLAlchemy Core `Connection`. What there is to do with a table stands in the
module of its name, as plain functions that take the connection first:

    from qwen_gateway.ledger import objects
    found = await ledger.read(lambda connection: objects.find(connection, "resp_1", kind="response"))

Those modules are loaded when something in them is first used, which should be inside of `work`: SQLAlchemy takes long
to import, and a bare start does not need it (for types: `if TYPE_CHECKING`). `read`, `write` and `flush` raise
`LedgerError` when the database cannot be used; `put` never does.
"""

import importlib.util
import sys
from types import ModuleType

from qwen_gateway.ledger.errors import LedgerError
from qwen_gateway.ledger.ledger import Ledger
from qwen_gateway.ledger.settings import Keep, LedgerSettings, Recording

__all__ = ["Keep", "Ledger", "LedgerError", "LedgerSettings", "Recording"]

LATER = (
    "accounts", "chats", "conversations", "database", "exchanges", "gateways", "keys", "leases", "locks", "metadata",
    "objects", "records", "retention", "schema", "tallies", "windows",
)  # fmt: skip
"""Modules that import SQLAlchemy; loaded by the thread that first looks into them."""


def _later(name: str) -> ModuleType:
    full = f"{__name__}.{name}"
    if full in sys.modules:
        return sys.modules[full]
    spec = importlib.util.find_spec(full)
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


globals().update({name: _later(name) for name in LATER})
