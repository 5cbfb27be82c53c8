"""A browser session of chat.qwen.ai answers an OpenAI client: turns, phases, cookies (upstream.md 3)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_auth.web.file import Kept, SessionFile
from qwen_auth.web.session import Session, parse_cookies
from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, ask, body, error, events, http, notices, openai
from tests.e2e.conftest import Starter
from tests.e2e.mitm import Mitm, wait_until

TURN = "/api/v2/chat/completions"


def browser_session(sim: Simulator, name: str = "alice", *, life: float = 900.0, guest: str = "") -> Session:
    """What a capture of this visitor's browser holds."""
    headers = sim.web.visitors.browser("" if guest else name, life=life, guest=guest)
    kept = tuple((each, headers[each]) for each in ("user-agent", "bx-v", "bx-ua", "version"))
    return Session("", headers["bx-umidtoken"], parse_cookies(headers["cookie"]), kept)


def add_session(gateway: Mitm, name: str, session: Session, url: str) -> SessionFile:
    """The file that `qwen-auth add NAME --web --from-curl` writes."""
    file = SessionFile(gateway.home / "web" / f"{name}.json")
    with file.lock():
        file.write(Kept(url, session))
    return file


def turns(sim: Simulator) -> list[Any]:
    """The turns that the site was asked for, oldest first."""
    return [received for received in sim.log if received.path == TURN]


@pytest.fixture(scope="module")
def shared_web(starter: Starter, upstream: Simulator) -> Mitm:
    gateway = starter("web")
    add_session(gateway, "me", browser_session(upstream, life=86_400), upstream.url("web"))
    return gateway.start()


@pytest.fixture
def web(shared_web: Mitm, sim: Simulator) -> Iterator[Mitm]:
    sim.web.reset()
    yield shared_web
    assert shared_web.troubles() == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_session_answers_with_the_real_client(web: Mitm, sim: Simulator, stream: bool) -> None:
    sim.web.say("Hello there.", thoughts="")
    async with openai(web) as client:
        if stream:
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    model="qwen3.7-plus", messages=HI, stream=True, stream_options={"include_usage": True}
                )
            ]
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            usage = chunks[-1].usage
        else:
            answer = await client.chat.completions.create(model="qwen3.7-plus", messages=HI)
            said, usage = answer.choices[0].message.content or "", answer.usage

    assert said == "Hello there."
    assert usage is not None
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_the_site_is_asked_as_its_own_page_asks(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, model="gpt-4o", messages=HI)

    new, turn = sim.log[-2:]
    assert new.path == "/api/v2/chats/new"
    chat_id = turn.json["chat_id"]
    assert turn.target.endswith(f"?chat_id={chat_id}")
    assert len(turn.json["messages"]) == 1
    assert turn.json["messages"][0]["content"] == "Say hi"
    assert (turn.header("referer") or "").endswith(f"/c/{chat_id}")
    assert "token=" in (turn.header("cookie") or "")
    assert (turn.header("bx-umidtoken") or "").startswith("T2gA")
    assert "Chrome" in (turn.header("user-agent") or "")
    assert "translated=model" in notices(answer)


@pytest.mark.parametrize(("model", "thinking"), [("qwen3.7-plus-thinking", "Thinking"), ("qwen3.7-plus", "Auto")])
def test_a_suffix_of_the_name_asks_for_thoughts(web: Mitm, sim: Simulator, model: str, thinking: str) -> None:
    sim.web.say("Done.", thoughts="Weigh it. Then weigh it again.\n\nDecide. Now.")

    answer = ask(web, **body(model=model))

    assert answer.json()["choices"][0]["message"]["content"] == "Done."
    assert "Then weigh it again." in answer.json()["choices"][0]["message"]["reasoning_content"]
    turn = turns(sim)[-1].json
    assert turn["model"] == "qwen3.7-plus"
    assert turn["messages"][0]["feature_config"]["thinking_mode"] == thinking


