"""Whatever a client sends: one clear error in OpenAI's form, and a gateway that goes on."""

import asyncio
import gzip
import json
import socket
import ssl
import zlib
from collections.abc import Iterator
from typing import Any

import brotli
import pytest
import zstandard

from qwen_gateway.simulator import Simulator
from tests.e2e.asking import HI, MODEL, ask, ask_with, body, dumped, error, http, text, trusting
from tests.e2e.conftest import Starter, one_account
from tests.e2e.mitm import Mitm
from tests.e2e.raw_http2 import RawHttp2

LIMIT = 256 * 1024


@pytest.fixture(scope="module")
def small(starter: Starter, upstream: Simulator) -> Iterator[Mitm]:
    """A gateway with a small limit for bodies."""
    with starter("small", environ=one_account(upstream), options={"qwen_body_limit": "256k"}) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def still_well(small: Mitm, gateway: Mitm) -> Iterator[None]:
    """Both gateways serve after each test, and their logs have no traceback."""
    yield
    assert text(ask(small)).endswith("“Say hi”")
    assert small.troubles() == []


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


MALFORMED = {
    "nothing": b"",
    "no JSON": b"{",
    "half": dumped(body())[:-5],
    "a list": b"[]",
    "a string": b'"hi"',
    "null": b"null",
    "a number": b"1",
    "two objects": dumped(body()) * 2,
    "NaN": b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
    "no UTF-8": b'{"model": "m", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "UTF-16": json.dumps(body()).encode("utf-16"),
    "a form": b"model=gpt-4o&messages=hi",
    "deep": ('{"model": "m", "messages": [{"role": "user", "content": ' + deep(100_000) + "}]}").encode(),
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a long number": b'{"model": "m", "messages": [], "seed": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_body_that_is_no_call(gateway: Mitm, sim: Simulator, what: str) -> None:
    answer = ask_with(gateway, MALFORMED[what])

    assert answer.status_code == 400, answer.text
    assert error(answer)["type"] == "invalid_request_error"
    assert len(error(answer)["message"]) < 500
    assert sim.log == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"messages": None}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": [1]}, "messages[0]"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"content": "x"}]}, "messages[0]"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0]"),
    ({"model": None}, "model"),
    ({"model": 5}, "model"),
    ({"model": ""}, "model"),
    ({"stream": "yes"}, "stream"),
    ({"n": 0}, "n"),
    ({"n": 1000}, "n"),
    ({"n": "two"}, "n"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 9}, "temperature"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "function"}]}, "tools[0]"),
    ({"tool_choice": {"type": "function", "function": {"name": "none"}}}, "tool_choice"),
    ({"stop": [[]]}, "stop"),
    ({"response_format": "json"}, "response_format"),
    ({"stream_options": []}, "stream_options"),
    ({"logit_bias": {"1": 1}}, "logit_bias"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG, ids=lambda value: None if isinstance(value, dict) else value)
def test_a_wrong_field_is_named(gateway: Mitm, sim: Simulator, fields: dict[str, Any], param: str) -> None:
    answer = ask(gateway, **fields)

    assert answer.status_code == 400, answer.text
    assert error(answer)["type"] == "invalid_request_error"
    assert (error(answer)["param"] or "").startswith(param), error(answer)
    assert sim.log == []


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_named(gateway: Mitm, missing: str) -> None:
    call = body()
    del call[missing]

    answer = ask_with(gateway, dumped(call))

    assert answer.status_code == 400
    assert error(answer)["param"] == missing


# ---- too large


def large(size: int = 2 * LIMIT) -> bytes:
    return dumped(body(messages=[{"role": "user", "content": "x" * size}]))


PACKINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_body_is_understood(small: Mitm, sim: Simulator, packing: str) -> None:
    answer = ask_with(small, PACKINGS[packing](dumped(body())), content_encoding=packing)

    assert answer.status_code == 200, answer.text
    assert sim.log[-1].json["messages"] == HI
    assert sim.log[-1].header("content-encoding") is None


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_bomb_is_refused(small: Mitm, sim: Simulator, packing: str) -> None:
    bomb = PACKINGS[packing](b" " * 100_000_000)
    assert len(bomb) < LIMIT
    before = small.probe()["memory"]

    answer = ask_with(small, bomb, content_encoding=packing)

    assert answer.status_code == 413
    assert error(answer)["code"] == "request_too_large"
    assert "qwen_body_limit" in error(answer)["message"]
    assert small.probe()["memory"] - before < 60_000_000
    assert sim.log == []


