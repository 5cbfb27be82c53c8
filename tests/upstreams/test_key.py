"""A whole call for a host: what is asked for beside what the client said."""

import pytest

from qwen_gateway.upstreams.decoders import ChatAnswer
from tests.upstreams.encoding import HOSTS, UNKNOWN, encode, sent, told


@pytest.mark.parametrize("host", HOSTS)
def test_a_stream_always_asks_for_usage(host: str) -> None:
    body = sent(host, stream=True)

    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert encode(host, stream=True).headers["accept"] == "text/event-stream"


@pytest.mark.parametrize("host", HOSTS)
def test_several_answers_are_several_calls(host: str) -> None:
    assert "n" not in sent(host, n=3)


def test_the_model_is_the_upstreams() -> None:
    assert sent(model="qwen3-coder-plus")["model"] == "qwen3-coder-plus"


def test_a_long_answer_is_streamed_where_it_would_be_cut() -> None:
    """DashScope cuts what is not streamed at 300 s (upstream.md 4.4)."""
    assert encode().stream
    assert encode(max_tokens=5_000).stream
    assert not encode(max_tokens=100).stream
    assert not encode("vllm", UNKNOWN).stream


def test_models_that_only_stream_are_streamed() -> None:
    assert encode(model="qwq-plus", max_tokens=100).stream


def test_what_is_not_streamed_asks_for_json() -> None:
    encoded = encode("vllm", UNKNOWN)

    assert encoded.headers == {"content-type": "application/json", "accept": "application/json"}
    assert "stream" not in sent("vllm", UNKNOWN)


def test_a_plain_call_changes_nothing() -> None:
    assert told(stream=True) == []
    assert encode().path == "/chat/completions"


def test_each_attempt_has_a_decoder_of_its_own() -> None:
    encoded = encode()

    assert isinstance(encoded.decoder(), ChatAnswer)
    assert encoded.decoder() is not encoded.decoder()