def test_thinking_is_switched_off_by_parameter(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, **body(reasoning_effort="none"))

    assert answer.status_code == 200
    config = turns(sim)[-1].json["messages"][0]["feature_config"]
    assert (config["thinking_enabled"], config["thinking_mode"]) == (False, "Fast")


def test_a_search_cites_its_sources(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, **body(web_search_options={}))

    cited = answer.json()["choices"][0]["message"]["annotations"]
    assert [each["url_citation"]["url"] for each in cited] == ["https://example.org/1", "https://example.org/2"]
    assert turns(sim)[-1].json["messages"][0]["feature_config"]["auto_search"] is True


def test_a_video_is_waited_for_and_linked(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, **body(model="qwen3.7-plus-video"))

    content = answer.json()["choices"][0]["message"]["content"]
    assert content.startswith("[video](https://cdn.qwenlm.ai/output/")
    asked = [received for received in sim.log if "/tasks/status/" in received.path]
    assert [received.method for received in asked] == ["GET", "GET"], "once while it was running, once when it was done"
    assert turns(sim)[-1].json["stream"] is False


def test_a_picture_is_made_and_shown_by_its_address(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, **body(model="qwen3.7-plus-image"))

    assert answer.json()["choices"][0]["message"]["content"].startswith("![image](https://cdn.qwenlm.ai/output/")
    assert turns(sim)[-1].json["messages"][0]["chat_type"] == "t2i"


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_sequence_ends_the_answer_across_pieces(web: Mitm, sim: Simulator, stream: bool) -> None:
    sim.web.say(["one tw", "o EN", "D three", " four", " five"], thoughts="", wait=0.1)

    answer = ask(web, **body(stop=["END"], stream=stream))

    if stream:
        chunks = events(answer)
        said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
        finish = chunks[-1]["choices"][0]["finish_reason"]
    else:
        choice = answer.json()["choices"][0]
        said, finish = choice["message"]["content"], choice["finish_reason"]
    assert (said, finish) == ("one two ", "stop")
    assert "emulated=stop" in notices(answer)
    wait_until(lambda: sim.log[-1].path.endswith("/stop"), 5, "the site was not told to stop")


def test_an_answer_is_cut_at_so_many_tokens(web: Mitm, sim: Simulator) -> None:
    sim.web.say("one two three four five six seven eight", thoughts="")

    answer = ask(web, **body(max_tokens=3)).json()

    assert answer["choices"][0]["finish_reason"] == "length"
    assert "five" not in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] == 3


def test_a_history_is_folded_into_one_message(web: Mitm, sim: Simulator) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "My name is Alice"},
        {"role": "assistant", "content": "Hello Alice."},
        {"role": "user", "content": "What is my name?"},
    ]

    ask(web, messages=messages)

    content = turns(sim)[-1].json["messages"][0]["content"]
    assert content.startswith("Be brief.")
    assert "### Assistant\nHello Alice." in content
    assert content.endswith("### User\nWhat is my name?")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 2}, "n"), ({"logprobs": True}, "logprobs")],
)
def test_what_the_site_cannot_do_is_refused(web: Mitm, sim: Simulator, fields: dict[str, Any], param: str) -> None:
    answer = ask(web, **body(**fields))

    assert answer.status_code == 400
    assert error(answer)["param"] == param
    assert turns(sim) == []


def test_what_the_site_does_not_know_is_told(web: Mitm) -> None:
    told = notices(ask(web, **body(temperature=0.2, seed=1, top_p=0.5)))

    assert {"dropped=temperature", "dropped=seed", "dropped=top_p"} <= set(told)


def test_cookies_of_answers_reach_the_file(web: Mitm, sim: Simulator) -> None:
    sim.web.mood.rotate_cookies = True
    file = Path(web.home, "web", "me.json")
    before = kept_cookies(file)
    try:
        ask(web, **body())
        ask(web, **body())
    finally:
        sim.web.mood.rotate_cookies = False
    sent = dict(parse_cookies(turns(sim)[-1].header("cookie") or ""))

    assert sent["acw_tc"] != before["acw_tc"]
    wait_until(lambda: kept_cookies(file)["acw_tc"] != before["acw_tc"], 15, "the cookie was not kept")
    assert kept_cookies(file)["token"] == before["token"]


