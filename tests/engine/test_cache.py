"""An identical call gets the same answer again, if that is what it would have got anyway."""

from typing import Any

import pytest

from qwen_gateway.codec.deltas import Begin, Delta, Finish, Text, Usage, Vector
from qwen_gateway.engine.cache import Cache, Copied
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.chat_choice import Dress
from qwen_gateway.openai.chat_object import ChatObject
from tests.engine.fakes import BAD, OK, Gateway, Script, Upstream, chunk, sse
from tests.openai.asking import call

ANSWER: list[Delta] = [Begin(), Text("hello"), Finish("stop"), Usage(5, 1, 6)]


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def exchange(**fields: Any) -> Exchange:
    more = {name: fields.pop(name) for name in ("caller", "cache", "wanted_account") if name in fields}
    found = Exchange(call(**{"temperature": 0, **fields}), **more)
    found.outcome = "finished"
    return found


def cache(**bounds: Any) -> tuple[Cache, Time]:
    clock = Time()
    found = Cache(clock)
    found.configure(**{"age": 60, "entries": 10, "room": 1_000_000, **bounds})
    return found, clock


def keep(found: Cache, asked: Exchange, deltas: list[Delta]) -> None:
    key = found.key(asked)
    assert key is not None
    copied = Copied(ChatObject(call(), Dress()))
    copied.write(deltas)
    found.put(key, asked, copied)


def hit(found: Cache, asked: Exchange) -> bool:
    key = found.key(asked)
    return key is not None and found.get(key) is not None


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, True),
        ({"temperature": 1, "seed": 7}, True),
        ({"temperature": 1}, False),
        ({"temperature": 1, "cache": "use"}, True),
        ({"cache": "off"}, False),
        ({"web_search_options": {}}, False),
    ],
)
def test_which_calls_are_kept(fields: dict[str, Any], kept: bool) -> None:
    assert (cache()[0].key(exchange(**fields)) is not None) is kept


def test_nothing_is_kept_unless_the_operator_wants_it() -> None:
    assert cache(age=0)[0].key(exchange(cache="use")) is None


@pytest.mark.parametrize(
    "same",
    [
        {"stream": True},
        {"user": "me"},
        {"metadata": {"a": "b"}},
        {"stream": True, "stream_options": {"include_usage": True}},
    ],
)
def test_who_asks_and_in_which_form_does_not_matter(same: dict[str, Any]) -> None:
    found, _ = cache()
    keep(found, exchange(), ANSWER)
    assert hit(found, exchange(**same))


@pytest.mark.parametrize(
    "other",
    [
        {"model": "gpt-4.1"},
        {"messages": [{"role": "user", "content": "hi"}]},
        {"max_tokens": 5},
        {"n": 2},
        {"temperature": 0, "seed": 1},
        {"caller": "another key"},
        {"wanted_account": "b"},
    ],
)
def test_another_call_is_another_answer(other: dict[str, Any]) -> None:
    found, _ = cache()
    keep(found, exchange(), ANSWER)
    assert not hit(found, exchange(**other))


@pytest.mark.parametrize(
    "deltas", [[Text("a"), Finish("length")], [Text("a"), Finish("content_filter")], [Text("a")], []]
)
def test_what_was_cut_off_is_not_kept(deltas: list[Delta]) -> None:
    found, _ = cache()
    keep(found, exchange(), deltas)
    assert len(found) == 0


def test_what_failed_is_not_kept() -> None:
    found, _ = cache()
    asked = exchange()
    asked.outcome = "failed"
    keep(found, asked, ANSWER)
    assert len(found) == 0


def test_an_answer_grows_old() -> None:
    found, clock = cache(age=60)
    keep(found, exchange(), ANSWER)
    clock.now = 59
    assert hit(found, exchange())
    clock.now = 60
    assert not hit(found, exchange())
    assert (len(found), found.size) == (0, 0)


def test_the_least_recently_used_goes_first() -> None:
    found, _ = cache(entries=2)
    keep(found, exchange(seed=1), ANSWER)
    keep(found, exchange(seed=2), ANSWER)
    assert hit(found, exchange(seed=1))
    keep(found, exchange(seed=3), ANSWER)
    assert [hit(found, exchange(seed=seed)) for seed in (1, 2, 3)] == [True, False, True]


def test_the_room_is_bounded() -> None:
    found, _ = cache(room=40_000, entries=1_000)
    for seed in range(50):
        keep(found, exchange(seed=seed), [Text("x" * 1_000), Finish("stop")])
    assert 0 < found.size <= 40_000
    keep(found, exchange(seed=99), [Vector(0, [0.5] * 1_000)])  # an answer of its own cannot push all others out
    assert not hit(found, exchange(seed=99))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
async def test_a_hit_is_streamed_or_whole_as_it_is_asked_for(first: bool, second: bool) -> None:
    upstream = Upstream(OK)
    gateway = Gateway(upstream)
    gateway.engine.cache.configure(age=60, entries=10, room=1_000_000)
    await gateway.ask(stream=first, temperature=0)
    served = await gateway.ask(stream=second, temperature=0)

    assert served.client.text == "Hello"
    assert served.client.header("x-gateway-cache") == "hit"
    assert served.exchange.outcome == "finished"
    assert served.exchange.usage is not None
    assert served.exchange.usage.total == 12
    assert len(upstream.sent) == 1
    assert served.ended == 1


async def test_failures_are_asked_for_anew() -> None:
    upstream = Upstream(BAD, Script([sse(chunk("cut", finish="length"), b"[DONE]")]), OK)
    gateway = Gateway(upstream)
    gateway.engine.cache.configure(age=60, entries=10, room=1_000_000)
    for _ in range(3):
        served = await gateway.ask(temperature=0)
        assert served.client.header("x-gateway-cache") is None
    assert len(upstream.sent) == 3
