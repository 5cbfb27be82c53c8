"""Which class a fault belongs to: rows tried in order, the first match decides.

Sources: upstream.md 4.5–4.7 (DashScope and its plans), 4.13 (vLLM, Ollama, OpenRouter), 2.12 (portal), 6 and 9.6. A row
matches when every column it fills matches: `codes` (any letter case, blanks as `_`), `text` (searched in the message),
`statuses`, and what is known beside the fault (`Case`).
"""

import re
from dataclasses import dataclass

from qwen_gateway.codec.deltas import Fault
from qwen_gateway.upstreams.verdicts import VERDICTS, Verdict


@dataclass(frozen=True, slots=True)
class Case:
    """What is known beside the fault itself.

    Attributes:
        flavour: of the account.
        prompt: the body that was sent.
        renewed: the account's token had been granted just before, so that its age is not the matter.
        repeats, lasting: how often in a row the upstream had said the same code before, and for how many seconds.
    """

    flavour: str = ""
    prompt: bytes = b""
    renewed: bool = False
    repeats: int = 0
    lasting: float = 0.0


_PICTURE = re.compile(rb"data:[\w/+.;=-]*;base64,[\w/+=]*")


def tokens_of(prompt: bytes) -> int:
    """About how many tokens a body has; only good for telling a huge one from others. Pictures do not count."""
    return len(_PICTURE.sub(b"", prompt)) // 4


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what to look for, which class it is, where that is written."""

    verdict: str
    source: str
    codes: frozenset[str] = frozenset()
    text: re.Pattern[str] | None = None
    statuses: frozenset[int] = frozenset()
    origins: frozenset[str] = frozenset()
    flavours: frozenset[str] = frozenset()
    renewed: bool = False
    tokens: int = 0
    repeats: int = 0
    lasting: float = 0.0

    def matches(self, fault: Fault, case: Case) -> bool:
        return (
            (not self.codes or fault.code.lower().replace(" ", "_") in self.codes)
            and (self.text is None or self.text.search(fault.message) is not None)
            and (not self.statuses or fault.status in self.statuses)
            and (not self.origins or fault.origin in self.origins)
            and (not self.flavours or case.flavour in self.flavours)
            and (not self.renewed or case.renewed)
            and case.repeats >= self.repeats
            and case.lasting >= self.lasting
            and (not self.tokens or tokens_of(case.prompt) > self.tokens)
        )


def row(
    verdict: str,
    source: str,
    *,
    codes: str = "",
    text: str = "",
    statuses: tuple[int, ...] = (),
    origins: str = "",
    flavours: str = "",
    renewed: bool = False,
    tokens: int = 0,
    repeats: int = 0,
    lasting: float = 0.0,
) -> Row:
    """A row from readable columns: `codes`, `origins` and `flavours` are words, `text` a pattern in any letter case.

    `renewed`, `tokens`, `repeats` and `lasting` ask the `Case`: a fresh login, at least so much of the others.
    """
    return Row(
        verdict,
        source,
        frozenset(codes.lower().split()),
        re.compile(text, re.IGNORECASE) if text else None,
        frozenset(statuses),
        frozenset(origins.split()),
        frozenset(flavours.split()),
        renewed,
        tokens,
        repeats,
        lasting,
    )


_EXPIRED = r"invalid access token|token expired"

ROWS = (
    # What is wrong with the call comes first: such faults never touch an account.
    row("context", "upstream.md 4.3", text=r"range of input length"),
    row("context", "upstream.md 4.13 vLLM", text=r"maximum context length|context length exceeded|input is too long"),
    row("context", "OpenRouter, OpenAI", codes="context_length_exceeded ContextLengthExceeded"),
    row("context_hang", "upstream.md 2.10, 2.12", flavours="portal", statuses=(504,), tokens=130_000),
    row("content", "upstream.md 4.6", codes="DataInspectionFailed data_inspection_failed"),
    row("content", "upstream.md 4.5 E4", text=r"data may contain inappropriate content"),
    row("content", "upstream.md 4.13 OpenRouter", statuses=(403,), text=r"moderation|flagged"),
    # chat.qwen.ai: codes of its own, and its bot defence (3.11).
    row("challenge", "upstream.md 3.11", flavours="web", codes="FAIL_SYS_USER_VALIDATE"),
    row("quota_window", "upstream.md 3.11", flavours="web", codes="RateLimited"),
    row("throttle", "upstream.md 3.11", flavours="web", codes="Too_Many_Requests"),
    row("session_dead", "upstream.md 3.11", flavours="web", codes="unauthorized", renewed=True),
    row("auth_expired", "upstream.md 3.11", flavours="web", codes="unauthorized"),
    row("session_dead", "upstream.md 3.11", flavours="web", statuses=(401,), renewed=True),
    row("auth_expired", "upstream.md 3.11", flavours="web", statuses=(401,)),
    row("busy", "upstream.md 3.11", flavours="web", codes="InProgress"),
    row("chat_lost", "upstream.md 3.5, 3.11", flavours="web", codes="ParentNotFound ChatNotFound"),
    row("upload", "upstream.md 3.9", flavours="web", codes="UploadFailed"),
    row("overload", "upstream.md 3.8", flavours="web", codes="VideoFailed"),
    row("model", "upstream.md 3.11", flavours="web", codes="Not_Found", text="model"),
    row("bad_request", "upstream.md 3.11", flavours="web", codes="Bad_Request"),
    row("overload", "upstream.md 3.11", flavours="web", codes="Internal_Server_Error"),
    # Money.
    row("billing", "upstream.md 4.6", codes="Arrearage CommodityNotPurchased PrepaidBillOverdue PostpaidBillOverdue"),
    row("billing", "upstream.md 4.6", text=r"account is in good standing"),
    row("billing", "upstream.md 4.13 OpenRouter", statuses=(402,)),
    # Logins (2.5, 2.12): one renewal and one repeat; refused with a fresh token, it is the closed free tier (2.13).
    row("needs_login", "qwen_auth.refresher", origins="login"),
    row("unrenewed", "qwen_auth.refresher", origins="renewal"),
    row("auth_dead", "upstream.md 2.12 wrong host", flavours="portal", text=r"incorrect api key provided"),
    row("discontinued", "upstream.md 2.12, 2.13", flavours="portal", statuses=(401,), renewed=True),
    row("auth_expired", "upstream.md 2.5, 2.12", flavours="portal", statuses=(401,)),
    row("discontinued", "upstream.md 2.12", flavours="portal", statuses=(0, 403), text=_EXPIRED, renewed=True),
    row("auth_expired", "upstream.md 2.5, 2.12", flavours="portal", statuses=(0, 403), text=_EXPIRED),
    # Keys.
    row("wrong_plan", "upstream.md 4.7", statuses=(0, 401, 403), text=r"invalid access token or token expired"),
    row("wrong_plan", "upstream.md 4.7", statuses=(0, 403), text=r"^invalid api-key\.?$"),
    row("auth_dead", "upstream.md 4.6", codes="InvalidApiKey invalid_api_key"),
    row("auth_dead", "upstream.md 4.6", codes="NOT_AUTHORIZED"),
    row("auth_dead", "upstream.md 4.6", text=r"^not authorized$|incorrect api key|invalid api-?key|no api-key"),
    # Quotas that come back with time (4.6, 4.7; 9.6 says why the code alone decides nothing).
    row("quota_free", "upstream.md 4.6", codes="AllocationQuota.FreeTierOnly"),
    row("quota_day", "upstream.md 2.12, 2.13", flavours="portal", text=r"free allocated quota exceeded"),
    row("quota_free", "upstream.md 4.6", text=r"free (allocated )?quota .{0,40}(exceeded|exhausted)|free allocated quota|free tier of"),
    row("busy", "upstream.md 4.7", text=r"concurrency allocated quota"),
    row("quota_window", "upstream.md 4.7", text=r"(hour|week|month) allocated quota"),
    row("quota_free", "upstream.md 4.6 WSK", statuses=(403,), codes="insufficient_quota"),
    row("quota_repeated", "upstream.md 9.6", codes="insufficient_quota", repeats=3, lasting=300),
    row("throttle_tokens", "upstream.md 4.6", codes="Throttling.AllocationQuota insufficient_quota"),
    row("throttle_tokens", "upstream.md 4.6", text=r"allocated quota exceeded|exceeded your current quota"),
    row("throttle", "upstream.md 4.6", codes="Throttling Throttling.RateQuota LimitRequests limit_requests"),
    row("throttle", "upstream.md 4.6", codes="Throttling.BurstRate limit_burst_rate rate_limit_exceeded"),
    # Rights and models.
    row("not_entitled", "upstream.md 4.6", codes="AccessDenied Model.AccessDenied Workspace.AccessDenied"),
    row("not_entitled", "upstream.md 4.6", codes="App.AccessDenied AccessDenied.Unpurchased access_denied"),
    row("model", "upstream.md 4.6", codes="ModelNotFound model_not_found model_not_supported NotFound"),
    row("model", "upstream.md 4.7", text=r"model [`'\"\\]*[\w./:-]+[`'\"\\]* (is not supported|not found|does not exist)"),
    row("model", "upstream.md 4.13", text=r"the model .{1,200} does not exist|is not a valid model id"),
    row("path", "upstream.md 4.7", statuses=(404, 405)),
    row("path", "RFC 9110 15.4", statuses=tuple(range(300, 400))),
    row("bad_request", "upstream.md 4.3", codes="InvalidParameter invalid_parameter_error BadRequestError"),
    # The service itself.
    row("timeout", "upstream.md 4.6", codes="RequestTimeOut request_timeout stream_timeout"),
    row("silence", "engine", origins="timeout"),
    row("unreachable", "engine", origins="connect"),
    row("torn", "engine", origins="cut"),
    row("torn", "upstream.md 3.6", origins="empty"),
    row("throttle", "upstream.md 4.6", text=r"too many requests.{0,80}system capacity", statuses=(429,)),
    row("throttle", "upstream.md 4.5 E4", text=r"<429>"),
    row("bad_request", "upstream.md 4.3", text=r"<400>|InternalError\.Algo\.InvalidParameter"),
    row("overload", "upstream.md 4.6", codes="ModelServingError ModelUnavailable ModelServiceFailed SystemError"),
    row("overload", "upstream.md 4.6", codes="InternalError internal_error InternalError.Algo server_error"),
    row("throttle", "upstream.md 4.5 E4", text=r"too many requests|rate limit|throttling"),
    row("overload", "upstream.md 4.5 E4", text=r"backend buffer overflow"),
    # What is left is told by the status.
    row("auth_dead", "RFC 9110 15.5.2", statuses=(401,)),
    row("not_entitled", "RFC 9110 15.5.4", statuses=(403,)),
    row("unreachable", "RFC 9110 15.5.8: the account's proxy", statuses=(407,)),
    row("timeout", "RFC 9110 15.6.5", statuses=(408, 504)),
    row("throttle", "RFC 6585 4", statuses=(429,)),
    row("overload", "RFC 9110 15.6", statuses=(500, 502, 503, 520, 521, 522, 523, 524, 529)),
    row("broken_call", "upstreams/tool_prompt", codes="malformed_tool_call"),
    row("malformed", "decoder", origins="body"),
    row("unmet", "guard", origins="unmet"),
    row("bad_request", "RFC 9110 15.5", statuses=tuple(range(400, 500))),
    row("overload", "RFC 9110 15.6", statuses=tuple(range(500, 600))),
)  # fmt: skip
"""The whole table, in the order in which it is tried."""


_UNKNOWN = Case()


def judge(fault: Fault, case: Case = _UNKNOWN) -> Verdict:
    """The class of `fault`; a fault inside a stream that no row knows is an overload (upstream.md 4.5, E4)."""
    for candidate in ROWS:
        if candidate.matches(fault, case):
            return VERDICTS[candidate.verdict]
    return VERDICTS["overload"]


_MAX_TOKENS = re.compile(r"range of max_tokens should be \[\s*\d+\s*,\s*(\d+)\s*\]", re.IGNORECASE)


def allowed_max_tokens(fault: Fault) -> int | None:
    """The ceiling that "Range of max_tokens should be [1, N]" names (upstream.md 4.3); None for other faults."""
    found = _MAX_TOKENS.search(fault.message)
    return int(found[1]) if found else None


_NO_TOOLS = re.compile(
    r"enable-auto-tool-choice|does not support (?:tools|tool.?(?:calls|calling|use)|function.?call)"
    r"|tools param requires|endpoints found that support tool use|tool.?(?:calls?|calling|use) (?:is|are) not supported",
    re.IGNORECASE,
)


def lacks_tools(fault: Fault) -> bool:
    """Whether the host says that it, or the model, takes no tools (upstream.md 4.13: vLLM without a tool parser; Ollama
    and llama.cpp by model, in their own words)."""
    return fault.status in (400, 404, 422, 500, 501) and _NO_TOOLS.search(fault.message) is not None
