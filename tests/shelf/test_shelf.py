"""The shelf itself."""

import pytest

from qwen_gateway.ledger import Ledger, objects
from qwen_gateway.openai.errors import OpenAIError
from qwen_gateway.shelf.shelf import KEPT, Shelf, weigh
from tests.shelf.conftest import Clock


async def test_what_was_put_is_there_at_once(shelf: Shelf) -> None:
    shelf.put("x_1", "thing", {"a": "b"}, owner="alice")

    found = await shelf.read(lambda connection: objects.find(connection, "x_1", kind="thing", owner="alice"))

    assert found is not None
    assert found.content == {"a": "b"}
    assert found.expires_at == found.created_at + KEPT


async def test_what_has_been_kept_long_enough_leaves_the_ledger(shelf: Shelf, ledger: Ledger, clock: Clock) -> None:
    for number in range(450):
        shelf.put(f"x_{number}", "thing", {}, owner="")
    await ledger.flush()
    clock.now += KEPT + 1
    shelf.put("x_new", "thing", {}, owner="")
    await ledger.flush()

    shelf._forget(ledger.database())

    left = await shelf.read(lambda connection: objects.newest(connection, kind="thing", limit=1000))
    assert [stored.id for stored in left] == ["x_new"]


async def test_a_ledger_that_cannot_be_used_is_told_in_words(clock: Clock) -> None:
    with pytest.raises(OpenAIError) as caught:
        await Shelf(Ledger(), clock).read(lambda _: None)

    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")


def test_weights_grow_with_what_is_held() -> None:
    assert weigh({"a": ["x" * 1000, 5, None, {"b": "y" * 500}]}) > 1500
    assert weigh({}) < 100
