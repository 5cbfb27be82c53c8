"""The accounts file: `accounts.json` in the gateway's home, for accounts with a key.

A file that we cannot understand is reported and left alone; an account in it that we cannot
understand is reported, left alone, and costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from qwen_auth.account import Account
from qwen_auth.errors import AccountError, FileError, UnknownAccountError
from qwen_auth.files import Warn, log_warning, parse_object, read_private, replace_private, user_directory
from qwen_auth.lock import FileLock
from qwen_auth.records import Entry, parse_record, record_line, to_record

VERSION = 1


def gateway_home(environ: Mapping[str, str]) -> Path:
    """`$QWEN_GATEWAY_HOME`, else `~/.qwen-gateway`."""
    return user_directory(environ, "QWEN_GATEWAY_HOME", ".qwen-gateway")


class AccountStore:
    """The accounts in one home. Holds nothing in memory: every call reads the file."""

    def __init__(self, home: Path, warn: Warn = log_warning) -> None:
        self.path = home / "accounts.json"
        self._warn = warn

    def load(self) -> list[Account]:
        """The accounts with credentials in this file, in its order."""
        return [entry for entry in self.entries() if isinstance(entry, Account)]

    def entries(self) -> list[Entry]:
        """Everything in the file: accounts, and what it says about logins that are kept elsewhere."""
        content = read_private(self.path, self._warn)
        if content is None:
            return []
        entries: dict[str, Entry] = {}
        for index, record in enumerate(self._parse(content)["accounts"]):
            try:
                entry = parse_record(record, str(self.path))
            except AccountError as error:
                self._leave_out(content, index, str(error))
                continue
            if entry.name.casefold() in entries:
                self._leave_out(content, index, f"there is another account {entry.name!r}; rename or remove one")
            else:
                entries[entry.name.casefold()] = entry
        return list(entries.values())

    def add(self, entry: Entry, *, replace: bool = False) -> None:
        """Append the entry, or put it in the place of the one with its name."""

        def change(records: list[dict[str, Any]]) -> None:
            index = _find(records, entry.name)
            if index is None:
                records.append(to_record(entry))
            elif replace:
                records[index] = to_record(entry, records[index])
            else:
                name = records[index]["name"]
                raise AccountError(f"there is an account {name!r}; add --replace or choose another name")

        self._rewrite(change)

    def remove(self, name: str) -> None:
        """Take the account out; `UnknownAccountError` when there is none."""

        def change(records: list[dict[str, Any]]) -> None:
            index = _find(records, name)
            if index is None:
                raise UnknownAccountError(name, tuple(str(record.get("name")) for record in records))
            del records[index]

        self._rewrite(change)

    def _leave_out(self, content: bytes, index: int, problem: str) -> None:
        self._warn(f"{self.path}:{record_line(content, index)}: this account is left out: {problem}")

    def _rewrite(self, change: Callable[[list[dict[str, Any]]], None]) -> None:
        with FileLock(self.path.with_suffix(".lock")):
            content = read_private(self.path, self._warn)
            document: dict[str, Any] = {"version": VERSION, "accounts": []}
            if content is not None:
                document = self._parse(content)
            change(document["accounts"])
            replace_private(self.path, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")

    def _parse(self, content: bytes) -> dict[str, Any]:
        document = parse_object(self.path, content)
        version = document.get("version")
        if isinstance(version, int) and version > VERSION:
            raise FileError(self.path, f"is of version {version}, newer than this program", "upgrade qwen-gateway")
        records = document.get("accounts")
        if version != VERSION or not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
            remedy = 'it needs "version": 1 and a list "accounts" of objects; mend it by hand or move it away'
            raise FileError(self.path, "is not a file of accounts", remedy, line=1)
        return document


def _find(records: list[dict[str, Any]], name: str) -> int | None:
    """Where the account of that name is; names that differ in case only would share files on macOS."""
    wanted = name.casefold()
    return next((place for place, each in enumerate(records) if str(each.get("name")).casefold() == wanted), None)
