"""How long records stay: by age, number and size, forgotten a few at a time.

The statements are made once: the parts of a statement of SQLAlchemy refer to each other in circles, and stay in memory
until the collector comes by.
"""

from sqlalchemy import Connection, bindparam, delete, func, select

from qwen_gateway.ledger.database import Database
from qwen_gateway.ledger.schema import ATTEMPTS, REQUESTS, RESPONSES, SESSIONS
from qwen_gateway.ledger.settings import Keep

FEW = 200
"""Exchanges that are forgotten in one transaction."""


NUMBER = select(func.count()).select_from(REQUESTS)
SIZE = select(func.coalesce(func.sum(REQUESTS.c.size), 0))
OLDEST = (
    select(REQUESTS.c.id, REQUESTS.c.size, REQUESTS.c.started_at)
    .where(REQUESTS.c.started_at < bindparam("before"))
    .order_by(REQUESTS.c.started_at, REQUESTS.c.id)
    .limit(bindparam("few"))
    .with_for_update(skip_locked=True)
)
FORGET = [
    delete(column.table).where(column.in_(bindparam("doomed", expanding=True)))
    for column in (ATTEMPTS.c.request_id, RESPONSES.c.request_id, REQUESTS.c.id)
]
# A session goes with its last exchange; one that has just begun waits for its first.
FORGET_SESSIONS = delete(SESSIONS).where(
    ~select(REQUESTS.c.id).where(REQUESTS.c.session_id == SESSIONS.c.id).exists(),
    SESSIONS.c.last_at < bindparam("before"),
)
ANY_TIME = float("inf")


def forget_some(connection: Connection, keep: Keep, now: float) -> int:
    """Forget some of the oldest exchanges that are over a limit; how many. Call it until that is 0."""
    over = keep.requests and connection.execute(NUMBER).scalar_one() - keep.requests
    excess = size_of(connection) - keep.size if keep.size and may_hold(connection, keep.size) else 0
    if not keep.seconds and over <= 0 and excess <= 0:
        return 0
    old = now - keep.seconds if keep.seconds else -ANY_TIME
    before = ANY_TIME if over > 0 or excess > 0 else old
    doomed = []
    for row in connection.execute(OLDEST, {"before": before, "few": FEW}):
        if not (row.started_at < old or over > 0 or excess > 0):
            break
        doomed.append(row.id)
        over, excess = over - 1, excess - row.size
    if doomed:
        # Always as many: SQLite's driver keeps each length of a list as a statement of its own, some 20 KiB.
        some = [*doomed, *doomed[-1:] * (FEW - len(doomed))]
        for statement in FORGET:
            connection.execute(statement, {"doomed": some})
        connection.execute(FORGET_SESSIONS, {"before": now - 60})
    return len(doomed)


def size_of(connection: Connection) -> int:
    """Bytes of all bodies. Adding them up reads every row."""
    return int(connection.execute(SIZE).scalar_one())


def may_hold(connection: Connection, size: int) -> bool:
    """Whether there may be so many bytes: a smaller SQLite file holds less, and says so without being read."""
    if connection.dialect.name != "sqlite":
        return True
    used = connection.exec_driver_sql(
        "SELECT (page_count - freelist_count) * page_size"
        " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    ).scalar_one()
    return int(used) >= size


def give_back_room(database: Database, pages: int = 1000) -> None:
    """Make SQLite's file smaller by what is free, some pages at a time; PostgreSQL does so itself."""
    if database.path is None:
        return

    def shrink(connection: Connection) -> None:
        # A row without columns for each page, which goes as the row is fetched: SQLAlchemy would not fetch it.
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(f"PRAGMA incremental_vacuum({int(pages)})").fetchall()

    database.write(shrink)
