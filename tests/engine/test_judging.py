"""Logins within an exchange: a fresh token before an attempt, and one renewal after an auth error."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from qwen_auth.account import Account
from qwen_auth.errors import AuthError, NeedsLoginError, UnreachableError
from qwen_auth.oauth import OAuthCredentials, oauth_account
from qwen_auth.pool import Pool
from qwen_auth.qwen_store import LoginFile
from qwen_auth.token import Token
from qwen_gateway.codec.deltas import Fault
from qwen_gateway.engine.consequences import error_of, error_of_states, rest_of
from qwen_gateway.engine.judging import Judge, token_of
from qwen_gateway.upstreams.key import Encoded
from tests.engine.fakes import START

EXPIRED = Fault(401, "invalid_api_key", "invalid access token or token expired")
CALL = Encoded("/chat/completions", {}, b"{}", stream=True, model="coder-model")


def login(name: str = "default") -> Account:
    token = Token("canary-access", "canary-refresh", (START + 3600) * 1000)
    return oauth_account(name, OAuthCredentials(LoginFile(Path(f"/nowhere/{name}.json")), token, None))


@dataclass
class Renewing:
    """A refresher by script."""

    ready_fault: AuthError | None = None
    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def ready(self, account: Account) -> None:
        if self.ready_fault:
            raise self.ready_fault

    async def renew(self, account: Account, refused: str) -> bool:
        self.asked.append((account.name, refused))
        answer = self.answers.pop(0)
        if isinstance(answer, AuthError):
            raise answer
        return bool(answer)


async def judged(renewing: Renewing, fault: Fault = EXPIRED, *, renewed: bool = False) -> tuple[str, Fault]:
    account = login()
    judge = Judge(Pool([account]), renewing)
    verdict, found = await judge(fault, account, CALL, token_of(account), renewed=renewed)
    return verdict.name, found


async def test_an_expired_login_is_renewed_with_the_token_that_was_refused() -> None:
    renewing = Renewing(answers=[True])

    assert (await judged(renewing))[0] == "auth_expired"
    assert renewing.asked == [("default", "canary-access")]


async def test_a_token_that_is_fresh_and_refused_is_the_closed_tier() -> None:
    assert (await judged(Renewing(answers=[False])))[0] == "discontinued"


async def test_nothing_is_renewed_twice_for_one_call() -> None:
    renewing = Renewing()

    assert (await judged(renewing, renewed=True))[0] == "discontinued"
    assert renewing.asked == []


async def test_a_dead_login_says_what_to_do() -> None:
    name, fault = await judged(Renewing(answers=[NeedsLoginError("default", "was refused a new token")]))

    assert name == "needs_login"
    assert fault.message == "account 'default' was refused a new token; run `qwen-auth login default`"


async def test_an_unreachable_sign_in_server_is_not_the_logins_fault() -> None:
    assert (await judged(Renewing(answers=[UnreachableError("chat.qwen.ai was not reached")])))[0] == "unrenewed"


async def test_other_faults_renew_nothing() -> None:
    renewing = Renewing()

    assert (await judged(renewing, Fault(429, "Throttling", "slow down")))[0] == "throttle"
    assert renewing.asked == []


@pytest.mark.parametrize(
    ("problem", "origin"),
    [(NeedsLoginError("default", "has no login any more"), "login"), (UnreachableError("not reached"), "renewal")],
)
async def test_an_account_that_cannot_get_ready_is_a_fault(problem: AuthError, origin: str) -> None:
    account = login()
    fault = await Judge(Pool([account]), Renewing(ready_fault=problem)).ready(account)

    assert fault is not None
    assert (fault.origin, fault.message) == (origin, str(problem))


async def test_without_a_refresher_everything_is_ready() -> None:
    judge = Judge(Pool([login()]))

    assert await judge.ready(login()) is None
    assert (await judge(EXPIRED, login(), CALL, "x", renewed=False))[0].name == "auth_expired"


async def test_the_closed_tier_is_told_in_plain_words_now_and_later() -> None:
    account = login()
    pool = Pool([account], clock=lambda: START)
    verdict, fault = await Judge(pool, Renewing(answers=[False]))(EXPIRED, account, CALL, "x", renewed=False)
    pool.failed("default", "coder-model", rest_of(verdict, fault, START))
    with pytest.raises(Exception, match="no account is usable") as nobody:
        pool.pick("coder-model")

    for said in (error_of(verdict, fault, account=account), error_of_states(nobody.value, START)):  # type: ignore[arg-type]
        assert (said.status, said.code) == (403, "upstream_discontinued")
        assert "closed the free tier of these logins on 2026-04-15" in said.message
        assert "qwen-auth add work --plan model-studio-intl" in said.message
    assert pool.states()[0].status == "needs-login"


async def test_an_ambiguous_quota_becomes_hard_after_minutes_of_it() -> None:
    """upstream.md 9.6: at least three repeats over at least five minutes."""
    now = START
    account = login()
    pool = Pool([account], clock=lambda: now)
    judge = Judge(pool, Renewing())
    fault = Fault(429, "insufficient_quota", "You exceeded your current quota, please check your plan.")
    story = []
    for _ in range(5):
        pool.pick("coder-model")
        verdict, _fault = await judge(fault, account, CALL, "x", renewed=False)
        pool.failed("default", "coder-model", rest_of(verdict, fault, now))
        until = max(state.until for state in pool.states())
        story.append((verdict.name, round(until - now)))
        now = until

    assert story == [
        ("throttle_tokens", 60),
        ("throttle_tokens", 120),
        ("throttle_tokens", 120),
        ("quota_repeated", 3600),
        ("quota_repeated", 3600),
    ]


async def test_an_answer_forgets_the_repeats() -> None:
    pool = Pool([login()], clock=lambda: START)
    fault = Fault(429, "insufficient_quota", "You exceeded your current quota.")
    judge = Judge(pool, Renewing())
    verdict, _ = await judge(fault, login(), CALL, "x", renewed=False)
    pool.failed("default", "coder-model", rest_of(verdict, fault, START - 1_000))
    pool.reset("default")

    assert pool.insistence("default", "coder-model", "insufficient_quota") == (0, 0.0)
