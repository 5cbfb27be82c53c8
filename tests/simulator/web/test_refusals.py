"""Every error row of upstream.md 3.11, in its shapes."""

import httpx
import pytest

from qwen_gateway.simulator import Simulator
from qwen_gateway.simulator.web.rows import ROWS
from tests.simulator.web.browsing import Browser, deltas, events, refusal, text


@pytest.mark.parametrize("row", list(ROWS.values()), ids=list(ROWS))
async def test_each_row_can_be_asked_for(sim: Simulator, client: httpx.AsyncClient, row: object) -> None:
    made = ROWS[str(getattr(row, "name", ""))]
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), fault=f"web-{made.name}")

    if made.shape == "stream":
        assert [event["error"]["code"] for event in events(answer)] == [made.code]
    else:
        assert refusal(answer) == (made.code, made.details)
        assert answer.headers["x-actual-status-code"] == str(made.status)


async def test_a_row_in_other_shapes(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    old = await browser.turn(chat, fault="web-rate-limited;shape=old;num=3")
    status = await browser.turn(chat, fault="web-unauthorized;shape=http")
    late = await browser.turn(chat, fault="web-error;after=2;details=oops")

    assert old.json()["code"] == "RateLimited"
    assert old.json()["num"] == 3
    assert status.status_code == 401
    assert len([delta for delta in deltas(late) if delta["content"]]) == 2
    assert events(late)[-1]["error"] == {"code": "Internal_Server_Error", "details": "oops"}


async def test_challenges(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat()
    as_json = await browser.turn(chat, fault="web-challenge")
    as_page = await browser.turn(chat, fault="web-challenge-page;status=405")
    sim.web.mood.challenge = "html"
    standing = await browser.call("GET", "/api/v2/models/")
    sim.web.mood.challenge = ""

    assert as_json.json()["ret"][1].startswith("RGV587_ERROR::SM")
    assert as_page.status_code == 405
    assert "aliyun_waf_aa" in as_page.text
    assert "captcha-element" in standing.text
    assert text(await browser.turn(chat))


async def test_streams_that_say_nothing(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answers = [
        await browser.turn(await browser.new_chat(), fault=fault)
        for fault in ("web-silent", "web-silent;finished=1", "empty-stream", "no-content")
    ]

    assert [text(answer) for answer in answers] == ["", "", "", ""]
    assert [len(events(answer)) for answer in answers] == [1, 2, 0, 2]


async def test_faults_of_the_way_fit_the_site(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    edge = await browser.turn(await browser.new_chat(), fault="gateway-timeout")
    phaseless = await browser.turn(await browser.new_chat(), fault="web-no-phase, ragged")
    huge = await browser.turn(await browser.new_chat(), fault="huge-chunk;bytes=1000")

    assert edge.status_code == 504
    assert "alibaba-ga" in edge.text
    assert "You said" in text(phaseless, None)
    assert "x" * 1000 in text(huge)
    with pytest.raises(httpx.RemoteProtocolError):
        await browser.turn(await browser.new_chat(), fault="truncated")


async def test_faults_stand_for_a_visitor_a_mood_and_a_script(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.visitors.user("bob", fault="web-unauthorized")
    sim.web.mood.fault = "web-error"
    bob, alice = Browser(sim, client, "bob"), Browser(sim, client)
    chats = [await bob.new_chat(), await alice.new_chat()]
    sim.script([{"fault": "web-rate-limited", "key": "alice", "path": "/chat/completions"}])

    assert refusal(await bob.turn(chats[0]))[0] == "Unauthorized"
    assert refusal(await alice.turn(chats[1]))[0] == "RateLimited"
    assert events(await alice.turn(chats[1]))[0]["error"]["code"] == "Internal_Server_Error"


async def test_the_mood_can_be_set_from_outside(sim: Simulator, client: httpx.AsyncClient) -> None:
    answer = await client.post(sim.base_url + "/__sim__/settings", json={"web": {"challenge": "json"}})
    challenged = await Browser(sim, client).call("GET", "/api/models")

    assert answer.json()["web"]["challenge"] == "json"
    assert "ret" in challenged.json()
