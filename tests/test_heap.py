"""What was freed goes back to the system, in a process of its own: the settings are the whole process's."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_gateway import heap

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")

MIB = 1 << 20
HELD = 40  # MiB that stay after everything large was freed, without the settings
SCRIPT = """
import os, sys
from qwen_gateway import heap

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "set":
    assert heap.keep_small({})
bytearray(24 << 20)  # freed at once: from here on glibc itself keeps anything smaller in the heap
before = resident()
large, lasting = [], []
for _ in range(20):
    large.append(bytearray(2 << 20))
    lasting.append(bytearray(4096))
large.clear()
print(resident() - before)
"""


def left_over(how: str) -> int:
    """Bytes that stay resident after large pieces with small ones between them were freed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(heap.__file__).parents[1])},
    )
    return int(done.stdout)


@glibc
def test_large_pieces_go_back_to_the_system() -> None:
    assert left_over("not") > 0.9 * HELD * MIB, "glibc gives them back by itself: the settings are not needed any more"
    assert left_over("set") < 2 * MIB


@pytest.mark.parametrize("environ", [{"MALLOC_ARENA_MAX": "2"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=4096"}])
def test_what_the_user_tuned_stays(environ: dict[str, str]) -> None:
    assert not heap.keep_small(environ)


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not heap.keep_small({})
