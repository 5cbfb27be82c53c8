"""What the stream of an answer looks like (upstream.md 3.6, 3.8)."""

import httpx

from qwen_gateway.simulator import Simulator
from tests.simulator.web.browsing import Browser, deltas, events, text

THINKING = {"thinking_enabled": True, "thinking_mode": "Thinking"}


async def test_thoughts_in_full(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), config={**THINKING, "thinking_format": "detail"})

    assert text(answer, "think").startswith("Reading the message.")
    assert deltas(answer, "think")[-1]["status"] == "finished"
    assert events(answer)[1]["usage"]["output_tokens_details"] == {"reasoning_tokens": 1, "text_tokens": 0}


async def test_thoughts_as_summaries_repeat_the_earlier_ones(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), config={**THINKING, "thinking_format": "summary"})

    found = deltas(answer, "thinking_summary")
    assert [delta["content"] for delta in found] == ["", "", ""]
    assert [delta["extra"]["summary_title"]["content"] for delta in found] == [
        ["Reading the message"],
        ["Reading the message", "Planning the answer"],
        ["Reading the message", "Planning the answer"],
    ]


async def test_a_summary_may_grow(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.mood.summary_grows = True
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), config={**THINKING, "thinking_format": "summary"})

    thoughts = [delta["extra"]["summary_thought"]["content"] for delta in deltas(answer, "thinking_summary")]
    assert [thought[-1] for thought in thoughts][:3] == ["Reading", "Reading the", "Reading the message"]


async def test_fast_turns_do_not_think(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), config={**THINKING, "thinking_mode": "Fast"})

    assert not deltas(answer, "think")


async def test_usage_is_cumulative(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat())
    numbers = [event["usage"]["output_tokens"] for event in events(answer) if "usage" in event]
    sim.web.mood.old_usage = True
    old = await browser.turn(await browser.new_chat())

    assert numbers == list(range(1, len(numbers) + 1))
    assert events(old)[1]["usage"]["cached_tokens"] == 0


async def test_a_search_tells_its_sources(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(chat_type="search"), message={"sub_chat_type": "search"})

    first = deltas(answer, "web_search")[0]
    assert first["name"] == "web_search"
    assert first["extra"]["web_search_info"][0].keys() == {"url", "title", "snippet", "date", "hostname"}
    assert text(answer)


async def test_an_image_comes_after_signs_of_life(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(chat_type="t2i"), message={"sub_chat_type": "t2i"})

    assert [event["response.info"]["action"] for event in events(answer) if "response.info" in event] == [
        "keep_alive",
        "keep_alive",
    ]
    assert text(answer, "image_gen").startswith("https://cdn.qwenlm.ai/output/")
    assert events(answer)[-2]["usage"] == {"width": 1024, "height": 1024, "image_count": 1}
    assert deltas(answer, "image_gen")[-1]["status"] == "finished"


async def test_a_video_is_a_task(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    chat = await browser.new_chat(chat_type="t2v")
    answer = await browser.turn(chat, stream=False, message={"sub_chat_type": "t2v"})
    task = answer.json()["data"]["messages"][0]["extra"]["wanx"]["task_id"]
    states = [(await browser.call("GET", f"/api/v1/tasks/status/{task}")).json() for _ in range(2)]

    assert [state["task_status"] for state in states] == ["running", "success"]
    assert states[1]["content"].startswith("https://")


async def test_the_answer_of_2025_without_a_stream(sim: Simulator, client: httpx.AsyncClient) -> None:
    sim.web.mood.stream_only = False
    browser = Browser(sim, client)
    answer = await browser.turn(await browser.new_chat(), stream=False)

    assert "You said" in answer.json()["data"]["choices"][0]["message"]["content"]
    assert "usage" not in answer.json()


async def test_answers_can_be_laid_out(sim: Simulator, client: httpx.AsyncClient) -> None:
    browser = Browser(sim, client)
    sim.web.say("for bob", user="bob")
    sim.web.say(["<tool_", "call>"], contains="weather", thoughts=["hm", "m"], times=2)
    sim.web.say("abcdefg", cut=3, done=True, usage={"input_tokens": 7})
    exact = await browser.turn(await browser.new_chat(), "the weather")
    cut = await browser.turn(await browser.new_chat())
    again = await browser.turn(await browser.new_chat(), "the weather")
    echo = await browser.turn(await browser.new_chat(), "the weather")

    assert [delta["content"] for delta in deltas(exact)] == ["<tool_", "call>", ""]
    assert text(exact, "think") == "hmm"
    assert [delta["content"] for delta in deltas(cut)] == ["abc", "def", "g", ""]
    assert events(cut)[-2]["usage"] == {"input_tokens": 7}
    assert cut.text.endswith("data: [DONE]\n\n")
    assert text(again) == "<tool_call>"
    assert "You said" in text(echo)


async def test_answers_can_be_laid_out_from_outside(sim: Simulator, client: httpx.AsyncClient) -> None:
    url = sim.base_url + "/__sim__/web/say"
    good = await client.post(url, json=["one", {"text": "two", "phase": None, "finished": False}])
    bad = await client.post(url, json=[{"txt": "two"}])
    browser = Browser(sim, client)
    answers = [await browser.turn(await browser.new_chat()) for _ in range(2)]

    assert good.json() == {"waiting": 2}
    assert bad.status_code == 400
    assert text(answers[0]) == "one"
    assert text(answers[1], None) == "two"
    assert "finished" not in answers[1].text
    assert len((await client.get(sim.base_url + "/__sim__/web/chats")).json()) == 2
