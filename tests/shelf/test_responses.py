"""Stored responses and the context of calls that refer to them."""

import json
from typing import Any

import pytest

from qwen_gateway.ledger import objects
from qwen_gateway.openai.errors import BadRequest, NotFound, OpenAIError
from qwen_gateway.openai.responses_request import Context, ResponsesCall, Unresolved, parse_responses
from qwen_gateway.shelf import responses
from qwen_gateway.shelf.shelf import KEPT, Shelf
from tests.openai.responding import SEAL, call
from tests.shelf.conftest import Clock


def stored(shelf: Shelf, given: str, owner: str = "", status: str = "completed", **fields: Any) -> ResponsesCall:
    """A response that says what it was told, put on the shelf."""
    made = call(given)
    made.request |= fields
    content = [{"type": "output_text", "text": f"You said {given}", "annotations": [], "logprobs": []}]
    item = {"id": f"msg_{made.id[5:]}00", "type": "message", "status": "completed", "role": "assistant"}
    response = {"id": made.id, "status": status, "output": [{**item, "content": content}], "background": False}
    responses.keep(shelf, made, response, owner)
    return made


async def context(shelf: Shelf, owner: str = "", **fields: Any) -> Context:
    """What a call with these fields refers to."""
    wanted = parse_responses(json.dumps({"model": "m", "input": "So?", **fields}).encode(), SEAL)
    assert isinstance(wanted, Unresolved)
    now = shelf.clock()
    return await shelf.read(lambda connection: responses.gather(connection, wanted, owner, now))


def words(found: Context) -> list[str]:
    texts = []
    for _, item in found.items:
        content = item["content"]
        texts.append(content if isinstance(content, str) else content[0]["text"])
    return texts


async def test_a_chain_of_responses_is_its_turns_in_order(shelf: Shelf) -> None:
    first = stored(shelf, "one")
    second = stored(shelf, "two", previous_response_id=first.id)
    third = stored(shelf, "three", previous_response_id=second.id)

    found = await context(shelf, previous_response_id=third.id)

    assert words(found) == ["one", "You said one", "two", "You said two", "three", "You said three"]


async def test_a_chain_with_a_hole_is_refused(shelf: Shelf) -> None:
    first = stored(shelf, "one")
    second = stored(shelf, "two", previous_response_id=first.id)
    third = stored(shelf, "three", previous_response_id=second.id)
    await shelf.write(lambda connection: objects.remove(connection, first.id, kind=responses.KIND))

    with pytest.raises(BadRequest, match="is gone") as caught:
        await context(shelf, previous_response_id=third.id)

    assert caught.value.code == "previous_response_not_found"


async def test_one_that_is_not_over_cannot_be_gone_on_from(shelf: Shelf) -> None:
    running = stored(shelf, "one", status="in_progress")

    with pytest.raises(BadRequest, match="still in_progress"):
        await context(shelf, previous_response_id=running.id)


async def test_an_item_is_found_by_its_id_alone(shelf: Shelf) -> None:
    made = stored(shelf, "one")
    given, said = f"msg_{made.id[5:]}i00", f"msg_{made.id[5:]}00"

    found = await context(shelf, input=[{"type": "item_reference", "id": name} for name in (given, said, "msg_none")])

    assert found.references[given]["content"] == "one"
    assert found.references[said]["content"][0]["text"] == "You said one"
    assert "msg_none" not in found.references


async def test_what_stands_in_the_context_is_not_said_twice(shelf: Shelf) -> None:
    made = stored(shelf, "one")
    reference = {"type": "item_reference", "id": f"msg_{made.id[5:]}00"}
    body = {"model": "m", "input": [reference, {"role": "user", "content": "So?"}], "previous_response_id": made.id}
    wanted = parse_responses(json.dumps(body).encode(), SEAL)
    assert isinstance(wanted, Unresolved)

    resolved = wanted.resolved(await context(shelf, **{name: body[name] for name in ("input", "previous_response_id")}))

    assert [message["content"] for message in resolved.body["messages"]] == ["one", "You said one", "So?"]


async def test_it_is_for_its_owner_only(shelf: Shelf) -> None:
    made = stored(shelf, "one", owner="alice")

    assert words(await context(shelf, "alice", previous_response_id=made.id)) == ["one", "You said one"]
    with pytest.raises(BadRequest):
        await context(shelf, "bob", previous_response_id=made.id)
    with pytest.raises(NotFound):
        await shelf.read(lambda connection: responses.find(connection, made.id, "", shelf.clock()))


async def test_it_is_gone_after_thirty_days(shelf: Shelf, clock: Clock) -> None:
    made = stored(shelf, "one")
    await context(shelf, previous_response_id=made.id)
    clock.now += KEPT + 1

    with pytest.raises(BadRequest):
        await context(shelf, previous_response_id=made.id)


async def test_where_nothing_is_stored_it_is_said(shelf: Shelf) -> None:
    shelf.enabled = False

    with pytest.raises(OpenAIError) as caught:
        await context(shelf, previous_response_id="resp_1")

    assert caught.value.code == "storage_disabled"


async def test_what_a_client_writes_does_not_become_sql(shelf: Shelf) -> None:
    made = stored(shelf, "'; DROP TABLE objects; --", owner="o'; --")

    found = await context(shelf, "o'; --", previous_response_id=made.id)
    with pytest.raises(BadRequest):
        await context(shelf, previous_response_id="resp_' OR '1'='1")

    assert words(found)[0] == "'; DROP TABLE objects; --"
