"""An account as it stands in `accounts.json`.

::

    {"version": 1,
     "accounts": [
       {"name": "work", "kind": "key", "plan": "coding-plan",
        "base_url": "https://coding-intl.dashscope.aliyuncs.com/v1", "key": "sk-sp-…",
        "proxy": "http://proxy:3128", "models": ["qwen3-coder-plus"]}]}

`proxy` and `models` are optional. A record of kind `oauth` has only these, for the login of that name,
whose tokens are kept where qwen-code looks for them. Keys that we do not know, of the file or of an account, survive
every rewrite.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from qwen_auth.account import Account, check_name, check_proxy
from qwen_auth.credentials import KeyCredentials, clean_key
from qwen_auth.errors import AccountError

_FIELDS = ("name", "kind", "plan", "base_url", "key", "proxy", "models")
_BLANKS = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """What the accounts file says about a Qwen login: nothing secret but a proxy's password."""

    name: str
    proxy: str | None = field(default=None, repr=False)
    models: tuple[str, ...] | None = None


Entry = Account | LoginSettings


def parse_record(record: dict[str, Any], source: str) -> Entry:
    """The account of a record, or `AccountError` saying which field is wrong."""
    name = check_name(_text(record, "name"))
    proxy = None if record.get("proxy") is None else check_proxy(_text(record, "proxy"))
    models = _models(record, name)
    kind = record.get("kind", "key")
    if kind == "oauth":
        return LoginSettings(name, proxy, models)
    if kind != "key":
        raise AccountError(f"kind {kind!r} of account {name!r} is not known here; upgrade or remove it")
    try:
        key = clean_key(_text(record, "key"))
    except ValueError as error:
        raise AccountError(f"account {name!r}: {error}; run `qwen-auth add {name} --replace …`") from None
    return Account(
        name=name,
        kind="key",
        plan=_text(record, "plan"),
        base_url=_text(record, "base_url").rstrip("/"),
        credentials=KeyCredentials(key),
        proxy=proxy,
        models=models,
        source=source,
    )


def to_record(account: Entry, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """The record of an account, keeping what the previous one held beyond our fields."""
    record: dict[str, Any] = {"name": account.name}
    if isinstance(account, LoginSettings):
        record |= {"kind": "oauth"}
    else:
        key = next(iter(account.credentials.secrets()), "")
        record |= {"kind": "key", "plan": account.plan, "base_url": account.base_url, "key": key}
    if account.proxy is not None:
        record["proxy"] = account.proxy
    if account.models is not None:
        record["models"] = list(account.models)
    return record | {name: value for name, value in (previous or {}).items() if name not in _FIELDS}


def record_line(content: bytes, index: int) -> int:
    """The line where the record of that index begins, in a document that is known to parse."""
    text = content.decode()
    start = re.search(r'"accounts"\s*:\s*\[', text)
    assert start is not None
    position = begin = start.end()
    for _ in range(index + 1):
        blanks = _BLANKS.match(text, position)
        begin = blanks.end() if blanks else position
        _, position = json.JSONDecoder().raw_decode(text, begin)
    return text.count("\n", 0, begin) + 1


def _models(record: dict[str, Any], name: str) -> tuple[str, ...] | None:
    models = record.get("models")
    if models is None:
        return None
    if not isinstance(models, list) or not all(isinstance(each, str) for each in models):
        raise AccountError(f'"models" of account {name!r} is not a list of model names')
    return tuple(models)


def _text(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, str):
        owner = f" of account {record['name']!r}" if isinstance(record.get("name"), str) else ""
        raise AccountError(f'"{field}"{owner} is missing or no text')
    return value
