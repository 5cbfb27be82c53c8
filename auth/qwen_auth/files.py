"""Private JSON files: read with care, replaced as a whole or not at all.

Files with secrets are 0600 in a 0700 directory. One that others may read is tightened when it is
read, with a warning, because a refusal would only make people switch the check off; what was readable
may already have been read, so the warning says to renew the secret.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from qwen_auth.errors import FileError

Warn = Callable[[str], None]
log_warning: Warn = logging.getLogger("qwen_auth").warning

MAX_BYTES = 4 * 1024 * 1024
"""No file of ours comes near; whatever is larger is something else."""


def user_directory(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """The directory that the variable names, else the default one in the user's home."""
    said = environ.get(variable, "").strip() or f"~/{default}"
    home = environ.get("HOME", "")
    if home and (said == "~" or said.startswith("~/")):
        return Path(home, said[2:])
    return Path(said).expanduser()


def read_file(path: Path) -> bytes | None:
    """The bytes of the file, None when there is none, `FileError` when it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(path, f"cannot be read ({reason(error)})", "mend its permissions or move it away") from error
    if len(content) > MAX_BYTES:
        raise FileError(path, "is larger than 4 MiB, so it is something else", "move it away")
    return content


Stamp = tuple[int, int, int]
"""What changes when anybody replaces a file: time, inode and size."""


def stamp_of(path: Path) -> Stamp | None:
    """The file's stamp; None when there is none, `FileError` when it cannot be looked at."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(path, f"cannot be read ({reason(error)})", "mend its permissions") from error
    return (found.st_mtime_ns, found.st_ino, found.st_size)


def read_private(path: Path, warn: Warn = log_warning) -> bytes | None:
    """The same for a file of ours with secrets in it, which is closed to others if it was open."""
    content = read_file(path)
    if content is not None:
        tighten(path, warn)
    return content


def tighten(path: Path, warn: Warn = log_warning) -> None:
    """Take everyone else's rights off a file with secrets, and say that they had them."""
    if os.name != "posix":
        return
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:  # replaced or removed since it was read
        return
    if not mode & 0o077:
        return
    was = f"{path} was open to other users (mode {mode:04o})"
    try:
        path.chmod(0o600)
    except OSError as error:
        warn(f"{was} and cannot be closed ({reason(error)}); run `chmod 600 {path}` as its owner")
        return
    warn(f"{was}; it is 0600 now. If someone else uses this machine, renew the keys and logins in it")


def parse_object(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON object in the file, or `FileError` with the line where it breaks."""
    if not content.strip():
        raise FileError(path, "is empty", "restore it from a backup, or delete it to begin anew")
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        problem = f"is not JSON ({error.msg} at column {error.colno})"
        raise FileError(path, problem, "mend it by hand, or move it away to begin anew", line=error.lineno) from None
    if not isinstance(parsed, dict):
        raise FileError(path, "holds no JSON object", "mend it by hand, or move it away to begin anew", line=1)
    return parsed


def replace_private(path: Path, content: bytes, *, younger_than: int | None = None) -> None:
    """Put the content in the place of the file, atomically, 0600; the old file stays on any failure.

    The temporary file lies beside the target (upstream.md 2.5). A symbolic link is followed, so that
    a file kept elsewhere stays where its owner put it. `younger_than` is a modification time in
    nanoseconds that the new file must exceed, for readers who look at nothing else.
    """
    with _written_beside(path, content) as (temporary, target):
        if younger_than is not None and temporary.stat().st_mtime_ns <= younger_than:
            later = younger_than + 10_000_000
            os.utime(temporary, ns=(later, later))
        temporary.replace(target)
        _flush_directory(target.parent)


def probe_room(path: Path) -> None:
    """`FileError` unless a few kilobytes could be written beside the file now."""
    with _written_beside(path, b" " * 8192):
        pass


@contextlib.contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[tuple[Path, Path]]:
    """A temporary file beside the target with this content on disk; gone afterwards unless it was renamed."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f"{target.name}.tmp.{os.getpid()}.{uuid.uuid4()}")
    try:
        make_private_directory(target.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, opened 0600 from the start
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary, target
    except OSError as error:
        remedy = "make room or mend the permissions; nothing was changed"
        raise FileError(path, f"cannot be written ({reason(error)})", remedy) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_private_directory(directory: Path) -> None:
    """Create the directory 0700; one that exists is its owner's business."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def reason(error: OSError) -> str:
    """What the system said, without the path, which the message names already."""
    return error.strerror or type(error).__name__


def _flush_directory(directory: Path) -> None:
    """Make the rename itself survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
