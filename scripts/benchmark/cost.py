"""What a process and its children cost: processor time and resident memory, without any library."""

import os
import re
import subprocess
import sys
from pathlib import Path

LINUX = sys.platform.startswith("linux")


def table() -> dict[int, tuple[int, float, int]]:
    """Every process: its parent, its processor seconds (user and system, all threads), its resident bytes."""
    return table_of_proc() if LINUX else table_of_ps()


def table_of_proc() -> dict[int, tuple[int, float, int]]:
    """The kernel's own accounting."""
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    processes = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        # proc(5): after the name in parentheses come state, ppid ..., utime and stime (14, 15), ... rss (24)
        fields = stat.rpartition(")")[2].split()
        processes[int(entry.name)] = (
            int(fields[1]),
            (int(fields[11]) + int(fields[12])) / tick,
            int(fields[21]) * page,
        )
    return processes


def table_of_ps() -> dict[int, tuple[int, float, int]]:
    """The same by `ps`, for systems without /proc."""
    lines = subprocess.check_output(["ps", "-axo", "pid=,ppid=,time=,rss="], text=True).splitlines()
    rows = [line.split() for line in lines]
    return {int(pid): (int(parent), seconds(time), int(rss) * 1024) for pid, parent, time, rss in rows}


def seconds(time: str) -> float:
    """`ps` writes processor time as [[days-]hours:]minutes:seconds."""
    parts = [float(part) for part in re.split("[-:]", time)]
    return sum(part * unit for part, unit in zip(reversed(parts), (1, 60, 3600, 86400), strict=False))


def family(pid: int, processes: dict[int, tuple[int, float, int]]) -> list[int]:
    """A process and everything it started."""
    children = [child for child, (parent, _, _) in processes.items() if parent == pid]
    return [pid, *(member for child in children for member in family(child, processes))]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children so far."""
    processes = table()
    return sum(processes[member][1] for member in family(pid, processes) if member in processes)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its children now."""
    processes = table()
    return sum(processes[member][2] for member in family(pid, processes) if member in processes)