@pytest.mark.parametrize("packing", [*PACKINGS, "gzip, gzip"])
def test_a_broken_packing_is_refused(small: Mitm, packing: str) -> None:
    for content in (b"not packed at all", PACKINGS.get(packing, gzip.compress)(dumped(body()))[:-9], b""):
        answer = ask_with(small, content, content_encoding=packing)

        assert answer.status_code == 400, answer.text
        assert error(answer)["type"] == "invalid_request_error"


def test_an_unknown_packing_is_refused(small: Mitm) -> None:
    answer = ask_with(small, dumped(body()), content_encoding="compress\tzip")

    assert answer.status_code in (400, 415)
    assert "encoding" in error(answer)["message"]


def test_a_body_over_the_limit_is_refused_by_its_length(small: Mitm, sim: Simulator) -> None:
    answer = ask_with(small, large())

    assert answer.status_code == 413
    assert error(answer)["code"] == "request_too_large"
    assert sim.log == []


def test_a_body_over_the_limit_is_refused_in_chunks(small: Mitm, sim: Simulator) -> None:
    def pieces() -> Iterator[bytes]:
        whole = large()
        yield from (whole[start : start + 10_000] for start in range(0, len(whole), 10_000))

    with http(small) as client:
        answer = client.post("/v1/chat/completions", content=pieces())

    assert answer.status_code == 413
    assert error(answer)["code"] == "request_too_large"
    assert sim.log == []


def test_a_body_over_the_limit_is_refused_over_http2(small: Mitm, sim: Simulator) -> None:
    with RawHttp2(small) as client:
        status, data, _ = client.answer(client.send(large()))
        after, said, ended = client.answer(client.ask())

    assert status == 413
    assert json.loads(data)["error"]["code"] == "request_too_large"
    assert (after, ended) == (200, True), said
    assert len(sim.log) == 1