def kept_cookies(file: Path) -> dict[str, str]:
    return dict(parse_cookies(json.loads(file.read_text())["cookies"]))


def test_no_secret_of_the_session_is_in_any_flow(web: Mitm, sim: Simulator) -> None:
    answer = ask(web, **body())
    flow = web.flow(answer.headers["x-request-id"])
    secrets = json.loads(Path(web.home, "web", "me.json").read_text())

    shown = repr(flow.get_state())
    assert TURN in flow.request.path
    assert b"Say hi" in (flow.request.raw_content or b"")
    assert secrets["umidtoken"] not in shown
    for pair in secrets["cookies"].split("; "):
        value = pair.partition("=")[2]
        assert len(value) < 12 or value not in shown
    assert secrets["umidtoken"] not in web.log
    token = dict(parse_cookies(secrets["cookies"]))["token"]
    for path in web.home.glob("ledger.db*"):
        kept = path.read_bytes()
        assert secrets["umidtoken"].encode() not in kept
        assert token.encode() not in kept


def test_a_guest_has_chats_too(starter: Starter, sim: Simulator) -> None:
    gateway = starter("guest", environ=guest_environment(sim))
    with gateway:
        answer = ask(gateway, **body(model="qwen3.7-plus"))

    assert answer.status_code == 200, answer.text
    assert turns(sim)[-1].json["chat_mode"] == "guest"


def guest_environment(sim: Simulator) -> dict[str, str]:
    headers = sim.web.visitors.browser(guest="visitor")
    return {"QWEN_TOKEN": headers["bx-umidtoken"], "QWEN_COOKIES": headers["cookie"], "QWEN_WEB_URL": sim.url("web")}


def test_the_site_s_own_models_are_listed_with_what_they_can_do(web: Mitm, sim: Simulator) -> None:
    with http(web) as client:
        listed = {model["id"]: model for model in client.get("/v1/models").json()["data"]}
        one = client.get("/v1/models/qwen3.8-max").json()
        again = client.get("/v1/models").json()

    assert listed["qwen3.7-plus"]["capabilities"]["vision"] is True
    assert listed["qwen3.5-omni-plus"]["context_length"] == 262_144
    assert one["max_completion_tokens"] == 131_072
    assert one["created"] == 1_787_000_000
    assert "gpt-4o" in {model["id"] for model in again["data"]}
    assert sum(received.path.startswith("/api/v2/models") for received in sim.log) <= 1  # cached for an hour


def test_a_model_that_the_site_has_not_is_answered_by_its_usual_one(web: Mitm, sim: Simulator) -> None:
    with http(web) as client:
        client.get("/v1/models")

    answer = ask(web, model="qwen-turbo-search")

    assert turns(sim)[-1].json["model"] == "qwen3.7-plus"
    assert "defaulted=model" in notices(answer)


def test_an_error_behind_text_is_retried_for_a_client_that_has_seen_nothing(web: Mitm, sim: Simulator) -> None:
    sim.script([{"fault": "web-error;after=2", "path": "/chat/completions"}])

    assert ask(web, **body()).status_code == 200


async def test_a_client_that_leaves_has_the_site_told_to_stop(web: Mitm, sim: Simulator) -> None:
    sim.web.say([f"word {number} " for number in range(200)], thoughts="", wait=0.05)
    async with openai(web) as client:
        stream = await client.chat.completions.create(model="qwen3.7-plus", messages=HI, stream=True)
        await anext(aiter(stream))
        await stream.close()

    wait_until(lambda: sim.log[-1].path.endswith("/stop"), 5, "the site was not told to stop")
    assert sim.log[-1].json["chat_id"] == turns(sim)[-1].json["chat_id"]
