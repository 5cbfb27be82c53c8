"""A gateway that is killed under load leaves a sound database, and loses nothing that was written.

`QWEN_TEST_KILLS=200 scripts/test tests/ledger/test_kill.py` takes some minutes; ten kills are made otherwise.
"""

import multiprocessing
import os
import random
import sqlite3
import time
from pathlib import Path

from qwen_gateway.ledger import gateways
from qwen_gateway.ledger.database import Database
from qwen_gateway.ledger.identity import Gateway
from tests.ledger.load import record_until_killed

KILLS = int(os.environ.get("QWEN_TEST_KILLS", "10"))


def test_a_killed_gateway_loses_nothing_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ledger.load", "qwen_gateway.ledger.database", "sqlalchemy.dialects.sqlite"])
    promised: set[str] = set()
    for _ in range(KILLS):
        promised |= killed_amid(context, path)

        connection = sqlite3.connect(path)
        outcomes = dict(connection.execute("SELECT id, outcome FROM requests"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()
        assert [each for each in promised if outcomes.get(each) != "finished"] == []

    opened = Database(str(path))
    before = opened.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM requests WHERE outcome = 'running'").scalar()
    )
    opened.write(lambda c: gateways.bury(c, Gateway(), time.time()))
    after = opened.read(
        lambda c: c.exec_driver_sql("SELECT outcome, count(*) FROM requests GROUP BY outcome ORDER BY outcome").all()
    )
    opened.close()
    assert before
    assert [row[0] for row in after] == ["finished", "interrupted"]
    print(f"{KILLS} kills: {len(promised)} exchanges promised, none missing; {dict(tuple(row) for row in after)}")


def killed_amid(context: multiprocessing.context.ForkServerContext, path: Path) -> set[str]:
    """Run a process for a while; what it told before it was killed."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=record_until_killed, args=(str(path), theirs))
    process.start()
    theirs.close()
    told: set[str] = set()
    try:
        assert ours.poll(30)
        end = time.monotonic() + random.uniform(0.0, 0.15)
        while time.monotonic() < end:
            if ours.poll(max(0.0, end - time.monotonic())):
                told |= set(ours.recv())
    finally:
        process.kill()
        process.join()
    try:
        while ours.poll(0):
            told |= set(ours.recv())
    except (EOFError, OSError):  # it was killed while it told
        pass
    ours.close()
    return told
