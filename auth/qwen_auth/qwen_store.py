"""The directory that we share with qwen-code: `~/.qwen`, one login per file (upstream.md 2.5, 2.6).

`oauth_creds.json` is qwen-code's own login and our account `default`; `oauth_creds_NAME.json` are more.
Each file has a lock and a state of its own, and nothing here looks at another's (AIClient-2-API once
refreshed one file and deleted the other).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from qwen_auth.account import check_name
from qwen_auth.errors import AccountError, FileError
from qwen_auth.files import (
    Stamp,
    Warn,
    log_warning,
    parse_object,
    probe_room,
    read_private,
    reason,
    replace_private,
    stamp_of,
    user_directory,
)
from qwen_auth.lock import FileLock
from qwen_auth.token import Token, parse_stored

DEFAULT = "default"
_PLAIN = "oauth_creds.json"


def qwen_directory(environ: Mapping[str, str]) -> Path:
    """`$QWEN_HOME`, which newer qwen-codes honour, else `~/.qwen`."""
    return user_directory(environ, "QWEN_HOME", ".qwen")


class LoginFile:
    """One login on disk."""

    def __init__(self, path: Path, warn: Warn = log_warning) -> None:
        self.path = path
        self._warn = warn

    @property
    def lock_path(self) -> Path:
        """`oauth_creds.lock` beside `oauth_creds.json`, and so for every name."""
        return self.path.with_suffix(".lock")

    def lock(self) -> FileLock:
        return FileLock(self.lock_path)

    def stamp(self) -> Stamp | None:
        """What changes when anybody replaces the file; None when there is none."""
        return stamp_of(self.path)

    def read(self) -> Token | None:
        """The token, None when there is no file, `FileError` when it is half written or something else."""
        content = read_private(self.path, self._warn)
        if content is None:
            return None
        try:
            return parse_stored(parse_object(self.path, content))
        except ValueError as fault:
            remedy = f"it is left alone; sign in with `qwen-auth login {login_name(self.path)}`"
            raise FileError(self.path, f"is no Qwen login ({fault})", remedy, line=1) from None

    def write(self, token: Token) -> None:
        """Replace the file. Hold the lock.

        The new file is always younger than the old one, even after the clock went back: qwen-code
        reloads only when the modification time grows.
        """
        before = self.stamp()
        replace_private(self.path, token.to_json(), younger_than=before[0] if before else None)

    def check_room(self) -> None:
        """`FileError` unless a token could be written now. Ask before using up a single-use refresh token."""
        probe_room(self.path)

    def remove(self) -> None:
        """Forget the login, because its owner said so. Nothing else ever deletes a login."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


class QwenDirectory:
    """The logins in one directory.

    `share_default` False keeps us away from qwen-code's own file (`QWEN_CODE_AUTH_USE=false`).
    """

    def __init__(self, directory: Path, *, share_default: bool = True, warn: Warn = log_warning) -> None:
        self.directory = directory
        self.share_default = share_default
        self._warn = warn

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], warn: Warn = log_warning) -> QwenDirectory:
        share = environ.get("QWEN_CODE_AUTH_USE", "").strip().lower() not in ("false", "0", "no", "off")
        return cls(qwen_directory(environ), share_default=share, warn=warn)

    def file(self, name: str) -> LoginFile:
        """The file of a login, whether it exists or not."""
        check_name(name)
        if name == DEFAULT and not self.share_default:
            raise AccountError(
                f"account {DEFAULT!r} is qwen-code's own login, and QWEN_CODE_AUTH_USE=false keeps us away from it; "
                "choose another name, or unset that"
            )
        plain = _PLAIN if name == DEFAULT else f"oauth_creds_{name}.json"
        return LoginFile(self.directory / plain, self._warn)

    def names(self) -> list[str]:
        """The logins there are, `default` first; files whose names are no account names are told."""
        try:
            found = sorted(entry for entry in os.listdir(self.directory) if entry.endswith(".json"))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise FileError(self.directory, f"cannot be read ({reason(error)})", "mend its permissions") from error
        names = [DEFAULT] if _PLAIN in found and self.share_default else []
        for entry in found:
            if not entry.startswith("oauth_creds_"):
                continue
            name = entry.removeprefix("oauth_creds_").removesuffix(".json")
            try:
                if name == DEFAULT:
                    raise AccountError(f"{DEFAULT!r} is kept in {_PLAIN}")  # noqa: TRY301
                names.append(check_name(name))
            except AccountError as error:
                self._warn(f"{self.directory / entry} is left out: {error}; rename the file")
        return names


def login_name(path: Path) -> str:
    """The account that a credentials file belongs to (upstream.md 2.6)."""
    return path.stem.removeprefix("oauth_creds").removeprefix("_") or DEFAULT
