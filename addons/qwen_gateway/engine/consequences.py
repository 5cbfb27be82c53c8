"""From a verdict to what follows: a rest for the account, an error for the client."""

import time
from collections.abc import Callable

from qwen_auth.account import Account
from qwen_auth.errors import AuthError
from qwen_auth.plans import explain_mismatch
from qwen_auth.pool import NoAccount, Rest, Status
from qwen_auth.windows import DAY, HOURS, MONTH, WEEK, Window
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.openai.errors import OpenAIError, UpstreamError
from qwen_gateway.upstreams.verdicts import VERDICTS, Verdict

STATUSES: dict[str, Status] = {
    "rest": "resting",
    "exhaust": "exhausted",
    "needs-login": "needs-login",
    "disable": "disabled",
    "exclude-model": "excluded",
}

TRANSIENT = frozenset({"overload", "unreachable", "torn", "malformed", "silence", "busy", "path"})
"""Verdicts that say little about the account: one alone does not take the only account out of service."""

TOLD = frozenset({"discontinued", "challenge"})
"""Verdicts whose advice matters more than when the account is tried again."""

OURS = frozenset({"login", "renewal"})
"""Origins of faults whose words are our own."""

Reset = Callable[[Window, float], float | None]
"""When a used-up window has room again, asked with the time now; both in seconds since the epoch."""

PLAN_WINDOWS = (("hour allocated", HOURS), ("week allocated", WEEK), ("month allocated", MONTH))
"""What the plans' messages say, and which window they mean (upstream.md 4.7)."""

SOON = 5.0
"""Seconds: when an account is back that soon, the client's own library may as well wait and try again."""


def rest_of(verdict: Verdict, fault: Fault, now: float, reset: Reset = Window.reset) -> Rest | None:
    """What the failure does to its account; None when it is not to blame.

    Args:
        now: seconds since the epoch.
        reset: what is known of the account's windows; by default only the calendar.
    """
    if verdict.effect == "none":
        return None
    return Rest(
        STATUSES[verdict.effect],
        verdict.rest,
        verdict.ceiling,
        longest=verdict.longest or None,
        hint=fault.retry_after if fault.retry_after is not None else until_reset(verdict, fault, now, reset),
        whole_account=verdict.whole_account,
        transient=verdict.name in TRANSIENT,
        reason=f"{verdict.name}: {fault.message[:200]}",
        cause=verdict.name,
        code=fault.code.lower(),
    )


def until_reset(verdict: Verdict, fault: Fault, now: float, reset: Reset = Window.reset) -> float | None:
    """Seconds until the window of the quota has room again; None where nobody can know (upstream.md 2.13, 4.7)."""
    window = DAY if verdict.name == "quota_day" else None
    if verdict.name == "quota_window":
        said = fault.message.lower()
        window = next((window for words, window in PLAN_WINDOWS if words in said), None)
    again = reset(window, now) if window else None
    return again - now if again is not None else None


def error_of(
    verdict: Verdict, fault: Fault, *, account: Account | None = None, retry_after: float | None = None
) -> OpenAIError:
    """What the client is told when no attempt is left."""
    said = fault.message or f"HTTP {fault.status}"
    message = said[0].upper() + said[1:] if fault.origin in OURS else f"Upstream: {said}"
    if not message.endswith((".", "!", "?")):
        message += "."
    advice = verdict.advice
    if verdict.name in ("auth_dead", "wrong_plan") and account is not None:
        advice = (plan_advice(account) or advice).rstrip(".") + "."
    if advice:
        message += f" {advice}"
    hint = retry_after if retry_after is not None else fault.retry_after
    return UpstreamError(
        message,
        status=verdict.status,
        type=verdict.type,
        code=verdict.code,
        retry_after=hint,
        should_retry=None if verdict.retry == "no" else hint is not None and hint <= SOON,
    )


def plan_advice(account: Account) -> str | None:
    """In words, why this account's key cannot belong to its plan, judged by its prefix (upstream.md 4.1, 4.7)."""
    key = next(iter(account.credentials.secrets()), "")
    try:
        return explain_mismatch(account.plan, key, account=account.name)
    except AuthError:  # a plan that this version does not know
        return None


def error_of_states(problem: NoAccount, now: float | None = None) -> OpenAIError:
    """What the client is told when no account is usable, with the earliest recovery."""
    retry_after = None
    if problem.retry_at is not None:
        retry_after = max(1.0, problem.retry_at - (time.time() if now is None else now))
    cause = min(problem.states, key=lambda state: state.until, default=None)
    verdict = VERDICTS.get(cause.cause) if cause else None
    message = str(problem)
    message = message[0].upper() + message[1:] + "."
    if retry_after is not None:
        message += f" Please try again in {round(retry_after + 0.499)}s."
    if verdict is not None and verdict.name in TOLD:
        message += f" {verdict.advice}"
    if verdict is None:
        return UpstreamError(
            message, status=503, code="no_account", retry_after=retry_after, should_retry=retry_after is not None
        )
    return UpstreamError(
        message,
        status=verdict.status,
        type=verdict.type,
        code=verdict.code,
        retry_after=retry_after,
        should_retry=retry_after is not None and retry_after <= SOON,
    )
