"""An account: a name with credentials of one kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from qwen_auth.credentials import Credentials
from qwen_auth.errors import AccountError
from qwen_auth.plans import find_plan

Kind = Literal["key", "oauth", "web"]
KINDS: tuple[Kind, ...] = ("key", "oauth", "web")
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the operator.

    `models` limits it to these upstream models; None means all. `source` says in words where it came
    from ("environment variable DASHSCOPE_API_KEY", a path). `flavour` is the name of the quirks to
    expect, as in `qwen_auth.plans`. `credentials` may change while the process runs, the rest does not.
    """

    name: str
    kind: Kind
    plan: str
    base_url: str
    credentials: Credentials
    proxy: str | None = None
    models: tuple[str, ...] | None = None
    source: str = ""
    flavour: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "flavour", find_plan(self.plan).flavour)  # asked for many times in every call
        check_base_url(self.base_url)
        if self.proxy is not None:
            check_proxy(self.proxy)

    @property
    def endpoint(self) -> str:
        """Where calls go now: what the credentials name (upstream.md 2.7), else the base URL."""
        return self.credentials.endpoint or self.base_url

    def secrets(self) -> tuple[str, ...]:
        """Every raw string of this account that must not be seen: credentials and proxy password."""
        password = urlsplit(self.proxy).password if self.proxy else None
        return self.credentials.secrets() + ((password,) if password else ())

    def __repr__(self) -> str:
        proxy = f", proxy={redact_url(self.proxy)!r}" if self.proxy else ""
        return f"Account({self.name!r}, {self.kind!r}, {self.plan!r}, {self.base_url!r}{proxy})"


def check_name(name: str) -> str:
    """The name, or `AccountError`. Names stand in file names, headers and metric labels."""
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"{name[:80]!r} cannot name an account; use 1 to 64 letters, digits and . _ - + @, "
            "beginning and ending with a letter or digit"
        )
    return name


def check_base_url(url: str) -> str:
    """The URL, or `AccountError`: http(s), a host, and neither credentials nor query in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise AccountError(f"{redact_url(url)!r} is not a URL; give something like https://host/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AccountError(f"{redact_url(url)!r} is not a base URL; give something like https://host/v1")
    if parts.username is not None or parts.password is not None:
        raise AccountError(
            f"the base URL of {parts.hostname} carries a user name; give the key by --key-from-stdin instead"
        )
    if parts.query or parts.fragment:
        raise AccountError(
            f"{parts.hostname}: a base URL has no query and no fragment; leave out what follows the path"
        )
    return url


def check_proxy(url: str) -> str:
    """The URL of an egress proxy, or `AccountError`."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        schemes = ", ".join(PROXY_SCHEMES)
        raise AccountError(f"{redact_url(url)!r} is not a proxy; give something like http://host:3128 ({schemes})")
    return url


def redact_url(url: str) -> str:
    """The URL with the user name and password of its authority taken out."""
    head, separator, tail = url.rpartition("@")
    if not separator:
        return url
    scheme, slashes, _ = head.partition("://")
    return f"{scheme}://***@{tail}" if slashes else f"***@{tail}"
