"""What gateways tell each other goes round once; what an exchange used is counted once."""

from qwen_auth.pool import State
from qwen_gateway.codec.deltas import Usage
from qwen_gateway.exchange import Attempt
from qwen_gateway.ledger.known import Known
from qwen_gateway.ledger.states import News
from qwen_gateway.ledger.uses import Use, uses_of
from tests.ledger.exchanging import begun

REST = State("me", "qwen-plus", "resting", 500.0, "too many", "rate", 1)
WELL = State("me", "")


def test_a_rest_is_told_once() -> None:
    news = News()

    assert [known.until for known in news.to_tell([WELL, REST], 10.0)] == [500.0]
    assert news.to_tell([WELL, REST], 12.0) == []


def test_a_rest_that_is_over_is_no_news_and_one_that_ends_early_is() -> None:
    ran_out, early = News(), News()
    for each in (ran_out, early):
        each.to_tell([REST], 10.0)

    assert ran_out.to_tell([WELL], 501.0) == []
    assert early.to_tell([WELL], 20.0) == [Known("me", "qwen-plus", "healthy", 0.0)]
    assert early.to_tell([WELL], 22.0) == []


def test_what_was_heard_is_not_told_again() -> None:
    news = News()

    assert news.is_new(Known("me", "qwen-plus", "resting", 500.0))
    assert not news.is_new(Known("me", "qwen-plus", "resting", 500.0))
    assert news.to_tell([REST], 12.0) == []


def test_what_holds_here_only_is_not_told() -> None:
    assert News().to_tell([State("me", "", "needs-login", 500.0), State("you", "", "disabled")], 10.0) == []


def test_each_answered_attempt_is_a_call_and_tokens_count_once() -> None:
    exchange = begun("hi")
    exchange.account, exchange.usage = "you", Usage(10, 5, 15)
    for account, status, started in (
        ("me", 500, 7195.0),
        ("me", 429, 7196.0),
        ("me", None, 7197.0),
        ("you", 200, 7201.0),
    ):
        attempt = Attempt(1, account, "", "qwen-plus", "", {}, b"", started=started)
        attempt.status = status
        exchange.attempts.append(attempt)

    assert uses_of(exchange) == [
        Use("me", "minute", 7140, 1),
        Use("me", "hour", 3600, 1),
        Use("you", "minute", 7200, 1, 10, 5),
        Use("you", "hour", 7200, 1, 10, 5),
    ]
