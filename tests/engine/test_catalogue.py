"""The upstreams' own lists: read once, kept, stale when an upstream is down."""

import asyncio
import json
from typing import Any

import pytest

from qwen_gateway.engine.catalogue import LIST_LIMIT, RETRY, WRITTEN_DOWN, Catalogue, Listed, listed
from qwen_gateway.engine.transport import TransportFault
from tests.engine.fakes import SILENT, Clock, Script, Upstream, account

A = account("a")


def rows(*names: str) -> Script:
    return Script([json.dumps({"object": "list", "data": [{"id": name, "created": 5} for name in names]}).encode()])


async def names(catalogue: Catalogue) -> tuple[list[str], bool]:
    models, stale = await catalogue.models(A)
    return [model.id for model in models], stale


async def test_a_list_is_read_once_while_it_is_fresh() -> None:
    clock = Clock()
    upstream = Upstream(rows("qwen-plus"), rows("qwen-max"))
    catalogue = Catalogue(upstream, keep=60, clock=clock)

    assert await names(catalogue) == (["qwen-plus"], False)
    clock.now += 59
    assert await names(catalogue) == (["qwen-plus"], False)
    clock.now += 1
    assert await names(catalogue) == (["qwen-max"], False)
    assert [sent.url for sent in upstream.sent] == ["https://a.test/v1/models"] * 2
    assert upstream.sent[0].headers["Authorization"] == "Bearer sk-a"


BROKEN = [
    Script([b"no"], 500),
    TransportFault("connect", "x"),
    Script([b"{"]),
    Script([b'{"data":5}']),
    Script([b"[]"]),
    Script([b" " * 65_536] * (LIST_LIMIT // 65_536 + 2)),
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
async def test_a_stale_list_is_served_when_the_upstream_is_down(broken: Any) -> None:
    clock = Clock()
    upstream = Upstream(rows("qwen-plus"), broken, rows("qwen-max"))
    catalogue = Catalogue(upstream, keep=60, clock=clock)
    await names(catalogue)
    clock.now += 60

    assert await names(catalogue) == (["qwen-plus"], True)
    clock.now += RETRY - 1
    assert await names(catalogue) == (["qwen-plus"], True)
    assert len(upstream.sent) == 2
    clock.now += 1
    assert await names(catalogue) == (["qwen-max"], False)


async def test_without_any_list_the_written_down_one_is_served_and_nobody_waits_again() -> None:
    clock = Clock()
    upstream = Upstream(TransportFault("connect", "x"), rows("qwen-plus"))
    catalogue = Catalogue(upstream, keep=60, clock=clock)

    assert await names(catalogue) == (list(WRITTEN_DOWN), True)
    assert await names(catalogue) == (list(WRITTEN_DOWN), True)
    assert len(upstream.sent) == 1
    clock.now += RETRY
    assert await names(catalogue) == (["qwen-plus"], False)


async def test_a_slow_upstream_is_given_up() -> None:
    upstream = Upstream(Script([SILENT]))

    assert (await names(Catalogue(upstream, keep=60, timeout=0.01)))[1] is True
    assert upstream.answers[0].closed == 1


async def test_a_crowd_asks_once() -> None:
    upstream = Upstream(rows("qwen-plus"))
    catalogue = Catalogue(upstream, keep=60)

    await asyncio.gather(*(names(catalogue) for _ in range(50)))

    assert len(upstream.sent) == 1


async def test_one_that_leaves_does_not_take_the_others_list_away() -> None:
    upstream = Upstream(rows("qwen-plus"))
    catalogue = Catalogue(upstream, keep=60)

    leaving = asyncio.create_task(catalogue.models(A))
    staying = asyncio.create_task(catalogue.models(A))
    await asyncio.sleep(0)
    leaving.cancel()

    assert [model.id for model in (await staying)[0]] == ["qwen-plus"]


async def test_what_is_known_is_told_without_waiting() -> None:
    upstream = Upstream(rows("qwen-plus", "text-embedding-v4"))
    catalogue = Catalogue(upstream, keep=60)
    assert catalogue.known(A) is None

    await catalogue.prepare(A)
    await catalogue.prepare(A)

    assert catalogue.known(A) == ["qwen-plus"]
    assert len(upstream.sent) == 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"id": "a", "created": 5, "owned_by": "x"}, Listed("a", 5, "x")),
        ({"id": "a"}, Listed("a", 0, "qwen")),
        ({"id": "a", "created": 5.5, "owned_by": ""}, Listed("a", 5, "qwen")),
        ({"id": "a", "created": True}, Listed("a", 0, "qwen")),
        ({"id": "a", "created": 1e300}, Listed("a", 2**53 - 1, "qwen")),
        ({"id": "a", "created": -1, "max_model_len": 7, "x": 1}, Listed("a", 0, "qwen", {"max_model_len": 7})),
        ({"id": ""}, None),
        ({"id": 5}, None),
        ({}, None),
    ],
)
def test_rows_of_any_form_are_read(row: dict[str, Any], expected: Listed | None) -> None:
    assert listed(row) == expected
