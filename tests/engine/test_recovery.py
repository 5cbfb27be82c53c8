"""A thousand random upstreams that refuse for a while: who was told a time is served at that time (upstream.md 4.7)."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from qwen_auth.account import Account
from qwen_auth.credentials import KeyCredentials
from qwen_auth.windows import CHINA, HOURS, LIMITS, MONTH, Window
from qwen_gateway.engine.limits import Limits
from tests.engine.fakes import OK, START, Gateway, Script, Sent, Upstream, error

YEAR = 365 * 86_400.0


def monday(now: float) -> float:
    """The next one in China, counted by hand."""
    day = datetime.fromtimestamp(now, CHINA).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day.weekday():
        day += timedelta(days=1)
    return day.timestamp()


def used_up(gateway: Gateway, name: str, window: Window, dice: random.Random) -> float:
    """Calls that fill a rolling window of a Coding Plan, and when it has room: the call that filled it leaves."""
    limit, now = LIMITS["coding-plan"][window], gateway.clock.now
    times = sorted(now - dice.uniform(1, window.length - 4_000) for _ in range(20))
    for time in times:
        gateway.engine.spent.add(name, time, limit // 20)
    return times[0] + window.length


def plan(words: str) -> Script:
    return Script([error("insufficient_quota", f"{words} allocated quota exceeded")], 429)


def refusal(gateway: Gateway, name: str, dice: random.Random) -> tuple[Script, float]:
    """What an account says, and when it serves again."""
    now = gateway.clock.now
    kind = dice.choice(["retry-after", "retry-after-ms", "week", "hour", "month", "throttle", "silent hour"])
    match kind:
        case "retry-after":
            seconds = dice.randint(1, 120)
            return Script([error("Throttling")], 429, {"retry-after": str(seconds)}), now + seconds
        case "retry-after-ms":
            seconds = dice.uniform(0.5, 120)
            return Script([error("Throttling")], 429, {"retry-after-ms": f"{seconds * 1000:.0f}"}), now + seconds
        case "week":
            return plan("week"), monday(now)
        case "hour":
            return plan("Quota exhausted: hour"), used_up(gateway, name, HOURS, dice)
        case "month":
            return plan("month"), used_up(gateway, name, MONTH, dice)
        case "throttle":
            return Script([error("Throttling")], 429), now + dice.uniform(0.1, 4.5)
        case _:  # used up by other programs: a guess, and never a long one
            return plan("hour"), now + dice.uniform(1, 800)


def upstream_of(truth: dict[str, tuple[Script, float]], now: Callable[[], float]) -> Callable[[Sent], Script]:
    def answer(sent: Sent) -> Script:
        script, again = truth[sent.account]
        return OK if now() >= again else script

    return answer


@pytest.mark.parametrize("seed", range(10))
async def test_a_hundred_accounts_come_back_when_it_was_said(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(100):
        truth: dict[str, tuple[Script, float]] = {}
        names = "abc"[: dice.randint(1, 3)]
        gateway = Gateway(Upstream(), *names, limits=Limits(wait=0))
        gateway.upstream._answer = upstream_of(truth, gateway.clock)
        gateway.engine.use(
            [
                Account(name, "key", "coding-plan", f"https://{name}.test/v1", KeyCredentials(f"sk-{name}"))
                for name in names
            ]
        )
        gateway.clock.now = START + dice.uniform(0, YEAR)
        truth.update({name: refusal(gateway, name, dice) for name in names})

        refused = await gateway.ask()
        told = gateway.clock.now
        seconds = float(refused.client.header("retry-after") or "nan")
        asked = len(gateway.upstream.sent)
        if seconds > 2:
            gateway.clock.now = told + seconds - 2
            again = await gateway.ask()
            assert again.client.status == 429
            assert len(gateway.upstream.sent) == asked, "a resting account was asked"
        gateway.clock.now = told + seconds + 1
        served = await gateway.ask()

        assert refused.client.status == 429
        assert served.client.status == 200, (truth, served.client.error)
        # Not locked out for longer than the upstream said, but for the grain of our own counts.
        first = min(again for _, again in truth.values())
        assert seconds <= max(first - told, 900) + 3_601


async def test_the_last_account_is_never_lost() -> None:
    """Whatever it says for a month, it is asked again, at growing and bounded distances."""
    gateway = Gateway(Upstream(plan("hour")), "a", limits=Limits(wait=0))
    asked = []
    end = gateway.clock.now + 30 * 86_400
    while gateway.clock.now < end:
        before = len(gateway.upstream.sent)
        refused = await gateway.ask()
        if len(gateway.upstream.sent) > before:
            asked.append(gateway.clock.now)
        gateway.clock.now += float(refused.client.header("retry-after") or "nan") + 0.5

    assert len(asked) > 30 * 24 * 0.9
    assert max(after - before for before, after in pairwise(asked)) < 3_700
