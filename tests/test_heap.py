"""What was freed goes back to the system, in a process of its own: the settings are the whole process's."""

import platform
import sys

import pytest

from qwen_gateway import heap
from qwen_gateway.heap import Heap
from tests.alone import run_alone

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")

MIB = 1 << 20
HELD = 40  # MiB that are freed
SCRIPT = """
import asyncio, os, sys
from qwen_gateway import heap

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def main(keep, size):
    heap.EVERY = 0.05
    addon = heap.Heap({} if keep else {"MALLOC_ARENA_MAX": "1"})
    bytearray(24 << 20)  # freed at once: from here on glibc itself keeps anything smaller in the heap
    addon.running()
    before = resident()
    pieces, lasting = [], []
    for _ in range((HELD << 20) // size):
        pieces.append(bytearray(size))
        lasting.append(bytearray(4096))
    pieces.clear()
    after = resident()
    for _ in range(100):
        if resident() - before < 0.1 * (HELD << 20):
            break
        await asyncio.sleep(0.05)
    print(after - before, resident() - before)
    addon.done()

HELD = 40
asyncio.run(main(sys.argv[1] == "keep", int(sys.argv[2])))
"""


def left_over(how: str, size: int) -> list[int]:
    """Bytes that stay when pieces of a size with small ones between them were freed: at once, and soon after."""
    return [int(word) for word in run_alone(SCRIPT, how, str(size)).split()]


@glibc
@pytest.mark.parametrize("size", [2 * MIB, MIB // 10])
def test_glibc_by_itself_keeps_them(size: int) -> None:
    assert min(left_over("leave", size)) > 0.9 * HELD * MIB, "it gives them back now: `heap.py` may go"


@glibc
def test_large_pieces_go_back_at_once() -> None:
    assert left_over("keep", 2 * MIB)[0] < 0.1 * HELD * MIB


@glibc
def test_smaller_ones_go_back_soon() -> None:
    at_once, soon = left_over("keep", MIB // 10)
    assert at_once > 0.9 * HELD * MIB
    assert soon < 0.2 * HELD * MIB  # some pages are shared with what lasts


@pytest.mark.parametrize("environ", [{"MALLOC_ARENA_MAX": "2"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=4096"}])
def test_what_the_user_tuned_stays(environ: dict[str, str]) -> None:
    addon = Heap(environ)
    addon.running()  # would need a loop, had it anything to do
    addon.done()
    assert heap.is_tuned(environ)
    assert not heap.is_tuned({"GLIBC_TUNABLES": "glibc.pthread.rseq=0", "PATH": "/bin"})


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert heap.glibc() is None
