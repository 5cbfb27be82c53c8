"""What a failure means: one table from fault to consequences (upstream.md section 6).

A *fault* is what was seen; a *verdict* says what to tell the client, whether another attempt makes sense, and what it
does to the account. The table is the whole policy: change a row, not a branch.
"""

from dataclasses import dataclass
from typing import Literal

from qwen_auth.oauth import FREE_TIER_CLOSED

Retry = Literal["no", "elsewhere", "anywhere", "renewed"]
"""`no`: tell the client. `elsewhere`: only another account. `anywhere`: the same account may do as well. `renewed`: the
same account, once, when its login has been renewed."""

Effect = Literal["none", "rest", "exhaust", "needs-login", "disable", "exclude-model"]
"""What happens to the account: see `qwen_auth.pool`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The consequences of one class of faults.

    Attributes:
        name: the class, as upstream.md section 6 names it.
        status, type, code: the error that the client gets when no attempt is left.
        retry: where another attempt may go.
        effect: what it does to the account.
        rest: seconds of rest when the upstream gives no hint; doubled with each failure in a row.
        ceiling: the longest hint that is believed, in seconds.
        longest: the longest rest without a hint; 0: the ceiling.
        whole_account: the rest covers every model of the account, not only this one.
        advice: a sentence for the client's message: what can be done.
    """

    name: str
    status: int
    type: str
    code: str
    retry: Retry
    effect: Effect
    rest: float = 0.0
    ceiling: float = 0.0
    longest: float = 0.0
    whole_account: bool = False
    advice: str = ""


DAY = 86_400.0

