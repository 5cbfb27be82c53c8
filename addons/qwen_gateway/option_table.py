"""Every `qwen_*` option, a row each: name, type, default, help, and the environment variable that gives the default.

mitmproxy's options win over the process environment, which wins over a `.env` file. Credentials are never options:
mitmweb shows those. `options.py` reads them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from qwen_auth.pool import STRATEGIES
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
    Option(
        "qwen_hook_table", bool, True,
        "Look up once which addons listen to an event, and take ordinary calls past mitmproxy's layers.",
    ),
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
        "When more than that wait: records are dropped, or new calls wait until there is room, while the database "
        "works for 2,000 already. Running calls never wait, and where the database fails nobody does.",
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
