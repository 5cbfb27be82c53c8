"""Every `qwen_*` option: name, type, default, help, and the environment variable that gives the default.

mitmproxy's options win over the process environment, which wins over a `.env` file. Credentials are never options:
mitmweb shows those. `read` turns the options into one frozen value, so that nothing else looks at `ctx.options`.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mitmproxy import exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.optmanager import OptManager
from mitmproxy.utils import human

from qwen_auth.environment import read_environment
from qwen_auth.errors import AuthError
from qwen_auth.pool import STRATEGIES, Strategy
from qwen_auth.store import gateway_home
from qwen_auth.windows import day_zone
from qwen_gateway.callers import Keys
from qwen_gateway.engine.limits import Limits
from qwen_gateway.ledger import Keep, LedgerSettings, Recording
from qwen_gateway.ledger.settings import DAY
from qwen_gateway.openai.chat_choice import Thinking
from qwen_gateway.upstreams.models import Naming
from qwen_gateway.upstreams.parameters import Policy
from qwen_gateway.upstreams.situation import Parent
from qwen_gateway.upstreams.tool_prompt import Convention


@dataclass(frozen=True, slots=True)
class Option:
    """One row.

    Attributes:
        variable: an environment variable that gives the default, if it is set.
        read: turns the variable's text into the option's value.
    """

    name: str
    type: Any
    default: Any
    help: str
    variable: str = ""
    read: Callable[[str], Any] = str
    choices: tuple[str, ...] | None = None


def _milliseconds(text: str) -> int:
    return max(0, round(float(text) / 1000))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _level(text: str) -> str:
    """The seeds' names, and those that other programs give to the same variable."""
    word = text.strip().lower()
    return {"warning": "warn", "critical": "error", "fatal": "error", "verbose": "debug", "trace": "debug"}.get(
        word, word
    )


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


