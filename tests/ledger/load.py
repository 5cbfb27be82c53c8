"""A process that records under load until it is killed, and tells what the ledger has promised to keep."""

import asyncio
import time
from multiprocessing.connection import Connection

from qwen_gateway.ledger import Ledger, LedgerSettings, gateways
from qwen_gateway.ledger.identity import Gateway
from tests.ledger.exchanging import begun, ended, record


def record_until_killed(path: str, told: Connection) -> None:
    """Send the ids of exchanges that are written; start others that never end."""
    asyncio.run(_record(path, told))


async def _record(path: str, told: Connection) -> None:
    gateway = Gateway()
    ledger = Ledger(LedgerSettings(path, flush=0.005))
    ledger.on_open(lambda database: database.write(lambda c: gateways.begin(c, gateway, time.time())))
    ledger.on_open(lambda database: database.write(lambda c: gateways.bury(c, gateway, time.time())))
    while True:
        exchanges = [begun("hello " * 50) for _ in range(20)]
        for exchange in exchanges:
            ledger.put(record(exchange, gateway=gateway.id))
        await asyncio.sleep(0.003)
        for exchange in exchanges[:17]:
            ledger.put(record(ended(exchange), gateway=gateway.id))
        await ledger.flush()
        told.send([exchange.id for exchange in exchanges[:17]])
