"""Rate limits and quotas, by a clock that the test holds."""

import asyncio

import httpx
import pytest

from qwen_gateway.simulator import Key, Limits, Simulator
from tests.simulator.asking import ask, error

MONDAY = 1_789_920_000.0
"""Monday, 21 September 2026, 00:00 in Beijing."""


class Clock:
    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(sim: Simulator) -> Clock:
    made = Clock()
    sim.clock = made
    return made


async def statuses(
    sim: Simulator, client: httpx.AsyncClient, count: int, face: str = "dashscope", key: str = "sk-a"
) -> list[int]:
    return [(await ask(sim, client, face, key=key)).status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("limits", "message", "opens_after"),
    [
        (Limits(rpm=2), "You exceeded your current requests list.", 60),
        (Limits(rps=2), "Requests rate limit exceeded, try again later.", 1),
        (Limits(burst=2), "Request rate increased too quickly. ", 1),
        (Limits(tpm=100), "You exceeded your current quota, ", 60),
    ],
)
async def test_a_short_window_fills_and_opens(
    sim: Simulator, client: httpx.AsyncClient, clock: Clock, limits: Limits, message: str, opens_after: float
) -> None:
    sim.keys["sk-a"] = Key(limits=limits)

    assert await statuses(sim, client, 3) == [200, 200, 429]
    assert error(await ask(sim, client, key="sk-a"))["message"].startswith(message)
    clock.now += opens_after
    assert await statuses(sim, client, 1) == [200]


@pytest.mark.parametrize(
    ("face", "plan", "limits", "message", "opens_after"),
    [
        ("coding", "coding", Limits(hour5=2), "hour allocated quota exceeded", 5 * 3600),
        ("coding", "coding", Limits(week=2), "week allocated quota exceeded", 7 * 86_400),
        ("coding", "coding", Limits(month=2), "month allocated quota exceeded", 30 * 86_400),
        ("token-plan", "token", Limits(credits7=2), "Allocated quota exceeded", 7 * 86_400),
        ("token-plan", "token", Limits(rpm=2), "Requests rate limit exceeded", 60),
    ],
)
async def test_the_windows_of_plans(
    sim: Simulator,
    client: httpx.AsyncClient,
    clock: Clock,
    face: str,
    plan: str,
    limits: Limits,
    message: str,
    opens_after: float,
) -> None:
    sim.keys["sk-a"] = Key(plan=plan, limits=limits)

    assert await statuses(sim, client, 3, face) == [200, 200, 429]
    assert error(await ask(sim, client, face, key="sk-a"))["message"] == message
    clock.now += opens_after
    assert await statuses(sim, client, 1, face) == [200]


async def test_the_week_ends_on_monday_in_beijing(sim: Simulator, client: httpx.AsyncClient, clock: Clock) -> None:
    sim.keys["sk-a"] = Key(plan="coding", limits=Limits(week=1))
    clock.now = MONDAY - 60

    assert await statuses(sim, client, 2, "coding") == [200, 429]
    clock.now += 59
    assert await statuses(sim, client, 1, "coding") == [429]
    clock.now += 2
    assert await statuses(sim, client, 1, "coding") == [200]


async def test_keys_of_one_account_share_its_windows(sim: Simulator, client: httpx.AsyncClient, clock: Clock) -> None:
    sim.keys |= {name: Key(account="one", limits=Limits(rpm=1)) for name in ("sk-a", "sk-b")}
    sim.keys["sk-c"] = Key(account="two", limits=Limits(rpm=1))

    assert clock.now == MONDAY
    assert [(await statuses(sim, client, 1, key=key))[0] for key in ("sk-a", "sk-b", "sk-c")] == [200, 429, 200]


async def test_each_model_has_its_own_window(sim: Simulator, client: httpx.AsyncClient, clock: Clock) -> None:
    sim.keys["sk-a"] = Key(limits=Limits(rpm=1))

    assert clock.now == MONDAY
    assert await statuses(sim, client, 2) == [200, 429]
    assert (await ask(sim, client, key="sk-a", model="qwen-plus")).status_code == 200


async def test_concurrency_counts_what_runs(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.keys["sk-a"] = Key(plan="coding", limits=Limits(concurrency=1))
    slow = asyncio.create_task(ask(sim, client, "coding", key="sk-a", fault="slow;first=0.1", stream=True))
    await asyncio.sleep(0.05)

    refused = await ask(sim, client, "coding", key="sk-a")
    assert error(refused)["message"] == "concurrency allocated quota exceeded"
    assert (await slow).status_code == 200
    assert await statuses(sim, client, 2, "coding") == [200, 200]
