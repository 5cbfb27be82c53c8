"""An exchange ends once, and tells its story."""

from qwen_gateway.codec.deltas import Fault, Usage
from qwen_gateway.exchange import Attempt, Exchange
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.openai.notices import Notice
from tests.openai.asking import call


def attempt(**more: object) -> Attempt:
    return Attempt(1, "a", "first in order", "qwen3.7-plus", "https://a.test/v1/chat/completions", {}, b"{}", **more)  # type: ignore[arg-type]


def test_it_ends_once() -> None:
    exchange = Exchange(call())

    assert exchange.end("failed", UpstreamError("No."))
    assert not exchange.end("finished")
    assert (exchange.outcome, exchange.error and exchange.error.message) == ("failed", "No.")
    assert exchange.ended is not None


def test_every_exchange_has_an_id_of_its_own() -> None:
    ids = {Exchange(call()).id for _ in range(100)}

    assert len(ids) == 100
    assert all(name.startswith("req_") for name in ids)


def test_a_notice_is_kept_once() -> None:
    exchange = Exchange(call())
    exchange.note([Notice("dropped", "seed", "why")])
    exchange.note([Notice("dropped", "seed", "why"), Notice("clamped", "max_tokens")])

    assert [notice.param for notice in exchange.notices] == ["seed", "max_tokens"]


def test_the_summary_tells_who_answered_and_what_went_wrong_before() -> None:
    exchange = Exchange(call(), model="qwen3.7-plus", account="b", why="the only usable account")
    exchange.attempts.append(attempt(fault=Fault(429, "Throttling", "Slow down."), verdict="throttle"))
    exchange.attempts.append(attempt())
    exchange.usage = Usage(10, 2, 12)
    exchange.note([Notice("dropped", "seed", "why")])
    exchange.end("finished")

    summary = exchange.summary()

    for part in (
        "gpt-4o → qwen3.7-plus on b: finished", "the only usable account", "attempt 1 on a: throttle — Slow down.",
        "10 in, 2 out", "dropped seed: why",
    ):  # fmt: skip
        assert part in summary
    assert summary.count("attempt") == 1


def test_a_failed_one_ends_its_summary_with_the_error() -> None:
    exchange = Exchange(call())
    exchange.end("failed", UpstreamError("No."))

    assert "on no account: failed" in exchange.summary()
    assert exchange.summary().endswith("error: No.")


def test_exchanges_are_told_apart_even_when_they_look_alike() -> None:
    """They are keys of weak dictionaries."""
    first = Exchange(call(), id="req_1")

    assert first != Exchange(first.call, id="req_1")
    assert len({first, first}) == 1
