"""The benchmark must not praise a gateway that loses chunks: its own eyes are tested here."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from benchmark import calls, cost, report, upstream
from benchmark.http1 import Connection
from benchmark.measures import Round


@pytest.fixture
def problems():
    return Counter()


@pytest.fixture
def stream(problems):
    """A call for three chunks."""
    return calls.StreamCall(8080, problems, 3, 20, lambda _: None)


def answer(call):
    """What the fast upstream answers, as one block of bytes."""
    nonce = upstream.event(b'"content":"nonce=%d "' % call.nonce)
    return upstream.STREAM_HEAD + upstream.FIRST + nonce + b"".join(map(upstream.content, range(3))) + upstream.LAST


async def read(call, *pieces):
    """Let the client read an answer that arrives in these pieces."""
    connection = Connection()
    connection.call(call)  # fails, as nothing is connected
    connection.clear()
    connection.exchange, connection.ended = call, connection.ended.get_loop().create_future()
    call.problems.clear()
    for piece in pieces:
        connection.data_received(piece)
    connection.connection_lost(None)


async def test_a_whole_stream_is_right(stream, problems):
    await read(stream, answer(stream))
    assert (+problems, stream.seen, stream.lost) == (Counter(), 3, 0)


async def test_a_stream_cut_into_bytes_is_right(stream, problems):
    await read(stream, *(bytes([byte]) for byte in answer(stream)))
    assert (+problems, stream.seen, stream.lost) == (Counter(), 3, 0)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (upstream.content(1), b"", "chunks lost or doubled"),
        (upstream.content(1), upstream.content(1) * 2, "chunks lost or doubled"),
        (upstream.content(0) + upstream.content(1), upstream.content(1) + upstream.content(0), "chunks out of order"),
        (upstream.frame(b"data: [DONE]\n\n"), b"", "no [DONE]"),
        (b'"stop"', b'"none"', "no finish_reason"),
        (b"nonce=", b"other=", "another call's stream"),
        (b"200 OK", b"502 OK", "status 502"),
        (b"0\r\n\r\n", b"", "connection closed before the end"),
    ],
)
async def test_a_wrong_stream_is_seen(stream, problems, old, new, problem):
    body = answer(stream)
    assert old in body
    await read(stream, body.replace(old, new))
    assert any(problem in seen for seen in +problems)


@pytest.mark.parametrize("said", ['"nonce=0"', "null", "1"])
async def test_a_wrong_json_answer_is_seen(problems, said):
    call = calls.JsonCall(8080, problems)
    body = b'{"choices":[{"message":{"content":%s}}]}' % said.encode()
    await read(call, upstream.JSON_HEAD % len(body) + body)
    assert any("wrong answer" in seen for seen in problems)


async def test_a_right_json_answer_is_right(problems):
    call = calls.JsonCall(8080, problems)
    body = upstream.ANSWER % str(call.nonce).encode()
    await read(call, upstream.JSON_HEAD % len(body) + body)
    assert +problems == Counter()


@pytest.mark.parametrize(("text", "seconds"), [("0:01.50", 1.5), ("02:03:04", 7384), ("1-00:00:01", 86401)])
def test_the_times_of_ps_are_read(text, seconds):
    assert cost.seconds(text) == seconds


def test_budgets_are_judged_by_medians():
    results = {
        "json": {
            "bare": [Round({"cpu_16": value}) for value in (2.0, 2.0, 9.0)],
            "launcher": [Round({"cpu_16": value}) for value in (1.0, 1.2, 9.0)],
            "script": [Round({"cpu_16": 2.5})],
        }
    }
    kept = {side: (figure, good) for _, side, figure, good in report.verdicts(results)}
    assert kept == {"launcher": (0.6, True), "script": (1.25, False)}