OPTIONS = (
    Option(
        "qwen_intercept_hosts", Sequence[str], ["api.openai.com"],
        "Hosts whose OpenAI calls are answered by Qwen when clients are intercepted; all other hosts pass untouched.",
    ),
    Option(
        "qwen_strategy", str, "single",
        "How accounts are chosen: one account only, or several (mind their terms of use).",
        "QWEN_STRATEGY", choices=STRATEGIES,
    ),
    Option("qwen_default_account", str, "", "The account that comes first.", "DEFAULT_ACCOUNT"),
    Option(
        "qwen_default_model", str, "",
        "The model that answers to names nobody knows. Empty: the host's usual one.",
        "DEFAULT_MODEL",
    ),
    Option(
        "qwen_model_aliases", Sequence[str], [],
        "Names of your own, NAME=MODEL; NAME may be a pattern (gpt-4*=qwen3.7-plus).",
        "QWEN_MODEL_ALIASES", _words,
    ),
    Option("qwen_vision_model", str, "", "The model that answers when pictures are sent to one that sees none."),
    Option(
        "qwen_log_dir", str, "",
        "A folder for log files: gateway.log and error.log, lines of JSON, 10 MB × 5 each. Empty: none.",
        "QWEN_LOG_DIR",
    ),
    Option(
        "qwen_log_level", str, "info",
        "What is written to the log files: errors, warnings, every call, or all the gateway says.",
        "LOG_LEVEL", _level, choices=("error", "warn", "info", "debug"),
    ),
    Option(
        "qwen_debug_log", bool, False,
        "Write a file for each call, with its bodies, to the folder debug beside the log files.",
        "DEBUG_LOG", _truth,
    ),
    Option("qwen_debug_files", int, 20, "Debug files that are kept, the newest.", "LOG_FILE_LIMIT", int),
    Option(
        "qwen_terminal", str, "line",
        "What the terminal shows of each call: a line in words, a line of JSON, or nothing.",
        "QWEN_TERMINAL", choices=("line", "json", "off"),
    ),
    Option(
        "qwen_policy", str, "standard",
        "What happens to parameters that Qwen cannot honour: strict refuses what standard drops with a notice, "
        "lenient drops what standard refuses.",
        "QWEN_POLICY", choices=("strict", "standard", "lenient"),
    ),
    Option(
        "qwen_truncation", str, "asked",
        "When the oldest turns of a conversation that is too long are left out: when the call asks for it, always, "
        "or never.",
        "QWEN_TRUNCATION", choices=("asked", "always", "never"),
    ),
    Option(
        "qwen_thinking", str, "reasoning_content",
        "Where thoughts go: a field of their own, <think> tags in the text, or nowhere.",
        "QWEN_THINKING", choices=("reasoning_content", "tags", "hidden"),
    ),
    Option(
        "qwen_tool_prompt", str, "json",
        "How tools are put into words for an upstream that has none: <tool_call> with JSON, or a tag for each tool.",
        "QWEN_TOOL_PROMPT", choices=get_args(Convention),
    ),
    Option(
        "qwen_models_cache", int, 3600,
        "Seconds for which the upstream's list of models is kept.",
        "MODELS_CACHE_DURATION", _milliseconds,
    ),
    Option(
        "qwen_cache", int, 0,
        "Seconds for which the answer to a call is given again when the very same call comes; 0: never.",
        "QWEN_CACHE", int,
    ),
    Option("qwen_cache_entries", int, 1000, "Answers that are kept for identical calls."),
    Option("qwen_cache_size", str, "64m", "Memory for answers that are kept for identical calls."),
    Option("qwen_body_limit", str, "32m", "The largest request body, packed or unpacked."),
    Option("qwen_connect_timeout", int, 10, "Seconds for a connection to the upstream."),
    Option("qwen_first_timeout", int, 120, "Seconds until the first content of a streamed answer, in one attempt."),
    Option("qwen_whole_timeout", int, 600, "Seconds for an answer that comes in one piece, in one attempt."),
    Option("qwen_idle_timeout", int, 240, "Seconds of silence within an answer that has begun."),
    Option("qwen_total_timeout", int, 900, "Seconds for a call, all attempts and waits together."),
    Option("qwen_attempts", int, 4, "Attempts that a call may make.", "RETRY_MAX_ATTEMPTS", int),
    Option("qwen_hold", int, 10, "Seconds for which a stream's headers wait for the first content."),
    Option("qwen_keep_alive", int, 15, "Seconds of silence after which a stream gets a comment."),
    Option("qwen_wait", int, 8, "Seconds that a call waits for an account that recovers soon."),
    Option(
        "qwen_drain", int, 25,
        "Seconds that running calls have to finish when the gateway is told to stop.",
        "QWEN_DRAIN", int,
    ),
    Option(
        "qwen_keep_flows", int, 2000,
        "Flows that mitmweb keeps; the oldest that ended leave first, except marked ones. 0: all of them.",
        "QWEN_KEEP_FLOWS", int,
    ),
    Option(
        "qwen_session_timeout", int, 1800,
        "Seconds after which a chat at chat.qwen.ai that nobody went on with is forgotten.",
        "SESSION_TIMEOUT", _milliseconds,
    ),
    Option(
        "qwen_delete_chats", bool, False,
        "Delete chats at chat.qwen.ai when they are forgotten, so that they do not fill the list on its page.",
    ),
    Option(
        "qwen_web_parent", str, "response",
        "Which id continues a chat at chat.qwen.ai: that of the response, or that of the question before it.",
        choices=("response", "question"),
    ),
    Option(
        "qwen_quota_day_offset", int, 0,
        "Hours by which the midnight that ends a day's quota is ahead of UTC (Beijing: 8).",
    ),
    Option(
        "qwen_allowed_hosts", Sequence[str], [],
        "Values of the Host header that are accepted beside loopback names (DNS rebinding).",
        "QWEN_ALLOWED_HOSTS", _words,
    ),
    Option(
        "qwen_cors_origins", Sequence[str], [],
        "Browser origins that may call, beside those on loopback; * for all.",
        "QWEN_CORS_ORIGINS", _words,
    ),
    Option(
        "qwen_keys_file", str, "",
        "A file with the keys that callers of this gateway must send, one a line. QWEN_GATEWAY_KEYS does the same.",
        "QWEN_GATEWAY_KEYS_FILE",
    ),
    Option(
        "qwen_prices", str, "",
        "A JSON file with the prices of models, for budgets in money. Empty: prices.json in the gateway's home.",
        "QWEN_PRICES",
    ),
    Option(
        "qwen_http2", bool, False,
        "HTTP/2 to upstreams that offer it: fewer connections, but several times the processor time per call.",
    ),
    Option("qwen_hook_table", bool, True, "Look up once which addons listen to an event, instead of on every event."),
    Option(
        "qwen_vocabulary", str, "",
        "A vocabulary file to count tokens with. Empty: the one of an installed dashscope or qwen-agent, else one "
        "that tiktoken has cached, else bytes. none: bytes. Nothing is downloaded.",
    ),
    Option(
        "qwen_persistence", bool, True,
        "Keep a ledger: stored responses, conversations and completions need it.",
        "ENABLE_PERSISTENCE", _truth,
    ),
    Option(
        "qwen_database", str, "",
        "The file of the ledger. Empty: ledger.db in the gateway's home. QWEN_DATABASE_URL names PostgreSQL instead.",
        "DATABASE_PATH",
    ),
    Option(
        "qwen_record", str, "full",
        "What is kept of each call: nothing, everything but bodies, or all of it.",
        choices=("off", "metadata", "full"),
    ),
    Option("qwen_record_events", bool, False, "Keep streams also event by event, as they came and went."),
    Option(
        "qwen_redact", Sequence[str], ["keys"],
        "Regular expressions whose matches are not kept in records; the word keys stands for what looks like one.",
    ),
    Option("qwen_keep_days", int, 30, "Days for which records are kept; 0: no limit."),
    Option("qwen_keep_requests", int, 100_000, "Calls whose records are kept; 0: no limit."),
    Option("qwen_keep_size", str, "1g", "Bytes of bodies that are kept in records; 0: no limit."),
    Option("qwen_ledger_flush", int, 1000, "Milliseconds that a record waits for others to be written with it."),
    Option("qwen_ledger_queue", int, 10_000, "Records that may wait to be written."),
    Option(
        "qwen_ledger_full", str, "block",
        "When more than that wait: new calls wait until there is room, or records are dropped. Running calls never "
        "wait, and where the database fails nobody does.",
        choices=("block", "drop"),
    ),
    Option(
        "qwen_records_api", bool, True,
        "Show sessions, requests and responses at /v1/sessions, /v1/requests and /v1/responses, to the operator.",
        "ENABLE_CRUD_API", _truth,
    ),
    Option("qwen_ca_bundle", str, "", "A PEM file to trust for upstreams with certificates of their own."),
)  # fmt: skip
"""All rows; `docs/reference/options.md` is tested against them."""


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
