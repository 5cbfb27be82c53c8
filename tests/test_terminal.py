"""The line for each call."""

from qwen_gateway.codec.deltas import Usage
from qwen_gateway.exchange import Exchange
from qwen_gateway.openai.chat_request import parse_chat
from qwen_gateway.openai.errors import UpstreamError
from qwen_gateway.terminal import line


def exchange(model: str = "gpt-4o") -> Exchange:
    body = b'{"model": "%s", "messages": [{"role": "user", "content": "hi"}]}' % model.encode()
    made = Exchange(parse_chat(body), model="qwen3.7-plus", account="work", started=1_790_000_000.0)
    made.first_byte = made.started + 0.25
    return made


def test_a_call_says_its_models_account_tokens_and_times() -> None:
    call = exchange()
    call.usage = Usage(20, 46, 66)
    call.end("finished")
    call.ended = call.started + 1.5
    text = line(call, coloured=False)
    assert text.endswith("gpt-4o → qwen3.7-plus @work 20+46 tokens, first 0.25 s, 1.50 s, finished\n")


def test_a_failed_call_says_status_and_code() -> None:
    call = exchange()
    call.end("failed", UpstreamError("no", status=503, code="upstream_overloaded"))
    assert "failed 503 upstream_overloaded" in line(call, coloured=False)


def test_colours_are_only_where_someone_looks() -> None:
    call = exchange()
    call.end("finished")
    assert "\x1b[32mfinished\x1b[0m" in line(call, coloured=True)
    assert "\x1b" not in line(call, coloured=False)


def test_a_client_cannot_write_to_the_terminal_by_its_models_name() -> None:
    call = exchange("evil\\u0007\\nname")
    call.end("finished")
    assert "evil??name" in line(call, coloured=False)
