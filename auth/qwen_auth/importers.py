"""Logins of other programs: a CLIProxyAPI file, or a folder of seed A (upstream.md 2.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from qwen_auth.account import check_name
from qwen_auth.errors import AccountError, FileError
from qwen_auth.files import Warn, log_warning, parse_object, read_file
from qwen_auth.qwen_store import login_name
from qwen_auth.token import Token, parse_stored


@dataclass(frozen=True, slots=True)
class Found:
    """A login somewhere else, and the name it would have here."""

    name: str
    token: Token
    path: Path


def find_logins(path: Path, warn: Warn = log_warning) -> list[Found]:
    """The logins in a file or a folder. In a folder, what is no login is passed over with a warning."""
    if not path.is_dir():
        return [_read(path)]
    found = []
    for each in sorted(path.glob("*.json")):
        if not each.name.startswith(("oauth_creds", "qwen-")):
            continue
        try:
            found.append(_read(each))
        except (FileError, AccountError) as error:
            warn(f"passed over: {error}")
    if not found:
        raise FileError(path, "holds no Qwen login", "point at a folder with oauth_creds*.json, or at one file")
    return found


def _read(path: Path) -> Found:
    content = read_file(path)
    if content is None:
        raise FileError(path, "does not exist", "point at a credentials file or a folder of them")
    document = parse_object(path, content)
    try:
        if document.get("type") == "qwen" or "expired" in document:
            return Found(_cliproxy_name(path, document), _from_cliproxy(document), path)
        return Found(check_name(login_name(path)), parse_stored(document), path)
    except ValueError as fault:
        raise FileError(path, f"is no Qwen login ({fault})", "nothing was imported from it", line=1) from None


def _from_cliproxy(document: Mapping[str, Any]) -> Token:
    """CLIProxyAPI's fields: `expired` in RFC 3339, `resource_url`, `email`, `type: "qwen"`."""
    try:
        expires = datetime.fromisoformat(str(document.get("expired")))
    except ValueError:
        raise ValueError("has no time in expired") from None
    if expires.tzinfo is None:
        expires = expires.astimezone()
    fields = ("access_token", "refresh_token", "resource_url")
    return parse_stored(
        {name: document.get(name) for name in fields}
        | {"token_type": "Bearer", "expiry_date": expires.timestamp() * 1000}
    )


def _cliproxy_name(path: Path, document: Mapping[str, Any]) -> str:
    """The e-mail address when it will do as a name, else the file's name without `qwen-`."""
    for candidate in (document.get("email"), path.stem.removeprefix("qwen-")):
        name = re.sub(r"[^A-Za-z0-9._@+-]", "-", str(candidate or "")).strip("._@+-")[:64]
        if name:
            return check_name(name)
    raise AccountError(f"{path} names no account; give one with --name")