VERDICTS = {
    row.name: row
    for row in (
        Verdict(
            "auth_dead", 503, "server_error", "upstream_auth", "elsewhere", "needs-login",
            rest=60, ceiling=600, whole_account=True,
            advice="The operator must renew this account's credentials (`qwen-auth list` names it).",
        ),
        Verdict(
            "wrong_plan", 503, "server_error", "upstream_auth", "elsewhere", "needs-login",
            rest=60, ceiling=600, whole_account=True,
            advice="The key does not belong to this plan's address; add it again with the right plan "
            "(`qwen-auth plans` lists them).",
        ),
        Verdict(
            "auth_expired", 503, "server_error", "upstream_auth", "renewed", "none",
            advice="The login is being renewed; try again.",
        ),
        Verdict(
            "needs_login", 503, "server_error", "upstream_auth", "elsewhere", "needs-login",
            rest=60, ceiling=600, whole_account=True,
        ),
        Verdict(
            "unrenewed", 503, "server_error", "upstream_auth", "elsewhere", "rest",
            rest=2, ceiling=60, whole_account=True,
            advice="The login has expired and could not be renewed just now.",
        ),
        Verdict(
            "discontinued", 403, "invalid_request_error", "upstream_discontinued", "elsewhere", "needs-login",
            rest=3600, ceiling=DAY, longest=6 * 3600, whole_account=True,
            advice=f"{FREE_TIER_CLOSED} See https://github.com/QwenLM/qwen-code/pull/3291.",
        ),
        Verdict(
            "session_dead", 503, "server_error", "upstream_auth", "elsewhere", "needs-login",
            rest=60, ceiling=600, whole_account=True,
            advice="The operator must capture the session again in the browser: "
            "`qwen-auth add NAME --web --from-curl --replace`.",
        ),
        Verdict(
            "challenge", 503, "server_error", "upstream_challenge", "elsewhere", "rest",
            rest=30, ceiling=1800, longest=600, whole_account=True,
            advice="The operator can open chat.qwen.ai in the browser whose session this is, from the same address, "
            "pass its check, and capture the session again (`qwen-auth add NAME --web --from-curl --replace`); "
            "fewer calls are challenged less. The gateway solves no challenges.",
        ),
        Verdict("chat_lost", 502, "server_error", "upstream_chat", "anywhere", "none",
            advice="The chat at the upstream is gone; asked again, a new one is made."),
        Verdict("upload", 502, "server_error", "upstream_upload", "elsewhere", "none",
            advice="A picture or a long text could not be uploaded."),
        Verdict(
            "quota_window", 429, "insufficient_quota", "insufficient_quota", "elsewhere", "exhaust",
            rest=900, ceiling=31 * DAY, longest=3600, whole_account=True,
            advice="The plan's window is used up.",
        ),
        Verdict(
            "quota_free", 429, "insufficient_quota", "insufficient_quota", "elsewhere", "exhaust",
            rest=3600, ceiling=31 * DAY, longest=6 * 3600,
            advice="The free quota of this model is used up; switch on paid use in the console, or use another model.",
        ),
        Verdict(
            "quota_day", 429, "insufficient_quota", "insufficient_quota", "elsewhere", "exhaust",
            rest=3600, ceiling=DAY, longest=6 * 3600, whole_account=True,
            advice="The calls of this day are used up.",
        ),
        Verdict(
            "quota_repeated", 429, "insufficient_quota", "insufficient_quota", "elsewhere", "exhaust",
            rest=900, ceiling=DAY, longest=3600,
            advice="The provider has said so for minutes: it is a quota, not a passing throttle.",
        ),
        Verdict(
            "throttle", 429, "rate_limit_error", "rate_limit_exceeded", "elsewhere", "rest",
            rest=5, ceiling=120,
        ),
        Verdict(
            "throttle_tokens", 429, "rate_limit_error", "rate_limit_exceeded", "elsewhere", "rest",
            rest=60, ceiling=120,
            advice="The limit on tokens per minute recovers within a minute.",
        ),
        Verdict(
            "billing", 402, "insufficient_quota", "upstream_billing", "elsewhere", "needs-login",
            rest=600, ceiling=DAY, longest=3600, whole_account=True,
            advice="The operator must settle the account's bill in the Model Studio console.",
        ),
        Verdict(
            "not_entitled", 403, "invalid_request_error", "model_not_allowed", "elsewhere", "exclude-model",
            rest=600, ceiling=DAY, longest=3600,
            advice="This key has no right to the model; ask for it in the console, or use another model.",
        ),
        Verdict(
            "model", 404, "invalid_request_error", "model_not_found", "elsewhere", "none",
            advice="GET /v1/models lists what can be asked for.",
        ),
        Verdict(
            "context", 400, "invalid_request_error", "context_length_exceeded", "no", "none",
            advice="Shorten the messages or choose a model with a longer context.",
        ),
        Verdict(
            "context_hang", 400, "invalid_request_error", "context_length_exceeded", "no", "none",
            advice="This upstream hangs on prompts of 130,000 to 150,000 tokens and more, whatever window it names. "
            "Shorten the messages, or use an account with a key.",
        ),
        Verdict(
            "content", 400, "invalid_request_error", "content_policy_violation", "no", "none",
            advice="The provider's content inspection refused the input or the output.",
        ),
        Verdict("bad_request", 400, "invalid_request_error", "invalid_value", "no", "none"),
        Verdict("path", 502, "server_error", "upstream_path", "elsewhere", "rest", rest=30, ceiling=600,
            advice="The account's base URL is probably wrong; `qwen-auth plans` lists the right ones."),
        Verdict("busy", 503, "server_error", "upstream_busy", "anywhere", "rest", rest=2, ceiling=30),
        Verdict("overload", 503, "server_error", "upstream_overloaded", "anywhere", "rest", rest=1, ceiling=10),
        Verdict("unreachable", 502, "server_error", "upstream_unreachable", "anywhere", "rest",
            rest=1, ceiling=10, whole_account=True,
            advice="The upstream cannot be reached; check the network and the account's base URL."),
        Verdict("torn", 502, "server_error", "upstream_torn", "anywhere", "rest", rest=1, ceiling=10,
            advice="The upstream's answer broke off."),
        Verdict("malformed", 502, "server_error", "upstream_malformed", "anywhere", "rest", rest=1, ceiling=10,
            advice="The upstream's answer was not what its contract says."),
        Verdict("broken_call", 502, "server_error", "upstream_malformed", "anywhere", "none",
            advice="The model began a tool call and did not end it."),
        Verdict("unmet", 502, "server_error", "upstream_unmet", "no", "none",
            advice="The model did not keep to what the call demands; another model may."),
        Verdict("timeout", 504, "server_error", "upstream_timeout", "elsewhere", "none",
            advice="The upstream gave up on this call; a shorter one, or a streamed one, may come through."),
        Verdict("silence", 504, "server_error", "upstream_timeout", "elsewhere", "rest", rest=1, ceiling=10),
    )
}  # fmt: skip
"""Every class of fault by name."""
