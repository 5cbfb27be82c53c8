"""Declares the options of `option_table.py` and reads them as one frozen value; nothing else looks at `ctx.options`."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from mitmproxy import exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.optmanager import OptManager
from mitmproxy.utils import human

from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError
from qwen_auth.pool import Strategy
from qwen_auth.store import gateway_home
from qwen_auth.windows import day_zone
from qwen_gateway.callers import Keys
from qwen_gateway.engine.limits import Limits
from qwen_gateway.ledger import Keep, LedgerSettings, Recording
from qwen_gateway.ledger.settings import DAY
from qwen_gateway.openai.chat_choice import Thinking
from qwen_gateway.option_table import OPTIONS
from qwen_gateway.upstreams.models import Naming
from qwen_gateway.upstreams.parameters import Policy
from qwen_gateway.upstreams.situation import Parent
from qwen_gateway.upstreams.tool_prompt import Convention


@dataclass(frozen=True, slots=True)
class CacheBounds:
    """How much is kept for identical calls: seconds, answers, bytes."""

    age: float
    entries: int
    room: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The options as typed values."""

    intercept_hosts: frozenset[str]
    strategy: Strategy
    default_account: str | None
    naming: Naming
    vision_model: str | None
    policy: Policy
    truncation: str
    thinking: Thinking
    tool_prompt: Convention
    models_cache: float
    cache: CacheBounds
    body_limit: int
    connect_timeout: float
    limits: Limits
    drain: float
    records_api: bool
    session_timeout: float
    delete_chats: bool
    web_parent: Parent
    keep_flows: int
    allowed_hosts: frozenset[str]
    cors_origins: frozenset[str]
    keys_file: Path | None
    prices: Path
    ca_bundle: str | None
    http2: bool
    ledger: LedgerSettings
    recording: Recording
    vocabulary: Path | Literal["none"] | None
    log_dir: Path | None
    log_level: str
    debug_log: bool
    debug_files: int
    persistence: bool


def environment() -> dict[str, str]:
    """The process environment over a `.env` file in the working directory.

    Raises:
        OptionsError: the file is there but cannot be read.
    """
    try:
        return read_environment(os.environ, Path.cwd())
    except AuthError as error:
        raise exceptions.OptionsError(str(error)) from None


def declare(loader: Loader, environ: Mapping[str, str]) -> None:
    """Add every option, with the default that the environment gives.

    Raises:
        OptionsError: a variable cannot be read.
    """
    for option in OPTIONS:
        default = option.default
        text = environ.get(option.variable, "").strip() if option.variable else ""
        if text:
            try:
                default = option.read(text)
            except (ValueError, OverflowError):
                raise exceptions.OptionsError(
                    f"{option.variable}={text[:40]!r} cannot be read; it gives the default of {option.name}."
                ) from None
        if option.choices and default not in option.choices:
            raise exceptions.OptionsError(
                f"{option.variable}={text[:40]!r} must be one of {', '.join(option.choices)}."
            )
        help_text = f"{option.help} (environment: {option.variable})" if option.variable else option.help
        loader.add_option(option.name, option.type, default, help_text, option.choices)


