"""Where a browser session is kept: `web/NAME.json` in the gateway's home, 0600, replaced as a whole with a lock held.

::

    {"version": 1, "base_url": "https://chat.qwen.ai", "token": "eyJ…", "umidtoken": "T2gA…",
     "cookies": "token=eyJ…; cna=…", "headers": {"user-agent": "…", "bx-v": "2.5.37"},
     "proxy": "http://proxy:3128", "models": ["qwen3.7-plus"], "captured": 1790000000}

Only `base_url` and a session are needed. `origin` marks a session that began in environment variables, so that newer
variables win over what the file has of older ones; `captured` is when its owner last took it from a browser. Fields
that we do not know survive.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from qwen_auth.account import check_base_url, check_name, check_proxy
from qwen_auth.errors import AccountError, FileError
from qwen_auth.files import Stamp, Warn, log_warning, parse_object, read_private, reason, replace_private, stamp_of
from qwen_auth.lock import FileLock
from qwen_auth.store import gateway_home
from qwen_auth.web.session import Session, parse_cookies

VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file says."""

    base_url: str
    session: Session
    proxy: str | None = None
    models: tuple[str, ...] | None = None
    origin: str = ""
    captured: float = 0.0
    extra: tuple[tuple[str, Any], ...] = ()

    def to_json(self) -> bytes:
        session = self.session
        document: dict[str, Any] = {"version": VERSION, "base_url": self.base_url}
        for name, value in (
            ("token", session.bearer),
            ("umidtoken", session.umidtoken),
            ("cookies", session.cookie_header),
            ("headers", dict(session.headers)),
            ("proxy", self.proxy),
            ("models", self.models),
            ("origin", self.origin),
            ("captured", self.captured),
        ):
            if value:
                document[name] = value
        return orjson.dumps(document | dict(self.extra), option=orjson.OPT_INDENT_2) + b"\n"


_FIELDS = frozenset(
    {"version", "base_url", "token", "umidtoken", "cookies", "headers", "proxy", "models", "origin", "captured"}
)


class SessionFile:
    """One session on disk."""

    def __init__(self, path: Path, warn: Warn = log_warning) -> None:
        self.path = path
        self._warn = warn

    @property
    def name(self) -> str:
        return self.path.stem

    def lock(self) -> FileLock:
        return FileLock(self.path.with_suffix(".lock"))

    def stamp(self) -> Stamp | None:
        """What changes when anybody replaces the file; None when there is none."""
        return stamp_of(self.path)

    def read(self) -> Kept | None:
        """What it says, None when there is no file, `FileError` when it is something else."""
        content = read_private(self.path, self._warn)
        if content is None:
            return None
        document = parse_object(self.path, content)
        try:
            return _parse(document)
        except (AccountError, ValueError) as fault:
            remedy = f"capture it again: `qwen-auth add {self.name} --web --from-curl --replace`"
            raise FileError(self.path, f"is no browser session ({fault})", remedy, line=1) from None

    def write(self, kept: Kept) -> None:
        """Replace the file. Hold the lock."""
        before = self.stamp()
        replace_private(self.path, kept.to_json(), younger_than=before[0] if before else None)

    def update(self, kept: Kept, known: Stamp | None) -> Stamp | None:
        """Write what has moved on, unless someone else replaced the file since it had the stamp `known`.

        Returns:
            The stamp of what is there now.
        """
        with self.lock():
            if self.stamp() == known:
                self.write(kept)
            return self.stamp()

    def remove(self) -> None:
        """Forget the session, because its owner said so."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def session_file(environ: Mapping[str, str], name: str, warn: Warn = log_warning) -> SessionFile:
    """The file of an account, whether it exists or not."""
    return SessionFile(web_directory(environ) / f"{check_name(name)}.json", warn)


def session_files(environ: Mapping[str, str], warn: Warn = log_warning) -> list[SessionFile]:
    """The files there are, by name."""
    directory = web_directory(environ)
    try:
        found = sorted(entry for entry in os.listdir(directory) if entry.endswith(".json"))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FileError(directory, f"cannot be read ({reason(error)})", "mend its permissions") from error
    files = []
    for entry in found:
        try:
            check_name(entry.removesuffix(".json"))
        except AccountError as error:
            warn(f"{directory / entry} is left out: {error}; rename the file")
            continue
        files.append(SessionFile(directory / entry, warn))
    return files


def web_directory(environ: Mapping[str, str]) -> Path:
    return gateway_home(environ) / "web"


def _parse(document: Mapping[str, Any]) -> Kept:
    version = document.get("version")
    if version != VERSION:
        raise ValueError(f"version {version!r} is not known here")
    headers, models = document.get("headers", {}), document.get("models")
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise ValueError('"headers" is no object of texts')
    if models is not None and not (isinstance(models, list) and all(isinstance(each, str) for each in models)):
        raise ValueError('"models" is no list of names')
    session = Session(
        bearer=_text(document, "token"),
        umidtoken=_text(document, "umidtoken"),
        cookies=parse_cookies(_text(document, "cookies")),
        headers=tuple(headers.items()),
    )
    if session.guest and not session.umidtoken:
        raise ValueError("it has neither a token nor cookies with one")
    proxy, captured = _text(document, "proxy"), document.get("captured")
    return Kept(
        base_url=check_base_url(_text(document, "base_url")).rstrip("/"),
        session=session,
        proxy=check_proxy(proxy) if proxy else None,
        models=tuple(models) if models is not None else None,
        origin=_text(document, "origin"),
        captured=captured if isinstance(captured, int | float) else 0.0,
        extra=tuple((name, value) for name, value in document.items() if name not in _FIELDS),
    )


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str) or not value.isprintable() or not value.isascii():
        raise ValueError(f'"{name}" is no text that a header can carry')
    return value
