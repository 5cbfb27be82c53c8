import asyncio
import os
import re
import textwrap
import time
from pathlib import Path

import pytest

from qwen_auth.errors import FileError, LockTimeoutError
from qwen_auth.lock import FileLock, waits
from tests.auth.processes import run, start

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".qwen" / "oauth_creds.lock"


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def left_by_someone(path, seconds_ago):
    path.parent.mkdir(exist_ok=True)
    path.write_text("d0f5c8a4-0000-4000-8000-000000000000")
    age(path, seconds_ago)


def test_the_lock_is_a_file_that_holds_a_uuid(path):
    with FileLock(path):
        assert UUID.fullmatch(path.read_text())
        assert path.stat().st_mode & 0o777 == 0o600

    assert not path.exists()


def test_only_one_holds_it(path):
    with FileLock(path):
        assert not FileLock(path).try_acquire()

    assert FileLock(path).try_acquire()


def test_it_is_given_back_when_the_work_fails(path):
    with pytest.raises(ZeroDivisionError), FileLock(path):
        _ = 1 / 0

    assert not path.exists()


def test_a_lock_left_by_a_dead_process_is_taken_over_at_once(path):
    left_by_someone(path, 10.5)

    with FileLock(path):
        assert [each.name for each in path.parent.iterdir()] == ["oauth_creds.lock"]


def test_a_lock_touched_within_ten_seconds_is_not(path):
    left_by_someone(path, 9)

    assert not FileLock(path).try_acquire()


def test_a_lock_from_the_future_is_stale_because_the_clock_jumped(path):
    left_by_someone(path, -3600)

    assert FileLock(path).try_acquire()


def test_a_holder_that_needs_longer_stays_alive_by_touching(path):
    lock = FileLock(path)
    lock.try_acquire()
    age(path, 60)

    lock.touch()

    assert not FileLock(path).try_acquire()


def test_a_holder_that_slept_too_long_leaves_its_successor_alone(path):
    slow, successor = FileLock(path), FileLock(path)
    slow.try_acquire()
    age(path, 60)
    successor.try_acquire()
    age(path, 5)

    slow.touch()
    slow.release()

    assert time.time() - path.stat().st_mtime > 4
    successor.release()
    assert not path.exists()


def test_a_lock_that_someone_else_has_just_taken_over_is_put_back(path, monkeypatch):
    """Between our look at a stale lock and our rename, another process takes over: that one is alive."""
    left_by_someone(path, 60)
    real_rename = Path.rename

    def rename_a_moment_later(self, target):
        if self == path and not taken:
            taken.append(1)
            assert other.try_acquire()
        return real_rename(self, target)

    taken, other = [], FileLock(path)
    monkeypatch.setattr(Path, "rename", rename_a_moment_later)

    assert not FileLock(path).try_acquire()

    assert [each.name for each in path.parent.iterdir()] == ["oauth_creds.lock"]
    other.release()
    assert not path.exists()


def test_a_lost_lock_is_put_back_by_its_holder(path):
    lock = FileLock(path)
    lock.try_acquire()
    content = path.read_text()
    path.unlink()

    lock.touch()

    assert path.read_text() == content
    lock.release()
    lock.touch()
    assert not path.exists()


def test_the_waits_are_those_of_qwen_code():
    assert [round(wait, 3) for wait in waits()] == [
        *(0.1, 0.15, 0.225, 0.338, 0.506, 0.759, 1.139, 1.709),
        *[2.0] * 12,
    ]


async def test_waiting_for_it_does_not_block_the_others(path):
    lock, waiting = FileLock(path), FileLock(path)
    lock.try_acquire()

    task = asyncio.create_task(waiting.acquire())
    await asyncio.sleep(0.05)
    lock.release()
    await asyncio.wait_for(task, 5)

    assert not lock.try_acquire()


async def test_after_twenty_attempts_the_file_is_named(path):
    left_by_someone(path, 0)
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    with pytest.raises(LockTimeoutError, match=r"oauth_creds\.lock is held by another process"):
        await FileLock(path).acquire(sleep)

    assert len(pauses) == 20


def test_a_directory_that_cannot_hold_it_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(FileError, match="cannot be used as a lock"):
        FileLock(tmp_path / "file" / "x.lock").try_acquire()


def test_a_stale_lock_that_is_no_file_is_named_or_removed(path):
    path.parent.mkdir()
    path.mkdir()
    age(path, 60)
    with pytest.raises(FileError, match="cannot be used as a lock"):
        FileLock(path).try_acquire()

    path.symlink_to("nowhere")
    os.utime(path, (0, 0), follow_symlinks=False)
    assert FileLock(path).try_acquire()


def test_it_is_given_back_at_exit(path):
    path.parent.mkdir()
    script = "import sys, pathlib, qwen_auth.lock as l; assert l.FileLock(pathlib.Path(sys.argv[1])).try_acquire()"

    run(script, path)

    assert not path.exists()


def test_a_child_does_not_give_back_the_lock_of_its_parent(path):
    script = textwrap.dedent(
        """
        import os, sys, pathlib, qwen_auth.lock as lock
        path = pathlib.Path(sys.argv[1])
        lock.FileLock(path).try_acquire()
        if os.fork() == 0:
            sys.exit()
        os.wait()
        print(path.exists())
        """
    )

    told = run(script, path)

    assert told == "True\n"


def test_many_processes_never_hold_it_together(path, tmp_path):
    """Each adds one to a number in a file, without any protection but the lock."""
    number = tmp_path / "number"
    number.write_text("0")
    script = textwrap.dedent(
        """
        import sys, pathlib, time
        from qwen_auth.lock import FileLock
        number = pathlib.Path(sys.argv[2])
        for _ in range(10):
            with FileLock(pathlib.Path(sys.argv[1])):
                seen = int(number.read_text())
                time.sleep(0.002)
                number.write_text(str(seen + 1))
        """
    )

    processes = [start(script, path, number) for _ in range(4)]

    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert number.read_text() == "40"
