"""A command on a pseudo-terminal of 80 by 24, as a person sees it."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# A session leader takes the terminal, so that Ctrl-C reaches it, and heeds it even where the tests' parent does not.
LEADER = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """What a command shows, and keys to press."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        import fcntl
        import pty
        import termios

        self.end, command_end = pty.openpty()
        fcntl.ioctl(command_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        no_browser = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "SSH_CONNECTION": "none"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEADER, *command],
            stdin=command_end,
            stdout=command_end,
            stderr=command_end,
            start_new_session=True,
            cwd=folder,
            env={**environ, **no_browser},
        )
        os.close(command_end)
        self.shown = ""

    def until(self, words: str, seconds: float = 20) -> str:
        """Everything shown, once these words are among it."""
        deadline = time.monotonic() + seconds
        while words not in self.shown and time.monotonic() < deadline:
            if not self._read(0.1):
                break
        assert words in self.shown, self.shown
        return self.shown

    def press(self, keys: str) -> None:
        os.write(self.end, keys.encode())

    def finish(self) -> int:
        """How it ended."""
        while self._read(0.1):
            pass
        os.close(self.end)
        return self.process.wait(20)

    def _read(self, seconds: float) -> bool:
        if not select.select([self.end], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            read = os.read(self.end, 65536)
        except OSError:  # Linux says so when the command has ended
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)


def plain(shown: str) -> str:
    """Without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
