"""A lock between processes: a file that only one can create.

The protocol is qwen-code's, to the letter (upstream.md 2.5), so that it and we exclude each other:

1. create the file exclusively, content a random UUID;
2. if it exists and was not touched for 10 s: rename it to `….stale.<uuid>`, unlink that, retry at once;
3. else wait 100 ms, x1.5 each time, at most 2 s, at most 20 attempts;
5. unlink it in a `finally`, and at exit.

(Step 4, reload before refreshing, is the refresher's.) Three things that the protocol leaves open are
settled here, none visible to qwen-code except as a better neighbour: a holder that needs longer touches
the file; a file from the future, after a clock jump, is as stale as one from the past; and a process
unlinks or takes over only the very file that it looked at.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import TracebackType

from qwen_auth.errors import FileError, LockTimeoutError
from qwen_auth.files import make_private_directory, reason

STALE_AFTER = 10.0
ATTEMPTS = 20

_held: set[FileLock] = set()


class FileLock:
    """`with FileLock(path):` from ordinary code, `await lock.acquire()` … `lock.release()` from tasks.

    One object is one holder: it is not reentrant and not shared between tasks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mine: bytes | None = None
        self._process = 0

    def try_acquire(self) -> bool:
        """Take the lock if it is free or its holder is dead. Never waits."""
        mine = str(uuid.uuid4()).encode()
        while True:
            try:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                if not self._remove_stale():
                    return False
                continue
            except FileNotFoundError:
                self._make_directory()
                continue
            except OSError as error:
                raise self._unusable(error) from error
            self._write(descriptor, mine)
            self._mine, self._process = mine, os.getpid()
            _held.add(self)
            return True

    def touch(self) -> None:
        """Tell others that the holder is alive. Call it every few seconds of long work.

        A qwen-code that exits unlinks whatever lock there is, also ours: then it is put back.
        """
        if self._mine is None or self._process != os.getpid():
            return
        with contextlib.suppress(OSError, FileError):
            if not self.path.exists():
                self._write(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), self._mine)
            elif self._is_mine():
                os.utime(self.path)

    def release(self) -> None:
        """Give the lock back; harmless when it is not held, or was taken over."""
        if self._mine is not None:
            with contextlib.suppress(OSError):
                if self._is_mine():
                    self.path.unlink()
        self._mine = None
        _held.discard(self)

    async def acquire(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Wait for the lock without blocking the loop; `LockTimeoutError` after 20 attempts."""
        for wait in waits():
            if await asyncio.to_thread(self.try_acquire):
                return
            await sleep(wait)
        raise LockTimeoutError(self.path)

    def __enter__(self) -> FileLock:
        for wait in waits():
            if self.try_acquire():
                return self
            time.sleep(wait)
        raise LockTimeoutError(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _is_mine(self) -> bool:
        return self._process == os.getpid() and self.path.read_bytes() == self._mine

    def _remove_stale(self) -> bool:
        """True when it is worth trying again at once (step 2)."""
        try:
            seen = self.path.lstat()
            if abs(time.time() - seen.st_mtime) <= STALE_AFTER:
                return False
            aside = self.path.with_name(f"{self.path.name}.stale.{uuid.uuid4()}")
            self.path.rename(aside)
            moved = aside.lstat()
            if (moved.st_ino, moved.st_mtime_ns) != (seen.st_ino, seen.st_mtime_ns):
                # Between our look and our rename someone else took over: that lock is alive, put it back.
                with contextlib.suppress(OSError):
                    self.path.hardlink_to(aside)
            aside.unlink()
        except FileNotFoundError:
            return True
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def _make_directory(self) -> None:
        try:
            make_private_directory(self.path.parent)
        except OSError as error:
            raise self._unusable(error) from error

    def _write(self, descriptor: int, content: bytes) -> None:
        try:
            os.write(descriptor, content)
        except OSError as error:
            self.path.unlink(missing_ok=True)
            raise self._unusable(error) from error
        finally:
            os.close(descriptor)

    def _unusable(self, error: OSError) -> FileError:
        return FileError(self.path, f"cannot be used as a lock ({reason(error)})", "mend the permissions or make room")


def waits() -> Iterator[float]:
    """The pauses after each failed attempt, in seconds (step 3)."""
    wait = 0.1
    for _ in range(ATTEMPTS):
        yield wait
        wait = min(wait * 1.5, 2.0)


@atexit.register
def _release_all() -> None:
    for lock in tuple(_held):
        lock.release()
