import json
import textwrap
import threading

import pytest

from qwen_auth.counts import RequestCounts, Tally
from qwen_auth.errors import FileError
from tests.auth.processes import start

# upstream.md 2.14
SEED = {
    "lastResetDate": "2026-04-10",
    "requests": {"default": 41, "work": 7},
    "webSearchRequests": {"default": 3},
    "webSearchResults": {"default": 30},
    "tokenUsage": {
        "default": [
            {
                "date": "2026-04-10",
                "requests": 41,
                "requestsKnown": True,
                "inputTokens": 120345,
                "outputTokens": 8021,
                "cacheReadTokens": 90000,
                "cacheWriteTokens": 1200,
                "cacheTypes": ["ephemeral"],
            }
        ]
    },
}


class Day:
    def __init__(self, date):
        self.date = date

    def __call__(self):
        return self.date


@pytest.fixture
def day():
    return Day("2026-04-10")


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def counts(tmp_path, day, warnings):
    return RequestCounts(tmp_path / "request_counts.json", today=day, warn=warnings.append)


@pytest.fixture
def seed(counts):
    counts.path.write_text(json.dumps(SEED))
    counts.path.chmod(0o600)


def document(counts):
    return json.loads(counts.path.read_text())


def test_without_a_file_nothing_was_done(counts):
    assert counts.today() == {}


@pytest.mark.usefixtures("seed")
def test_the_file_of_the_seed_is_read(counts):
    today = counts.today()

    assert today["work"] == Tally(requests=7)
    assert (today["default"].requests, today["default"].input_tokens, today["default"].web_search_results) == (
        41,
        120345,
        30,
    )


@pytest.mark.usefixtures("seed")
def test_a_file_that_everyone_may_read_is_none_to_warn_of(counts, warnings):
    counts.path.chmod(0o644)

    counts.today()

    assert warnings == []


@pytest.mark.usefixtures("seed")
def test_counts_are_added_in_the_form_of_the_seed(counts):
    counts.count("default", Tally(requests=1, input_tokens=10, output_tokens=5, cache_types={"implicit"}))
    counts.count("default", Tally(web_search_requests=1, web_search_results=10))
    counts.count("new", Tally(requests=2))
    counts.flush()

    written = document(counts)
    assert written["lastResetDate"] == "2026-04-10"
    assert written["requests"] == {"default": 42, "work": 7, "new": 2}
    assert written["webSearchRequests"] == {"default": 4}
    assert written["webSearchResults"] == {"default": 40}
    assert written["tokenUsage"]["default"] == [
        SEED["tokenUsage"]["default"][0]
        | {"requests": 42, "inputTokens": 120355, "outputTokens": 8026, "cacheTypes": ["ephemeral", "implicit"]}
    ]
    assert written["tokenUsage"]["new"][0]["requests"] == 2


@pytest.mark.usefixtures("seed")
def test_what_we_do_not_know_survives(counts):
    counts.path.write_text(json.dumps(SEED | {"theme": "dark"}))

    counts.count("default", Tally(requests=1))
    counts.flush()

    assert document(counts)["theme"] == "dark"


@pytest.mark.usefixtures("seed")
def test_at_midnight_utc_counting_begins_anew_and_the_usage_of_the_day_stays(counts, day):
    day.date = "2026-04-11"
    assert counts.today() == {}

    counts.count("default", Tally(requests=1))
    counts.flush()

    written = document(counts)
    assert written["lastResetDate"] == "2026-04-11"
    assert written["requests"] == {"default": 1}
    assert [row["date"] for row in written["tokenUsage"]["default"]] == ["2026-04-10", "2026-04-11"]


@pytest.mark.usefixtures("seed")
def test_what_was_counted_before_midnight_and_written_after_belongs_to_its_day(counts, day):
    counts.count("default", Tally(requests=1))
    day.date = "2026-04-11"
    counts.flush()

    written = document(counts)
    assert written["requests"] == {}
    assert written["tokenUsage"]["default"][0]["requests"] == 42


def test_flushing_nothing_writes_nothing(counts):
    counts.flush()

    assert not counts.path.exists()


def test_what_cannot_be_written_is_kept_for_the_next_time(tmp_path, day, warnings):
    (tmp_path / "home").write_text("a file where a folder should be")
    counts = RequestCounts(tmp_path / "home" / "request_counts.json", today=day, warn=warnings.append)
    counts.count("default", Tally(requests=1))
    with pytest.raises(FileError):
        counts.flush()
    (tmp_path / "home").unlink()

    counts.count("default", Tally(requests=1))
    counts.flush()

    assert document(counts)["requests"] == {"default": 2}


@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"requests": {"de',
        "[]",
        '{"requests": {"default": "41"}}',
        '{"requests": []}',
        '{"tokenUsage": {"a": [1]}}',
    ],
)
def test_a_broken_file_is_told_and_kept_and_stops_no_counting(counts, warnings, content):
    counts.path.write_text(content)
    counts.path.chmod(0o600)
    assert counts.today() == {}
    assert counts.path.read_text() == content

    counts.count("default", Tally(requests=1))
    counts.flush()

    assert document(counts)["requests"] == {"default": 1}
    assert counts.path.with_suffix(".json.broken").read_text() == content
    assert all("counting begins anew" in warning for warning in warnings)


def test_the_file_is_private(counts):
    counts.count("default", Tally(requests=1))
    counts.flush()

    assert counts.path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in counts.path.parent.iterdir()] == ["request_counts.json"]


def test_threads_and_processes_lose_no_count(counts):
    script = textwrap.dedent(
        """
        import sys, pathlib
        from qwen_auth.counts import RequestCounts, Tally
        counts = RequestCounts(pathlib.Path(sys.argv[1]), today=lambda: "2026-04-10")
        for _ in range(20):
            for _ in range(5):
                counts.count("default", Tally(requests=1, input_tokens=3))
            counts.flush()
        """
    )

    def work():
        for _ in range(1000):
            counts.count("default", Tally(requests=1))
        counts.flush()

    processes = [start(script, counts.path) for _ in range(3)]
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert counts.today()["default"].requests == 3 * 100 + 4000
    assert counts.today()["default"].input_tokens == 900
