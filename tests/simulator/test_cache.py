"""The context cache (upstream.md 4.9) belongs to an account."""

from typing import Any

import httpx

from qwen_gateway.simulator import Key, Simulator
from tests.simulator.asking import ask

LONG = "word " * 300
LONGER = "word " * 1_200


def turn(text: str, *, marked: bool = False) -> list[dict[str, Any]]:
    part: dict[str, Any] = {"type": "text", "text": text}
    if marked:
        part["cache_control"] = {"type": "ephemeral"}
    return [{"role": "system", "content": [part]}, {"role": "user", "content": "and now?"}]


async def details(sim: Simulator, client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    usage = (await ask(sim, client, **fields)).json()["usage"]
    made: dict[str, Any] = usage["prompt_tokens_details"]
    return made


async def test_a_prefix_is_found_again(sim: Simulator, client: httpx.AsyncClient) -> None:
    first = await details(sim, client, messages=turn(LONG))
    again = await details(sim, client, messages=[*turn(LONG), {"role": "assistant", "content": "x"}, *turn("y")])

    assert first["cached_tokens"] == 0
    assert again["cached_tokens"] > 300
    assert again["cached_tokens"] < again["text_tokens"]


async def test_a_short_prefix_is_not_kept(sim: Simulator, client: httpx.AsyncClient) -> None:
    await details(sim, client)

    assert (await details(sim, client))["cached_tokens"] == 0


async def test_a_marked_prefix_is_created_then_hit_for_five_minutes(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.clock = lambda: 1_790_000_000.0
    created = await details(sim, client, messages=turn(LONGER, marked=True))
    sim.clock = lambda: 1_790_000_299.0
    hit = await details(sim, client, messages=turn(LONGER, marked=True))
    sim.clock = lambda: 1_790_000_299.0 + 300
    late = await details(sim, client, messages=turn(LONGER, marked=True))

    assert created["cache_type"] == "ephemeral"
    assert created["cache_creation_input_tokens"] == created["cache_creation"]["ephemeral_5m_input_tokens"] > 1_200
    assert created["cached_tokens"] == 0
    assert hit["cached_tokens"] == created["cache_creation_input_tokens"]
    assert hit["cache_creation_input_tokens"] == 0
    assert late["cached_tokens"] == 0


async def test_another_account_has_another_cache(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.keys |= {"sk-a": Key(account="one"), "sk-b": Key(account="one"), "sk-c": Key(account="two")}
    await details(sim, client, messages=turn(LONG), key="sk-a")

    assert (await details(sim, client, messages=turn(LONG), key="sk-c"))["cached_tokens"] == 0
    assert (await details(sim, client, messages=turn(LONG), key="sk-b"))["cached_tokens"] > 0
