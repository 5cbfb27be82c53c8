"""With the cache on, an identical call costs nothing; a key's answers stay its own."""

from collections.abc import Iterator

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, http, text
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm

KEYS = ("gk-one", "gk-two")


@pytest.fixture(scope="module")
def caching(starter: Starter, upstream: Simulator) -> Iterator[Mitm]:
    environ = one_account(upstream) | {"QWEN_GATEWAY_KEYS": " ".join(KEYS)}
    with starter("cache", environ=environ, options={"qwen_cache": 60}) as gateway:
        yield gateway


def test_a_hit_says_so_and_belongs_to_one_key(caching: Mitm, sim: Simulator) -> None:
    def again(key: str, **fields: object) -> httpx.Response:
        return ask(caching, headers={"authorization": f"Bearer {key}"}, temperature=0, **fields)

    first, second, streamed = again("gk-one"), again("gk-one"), again("gk-one", stream=True)
    other = again("gk-two")

    assert [answer.headers.get("x-gateway-cache") for answer in (first, second, streamed, other)] == [
        None, "hit", "hit", None,
    ]  # fmt: skip
    assert text(first) == text(second) == text(streamed)
    assert first.json()["usage"] == second.json()["usage"]
    assert len(sim.log) == 2


def test_embeddings_are_kept(caching: Mitm, sim: Simulator) -> None:
    with http(caching, headers={"authorization": "Bearer gk-one"}) as client:
        body = {"model": "text-embedding-v4", "input": ["a"] * 12, "dimensions": 64}
        answers = [client.post("/v1/embeddings", json=body) for _ in range(2)]
        refused = client.post("/v1/embeddings", json=body, headers={"x-gateway-cache": "off"})

    assert answers[0].json()["data"] == answers[1].json()["data"]
    assert answers[1].headers["x-gateway-cache"] == "hit"
    assert "x-gateway-cache" not in refused.headers
    assert len(sim.log) == 4
