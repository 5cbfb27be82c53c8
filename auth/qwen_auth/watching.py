"""Whether any file that accounts come from has changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qwen_auth.qwen_store import qwen_directory
from qwen_auth.store import gateway_home

Snapshot = frozenset[tuple[str, int, int, int]]


def snapshot(environ: Mapping[str, str]) -> Snapshot:
    """What changes when anybody adds, replaces or removes one. Ask in a thread: a home may be on a network."""
    files = [gateway_home(environ) / "accounts.json", *_logins(qwen_directory(environ))]
    return frozenset(stamp for path in files if (stamp := _stamp(path)))


def _logins(directory: Path) -> list[Path]:
    try:
        return list(directory.glob("oauth_creds*.json"))
    except OSError:
        return []


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (str(path), found.st_mtime_ns, found.st_ino, found.st_size)
