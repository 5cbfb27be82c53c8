"""Writing in a thread: in order, without waiting, without raising."""

import threading
from pathlib import Path

import pytest

from qwen_gateway.scribe import Scribe


def test_what_is_put_is_done_in_order() -> None:
    scribe, done = Scribe("a test"), []
    for number in range(1_000):
        scribe.put(lambda number=number: done.append(number))  # type: ignore[misc]
    assert scribe.flush()
    assert done == list(range(1_000))
    scribe.close()


def test_nobody_waits_for_what_is_stuck_and_what_is_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    scribe, stuck = Scribe("a test", most=10), threading.Event()
    scribe.put(lambda: stuck.wait(20) and None)
    for _ in range(100):
        scribe.put(lambda: None)
    assert 85 <= scribe.lost <= 95
    assert caplog.text.count("too slow") == 1
    assert not scribe.flush(timeout=0.01)
    stuck.set()
    assert scribe.flush()
    scribe.close()


def test_it_says_when_too_much_waits_to_keep_it_large() -> None:
    scribe, stuck = Scribe("a test"), threading.Event()
    scribe.put(lambda: stuck.wait(20) and None)
    assert not scribe.busy
    for _ in range(60):
        scribe.put(lambda: None)
    assert scribe.busy
    stuck.set()
    assert scribe.flush()
    assert not scribe.busy
    scribe.close()


def test_a_full_disk_is_told_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def full() -> None:
        Path("/dev/full").write_text("x")

    scribe, done = Scribe("a test"), []
    for _ in range(5):
        scribe.put(full)
    scribe.put(lambda: done.append(1))
    assert scribe.flush()
    assert done == [1]
    assert caplog.text.count("No space left on device") == 1
    scribe.close()


def test_a_mistake_in_one_line_does_not_cost_the_next(caplog: pytest.LogCaptureFixture) -> None:
    scribe, done = Scribe("a test"), []
    scribe.put(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    scribe.put(lambda: done.append(1))
    assert scribe.flush()
    assert done == [1]
    assert "ZeroDivisionError" in caplog.text
    scribe.close()


def test_an_end_writes_what_waits_and_may_come_twice() -> None:
    scribe, done = Scribe("a test"), []
    for _ in range(100):
        scribe.put(lambda: done.append(1))
    scribe.close()
    scribe.close()
    assert len(done) == 100
