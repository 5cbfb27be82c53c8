"""What calls came to, on both databases."""

from qwen_gateway.ledger import tallies
from qwen_gateway.ledger.asked import Filter
from qwen_gateway.ledger.database import Database
from tests.ledger.filling import BASE, exchange, fill, session

DAY = 86_400


def test_calls_are_put_together_by_day_model_and_account(database: Database) -> None:
    midnight = (BASE // DAY + 1) * DAY

    def some(connection):
        fill(connection)
        session(connection, "ses_c")
        # the last moment of a day, and the first of the next
        exchange(connection, 20, "ses_c", started_at=midnight - 0.001, tokens=(1, 2))
        exchange(connection, 21, "ses_c", started_at=midnight, tokens=(3, 4))
        exchange(
            connection, 22, "ses_c", started_at=midnight + 1, model="", account="", outcome="running", answered=False
        )

    database.write(some)
    rows = database.read(lambda connection: tallies.usage(connection, Filter()))

    today = int(BASE // DAY)
    assert [tuple(row.values()) for row in rows] == [
        (today, "qwen3-max", "home", 1, 1, 0, 0, 0, 0),
        (today, "qwen3.7-plus", "work", 11, 0, 101, 0, 202, 303),
        (today + 1, "gpt-4o", "", 1, 0, 0, 0, 0, 0),
        (today + 1, "qwen3.7-plus", "work", 1, 0, 3, 0, 4, 7),
    ]


def test_a_filter_counts(database: Database) -> None:
    database.write(fill)

    rows = database.read(lambda connection: tallies.usage(connection, Filter(since=BASE + 8, outcome="finished")))

    assert [row["calls"] for row in rows] == [2]


def test_every_exchange_comes_once_and_in_order(database: Database, monkeypatch) -> None:
    monkeypatch.setattr(tallies, "FEW", 3)
    database.write(fill)
    database.write(lambda connection: exchange(connection, 11, "ses_a", started_at=BASE + 5))  # at the same moment

    found = list(tallies.exchanges(database, Filter()))

    ids = [request["id"] for request, _, _ in found]
    assert ids[:6] == [f"req_{number:04d}" for number in range(6)]
    assert ids[6:] == ["req_0011", "req_0006", "req_0007", "req_0008", "req_0009", "req_0010"]
    assert [response is None for _, _, response in found] == [False] * 11 + [True]
    assert [len(attempts) for _, attempts, _ in found] == [1] * 12