def read(options: OptManager) -> Settings:
    """The options as one value.

    Raises:
        OptionsError: a value makes no sense; the message names it.
    """
    get: Any = options
    for option in OPTIONS:  # mitmproxy looks at choices only where it lists them
        if option.choices and (value := getattr(get, option.name)) not in option.choices:
            choices = ", ".join(option.choices)
            raise exceptions.OptionsError(f"{option.name} is {str(value)[:40]!r}; it must be one of {choices}.")
    for name in ("first", "whole", "idle", "total", "connect"):
        at_least(f"qwen_{name}_timeout", getattr(get, f"qwen_{name}_timeout"), 1)
    for name in ("qwen_attempts", "qwen_hold", "qwen_keep_alive", "qwen_debug_files"):
        at_least(name, getattr(get, name), 1)
    for name in ("qwen_wait", "qwen_cache", "qwen_cache_entries", "qwen_models_cache", "qwen_drain", "qwen_keep_flows"):
        at_least(name, getattr(get, name), 0)
    if not -24 < get.qwen_quota_day_offset < 24:
        raise exceptions.OptionsError(f"qwen_quota_day_offset is {get.qwen_quota_day_offset}; it is hours, -23 to 23.")
    body_limit = size("qwen_body_limit", get.qwen_body_limit)
    at_least("qwen_body_limit", body_limit, 1)
    return Settings(
        intercept_hosts=frozenset(host.lower() for host in get.qwen_intercept_hosts),
        strategy=cast(Strategy, get.qwen_strategy),
        default_account=get.qwen_default_account or None,
        naming=Naming(
            aliases(get.qwen_model_aliases), get.qwen_default_model or None, strict=get.qwen_policy == "strict"
        ),
        vision_model=get.qwen_vision_model or None,
        policy=cast(Policy, get.qwen_policy),
        truncation=get.qwen_truncation,
        thinking=cast(Thinking, get.qwen_thinking),
        tool_prompt=cast(Convention, get.qwen_tool_prompt),
        models_cache=float(get.qwen_models_cache),
        cache=CacheBounds(get.qwen_cache, get.qwen_cache_entries, size("qwen_cache_size", get.qwen_cache_size)),
        body_limit=body_limit,
        connect_timeout=float(get.qwen_connect_timeout),
        limits=Limits(
            first=get.qwen_first_timeout,
            whole=get.qwen_whole_timeout,
            idle=get.qwen_idle_timeout,
            total=get.qwen_total_timeout,
            attempts=get.qwen_attempts,
            hold=get.qwen_hold,
            keep_alive=get.qwen_keep_alive,
            wait=get.qwen_wait,
            day=day_zone(get.qwen_quota_day_offset),
        ),
        drain=float(get.qwen_drain),
        records_api=get.qwen_records_api,
        session_timeout=float(get.qwen_session_timeout),
        delete_chats=get.qwen_delete_chats,
        web_parent=cast(Parent, get.qwen_web_parent),
        keep_flows=get.qwen_keep_flows,
        allowed_hosts=frozenset(host.lower() for host in get.qwen_allowed_hosts),
        cors_origins=frozenset(origin.lower().rstrip("/") for origin in get.qwen_cors_origins),
        keys_file=Path(get.qwen_keys_file).expanduser() if get.qwen_keys_file else None,
        prices=Path(get.qwen_prices).expanduser() if get.qwen_prices else gateway_home(environment()) / "prices.json",
        ca_bundle=get.qwen_ca_bundle or None,
        http2=get.qwen_http2,
        ledger=ledger_settings(options),
        recording=recording(options),
        vocabulary=vocabulary(get.qwen_vocabulary),
        log_dir=Path(get.qwen_log_dir).expanduser() if get.qwen_log_dir else None,
        log_level=get.qwen_log_level,
        debug_log=get.qwen_debug_log,
        debug_files=get.qwen_debug_files,
        persistence=get.qwen_persistence,
    )


def ledger_settings(options: OptManager) -> LedgerSettings:
    """Where the ledger is and how it is kept.

    Raises:
        OptionsError: a value makes no sense, or would show a password.
    """
    get: Any = options
    for name in ("qwen_keep_days", "qwen_keep_requests"):
        at_least(name, getattr(get, name), 0)
    for name in ("qwen_ledger_flush", "qwen_ledger_queue"):
        at_least(name, getattr(get, name), 1)
    if "://" in get.qwen_database:
        raise exceptions.OptionsError("qwen_database is a file; set QWEN_DATABASE_URL for a URL, for mitmweb shows it.")
    return LedgerSettings(
        # With or without persistence: the gateway's keys are there, and nothing is opened that nobody asks.
        database(get.qwen_database),
        flush=get.qwen_ledger_flush / 1000,
        queue=get.qwen_ledger_queue,
        full=get.qwen_ledger_full,
        keep=Keep(get.qwen_keep_days * DAY, get.qwen_keep_requests, size("qwen_keep_size", get.qwen_keep_size)),
    )


