"""Other Python processes that can import what we test, installed or not."""

import os
import subprocess
import sys
from pathlib import Path

import qwen_auth

SOURCES = str(Path(qwen_auth.__file__).parent.parent)


def start(script, *arguments, **options):
    """A process that runs the script; its output is text."""
    path = os.pathsep.join(filter(None, (SOURCES, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, text=True, **options)


def run(script, *arguments):
    """What the script printed; it must end well."""
    # Pipes: a limit on the size of files would hit the file into which pytest gathers what is said.
    process = start(script, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return told
