"""Pictures and long conversations reach chat.qwen.ai as files, signed for a store that checks it (upstream.md 3.9)."""

import base64
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import ask, error, notices
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm
from tests.e2e.test_web_chat import add_session, browser_session, guest_environment, turns


@pytest.fixture(scope="module")
def shared_files(starter: Starter, upstream: Simulator) -> Mitm:
    gateway = starter("web-files")
    add_session(gateway, "me", browser_session(upstream, "carol", life=86_400), upstream.url("web"))
    return gateway.start()


@pytest.fixture
def web(shared_files: Mitm, sim: Simulator) -> Iterator[Mitm]:
    yield shared_files
    assert shared_files.troubles() == []


def picture(data: bytes) -> dict[str, Any]:
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    return {
        "role": "user",
        "content": [{"type": "text", "text": "See?"}, {"type": "image_url", "image_url": {"url": url}}],
    }


def test_a_picture_is_uploaded_and_named_in_the_turn(web: Mitm, sim: Simulator) -> None:
    data = secrets.token_bytes(50_001)

    answer = ask(web, messages=[picture(data)])

    assert answer.status_code == 200, answer.text
    (file,) = sim.web.files.by_id.values()
    assert (file.content, file.content_type) == (data, "image/png")
    message = turns(sim)[-1].json["messages"][0]
    assert (message["content"], message["files"][0]["id"]) == ("See?", file.id)
    put = next(received for received in sim.log if received.method == "PUT")
    assert put.header("cookie") is None, "the store gets no credentials of the account"
    assert put.header("bx-umidtoken") is None


def test_a_conversation_over_the_limit_becomes_a_document(web: Mitm, sim: Simulator) -> None:
    story = "Once upon a time. " * 9_000
    messages = [
        {"role": "user", "content": story},
        {"role": "assistant", "content": "Go on."},
        {"role": "user", "content": "How did it begin?"},
    ]

    answer = ask(web, messages=messages)

    assert answer.status_code == 200, answer.text
    assert "translated=messages" in notices(answer)
    (file,) = sim.web.files.by_id.values()
    assert file.content is not None
    assert story in file.content.decode()
    turn = turns(sim)[-1]
    assert len(turn.body) < 100_000
    assert turn.json["messages"][0]["content"].endswith("How did it begin?")


def test_a_guest_is_told_why_not(starter: Starter, sim: Simulator) -> None:
    with starter("guest-files", environ=guest_environment(sim)) as gateway:
        answer = ask(gateway, messages=[{"role": "user", "content": "x" * 200_000}])

    assert (answer.status_code, error(answer)["code"]) == (400, "context_length_exceeded")
    assert "guest" in error(answer)["message"]
    assert turns(sim) == []


def test_an_address_is_not_fetched(web: Mitm, sim: Simulator) -> None:
    part = {"type": "image_url", "image_url": {"url": sim.url() + "/models"}}
    before = len(sim.log)

    answer = ask(web, messages=[{"role": "user", "content": [part]}])

    assert answer.status_code == 400
    assert "fetches no addresses" in error(answer)["message"]
    assert len(sim.log) == before


def test_a_text_that_the_site_cannot_read_is_a_fault(web: Mitm, sim: Simulator) -> None:
    sim.web.mood.parse_result = "failed"
    try:
        answer = ask(web, messages=[{"role": "user", "content": "x" * 200_000}])
    finally:
        sim.web.mood.parse_result = "success"

    assert (answer.status_code, error(answer)["code"]) == (502, "upstream_upload")


def test_a_large_picture_passes(web: Mitm, sim: Simulator) -> None:
    data = secrets.token_bytes(8_000_000)

    assert ask(web, messages=[picture(data)]).status_code == 200
    assert next(iter(sim.web.files.by_id.values())).content == data