def recording(options: OptManager) -> Recording:
    """What is kept.

    Raises:
        OptionsError: a pattern is none.
    """
    get: Any = options
    for pattern in get.qwen_redact:
        try:
            re.compile(pattern)
        except re.error as error:
            raise exceptions.OptionsError(f"qwen_redact: {pattern!r} is no regular expression: {error}.") from None
    return Recording(get.qwen_record, get.qwen_record_events, tuple(get.qwen_redact))


def size(name: str, text: str) -> int:
    """Bytes, of an option like `32m`."""
    try:
        return human.parse_size(text) or 0
    except ValueError:
        raise exceptions.OptionsError(f"{name}: {text!r} is no size; try 32m.") from None


def database(file: str, environ: Mapping[str, str] | None = None) -> str:
    """Where the ledger is: a URL of PostgreSQL, which has a password in it and is no option for that, or a path."""
    found = environment() if environ is None else environ
    url = found.get("QWEN_DATABASE_URL", "").strip()
    return url or str(Path(file or gateway_home(found) / "ledger.db").expanduser().absolute())


def log_folder(settings: Settings) -> Path:
    """Where log files are or would be."""
    return settings.log_dir or gateway_home(environment()) / "logs"


def caller_keys(settings: Settings, environ: Mapping[str, str] | None = None) -> Keys:
    """The keys that callers must send: of `QWEN_GATEWAY_KEYS` and of the keys file, whose lines may be comments.

    Raises:
        OptionsError: the file cannot be read, or has no key in it.
    """
    keys = (environment() if environ is None else environ).get("QWEN_GATEWAY_KEYS", "").replace(",", " ").split()
    if settings.keys_file is not None:
        try:
            lines = settings.keys_file.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise exceptions.OptionsError(f"qwen_keys_file: {settings.keys_file} cannot be read ({error}).") from None
        found = [key for line in lines if (key := line.partition("#")[0].strip())]
        if not found:
            raise exceptions.OptionsError(f"qwen_keys_file: {settings.keys_file} has no key in it; write one a line.")
        keys += found
    return Keys(keys)


def admin_keys() -> Keys:
    """The keys of `QWEN_GATEWAY_ADMIN_KEYS`."""
    return Keys(environment().get("QWEN_GATEWAY_ADMIN_KEYS", "").replace(",", " ").split())


def vocabulary(value: str) -> Path | Literal["none"] | None:
    """The file to count tokens with; None for the best one at hand.

    Raises:
        OptionsError: there is no such file.
    """
    if value in ("", "none"):
        return "none" if value else None
    file = Path(value).expanduser()
    if not file.is_file():
        raise exceptions.OptionsError(f"qwen_vocabulary: there is no file {file}.")
    return file


def unknown(options: OptManager) -> list[str]:
    """Names that look like ours, were set, and are no option's: mitmproxy keeps them for an addon still to come."""
    return [name for name in options.deferred if name.startswith("qwen_")]


def at_least(name: str, value: int, least: int) -> None:
    """Refuse a number that is too small."""
    if value < least:
        raise exceptions.OptionsError(f"{name} is {value}; it must be at least {least}.")


def aliases(rows: Sequence[str]) -> dict[str, str]:
    """`NAME=MODEL` rows as a mapping."""
    found: dict[str, str] = {}
    for row in rows:
        name, equals, model = row.partition("=")
        if not (equals and name.strip() and model.strip()):
            raise exceptions.OptionsError(f"qwen_model_aliases: {row!r} is not NAME=MODEL.")
        found[name.strip()] = model.strip()
    return found
