"""Python in a process of its own: for what would change, or stop, the one of the tests."""

import subprocess
import sys
from typing import Any


def run_alone(code: str, *arguments: str, **how: Any) -> bytes:
    """What the code prints, with the gateway at hand and nothing of the surroundings.

    Raises:
        subprocess.CalledProcessError, subprocess.TimeoutExpired: it failed, or `timeout` was over.
    """
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, stdout=subprocess.PIPE, check=True, env={"PYTHONPATH": ":".join(sys.path)}, **how
    ).stdout
