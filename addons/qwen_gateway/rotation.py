"""A log file that starts anew when it is full: `x.log`, the one before `x.log.1`, and so on. For one thread."""

import os
from pathlib import Path

SIZE, KEPT = 10_000_000, 5
"""Bytes of a file and how many there are in all (seed B: 10 MB × 5)."""


class RotatedFile:
    """Opened with the first line; readable for its owner alone.

    Raises:
        OSError: it cannot be written; the next line tries again.
    """

    def __init__(self, path: Path, *, size: int = SIZE, kept: int = KEPT) -> None:
        self._path, self._limit, self._kept = path, size, kept
        self._file = -1
        self._size = 0
        self._torn = False

    def write(self, line: bytes) -> None:
        """Append a line, whole or not at all as far as the reader of lines can tell."""
        if self._file < 0:
            self._open()
        if self._size and self._size + len(line) > self._limit:
            self._turn()
            self._open()
        if self._torn:
            line = b"\n" + line
        written = os.write(self._file, line)
        self._size += written
        self._torn = written < len(line)

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._size = os.fstat(self._file).st_size

    def _turn(self) -> None:
        self.close()
        for number in range(self._kept - 1, 0, -1):
            older = self._path if number == 1 else Path(f"{self._path}.{number - 1}")
            if older.exists():
                older.replace(f"{self._path}.{number}")
        if self._kept == 1:
            self._path.unlink(missing_ok=True)
