"""Whether any file that accounts come from has changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qwen_auth.qwen_store import qwen_directory
from qwen_auth.store import gateway_home

Snapshot = frozenset[tuple[str, int, int, int]]


def snapshot(environ: Mapping[str, str]) -> Snapshot:
    """What changes when anybody adds, replaces or removes one. Ask in a thread: a home may be on a network."""
    home = gateway_home(environ)
    files = [
        home / "accounts.json",
        *_files(home / "web", "*.json"),
        *_files(qwen_directory(environ), "oauth_creds*.json"),
    ]
    return frozenset(stamp for path in files if (stamp := _stamp(path)))


def _files(directory: Path, pattern: str) -> list[Path]:
    try:
        return list(directory.glob(pattern))
    except OSError:
        return []


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (str(path), found.st_mtime_ns, found.st_ino, found.st_size)
