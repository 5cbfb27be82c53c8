"""Which accounts rest, as the running gateway last wrote it down: for `qwen-auth list`, and for a restart.

`rests.json` in the gateway's home holds no secret and is only ever as true as its last writer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from qwen_auth.errors import FileError
from qwen_auth.files import Warn, log_warning, parse_object, read_file, replace_private


@dataclass(frozen=True, slots=True)
class Resting:
    """One account (and model, or "" for all of it) that no call goes to before `until`.

    Attributes:
        until: seconds since the epoch; None when only a reset by hand ends it.
    """

    account: str
    model: str
    status: str
    until: float | None
    reason: str = ""
    cause: str = ""


def rests_path(home: Path) -> Path:
    return home / "rests.json"


def write_rests(home: Path, rests: Iterable[Resting]) -> None:
    """Put this list in the place of the last one."""
    document = {"version": 1, "rests": [asdict(rest) for rest in rests]}
    replace_private(rests_path(home), orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def read_rests(home: Path, now: float, warn: Warn = log_warning) -> list[Resting]:
    """Those that still rest. A file that cannot be understood is told, and nothing rests."""
    path = rests_path(home)
    try:
        content = read_file(path)
        if content is None:
            return []
        rests = [Resting(**row) for row in parse_object(path, content)["rests"]]
        return [rest for rest in rests if rest.until is None or float(rest.until) > now]
    except (FileError, KeyError, TypeError, ValueError) as fault:
        warn(f"{path} is no list of resting accounts and is ignored ({type(fault).__name__})")
        return []