def raw(gateway: Mitm, sent: bytes, *, tls: bool = False) -> bytes:
    """Send these bytes and read until the gateway closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as plain:
        connection: socket.socket = plain
        if tls:
            context = trusting(gateway.ca_file)
            ssl.SSLContext.set_alpn_protocols(context, ["http/1.1"])
            connection = context.wrap_socket(plain, server_hostname="localhost")
        connection.sendall(sent)
        got = b""
        while data := connection.recv(65_536):
            got += data
        return got


def request(headers: str = "", content: bytes = b"", *, length: int | None = None) -> bytes:
    """A request as it stands on the wire."""
    size = len(content) if length is None else length
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n{headers}"
    return head.encode("latin-1") + b"connection: close\r\n\r\n" + content


def error_on_the_wire(answer: bytes) -> dict[str, Any]:
    """The error of an answer; its framing must be whole."""
    head, _, content = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"content-type: application/json" in lines, answer[:400]
    assert b"content-length: %d" % len(content) in lines, answer[:400]
    found: dict[str, Any] = json.loads(content)["error"]
    assert set(found) == {"message", "type", "param", "code"}
    return found


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    "headers",
    [
        "x y: z\r\n",
        "transfer-encoding: chunked\r\n",
        "content-length: 7\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        ": empty\r\n",
        "x-bad: a\x00b\r\n",
    ],
)
def test_broken_headers_end_in_openais_form(gateway: Mitm, sim: Simulator, headers: str, tls: bool) -> None:
    answer = raw(gateway, request(headers, dumped(body())), tls=tls)

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 200")), answer[:300]
    if answer.startswith(b"HTTP/1.1 400"):
        assert error_on_the_wire(answer)["type"] == "invalid_request_error"
        assert sim.log == []


def test_huge_headers_end_in_an_error(gateway: Mitm, sim: Simulator) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as connection:
        connection.sendall(request(f"x-long: {'y' * 2_000_000}\r\n", dumped(body())))
        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 431"), answer[:300]
    assert error_on_the_wire(answer)["code"] == "headers_too_large"
    assert sim.log == []


def test_headers_without_end_are_cut_off(gateway: Mitm) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nx-long: ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            connection.sendall(b"y" * 40_000_000)


def test_what_is_no_http_is_answered_or_closed(gateway: Mitm) -> None:
    for sent in (
        b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\nBREW / HTCPCP/1.0\r\n\r\n",
        b"\0" * 99,
    ):
        with socket.create_connection(("127.0.0.1", gateway.port), 5) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65_536)
        assert b"<html" not in answer, answer


def test_a_client_that_leaves_while_it_sends(gateway: Mitm, sim: Simulator) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", gateway.port), 5) as connection:
            connection.sendall(request(content=b"{", length=5000))
    assert sim.log == []


def test_a_body_that_never_comes_holds_up_nobody(gateway: Mitm) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 5) as waiting:
        waiting.sendall(request(content=b"{", length=5000))
        assert ask(gateway).status_code == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_connection_ends_with_the_answer_when_the_client_says_so(gateway: Mitm, version: str, stream: bool) -> None:
    sent = request(content=dumped(body(stream=stream))).replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1)
    answer = raw(gateway, sent.replace(b"connection: close\r\n", b"") if version == "1.0" else sent)

    head, _, content = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert (b"transfer-encoding" in head.lower()) is (stream and version == "1.1")
    assert "“".encode() in content or b"You said" in content
    if stream:
        assert b"data: [DONE]\n\n" in content


# ---- injection

INJECTIONS = [
    "qwen3.7-plus\r\nx-injected: yes",
    "qwen3.7-plus\nset-cookie: a=b",
    "qwen\0plus",
    "qwen3.7-plus; dropped=everything",
    "ü模型",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "x" * 10_000,
    "%0d%0ax-injected: yes",
]


@pytest.mark.parametrize("name", INJECTIONS, ids=range(len(INJECTIONS)))
@pytest.mark.parametrize("stream", [False, True])
def test_names_of_models_inject_nothing(gateway: Mitm, sim: Simulator, name: str, stream: bool) -> None:
    answer = ask(gateway, model=name, stream=stream)

    assert "x-injected" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert all(len(value) < 2000 for value in answer.headers.values())
    assert all(received.header("x-injected") is None for received in sim.log)


@pytest.mark.parametrize("field", ["x\r\nx-injected: yes", "y\n\n", "dropped=all; z", "ü", "k" * 5000])
def test_names_of_fields_inject_nothing(gateway: Mitm, field: str) -> None:
    answer = ask(gateway, **{field: 1})

    assert answer.status_code == 200
    assert "x-injected" not in answer.headers
    assert len(answer.headers["x-gateway-notice"]) < 2000


@pytest.mark.parametrize("name", ["x-qwen-account", "x-request-id", "origin", "user-agent", "accept"])
def test_headers_of_the_client_inject_nothing(gateway: Mitm, sim: Simulator, name: str) -> None:
    answer = ask(gateway, headers={name: "a\tb; c='\";drop table flows--"})

    assert answer.status_code in (200, 403, 404, 503)
    assert all("drop table" not in value for received in sim.log for _, value in received.headers)


def test_a_name_in_the_path_injects_nothing(gateway: Mitm) -> None:
    with http(gateway) as client:
        for name in ("a%0d%0ax-injected:%20yes", "%00", "%ff", "a" * 5000, "..%2f..%2fhealth", "%F0%9F%98%80"):
            answer = client.get(f"/v1/models/{name}")

            assert answer.status_code == 404
            assert "x-injected" not in answer.headers
            assert len(error(answer)["message"]) < 500


def test_headers_of_the_client_do_not_reach_qwen(gateway: Mitm, sim: Simulator) -> None:
    ask(gateway, headers={"x-sim-fault": "throttling", "x-forwarded-for": "10.0.0.1", "openai-organization": "org-1"})

    names = {name.lower() for name, _ in sim.log[-1].headers}
    assert not names & {"x-sim-fault", "x-forwarded-for", "openai-organization"}
    assert sim.log[-1].header("authorization") == "Bearer sk-sim"


async def test_a_call_with_a_thousand_messages(gateway: Mitm, sim: Simulator) -> None:
    messages = [{"role": "user" if place % 2 == 0 else "assistant", "content": f"{place}"} for place in range(1001)]

    answer = await asyncio.to_thread(ask, gateway, messages=messages, model=MODEL)

    assert answer.status_code == 200
    assert sim.log[-1].json["messages"] == messages
