"""What is read as an ordinary request, mitmproxy's own parser reads the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mitmproxy.net.http import http1
from mitmproxy.net.http.validate import validate_headers

from qwen_gateway.plain_request import read_head
from tests.alone import run_alone

ORDINARY = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:8080\r\nContent-Length: 12\r\naccept: */*\r\n\r\n"


def with_line(line: bytes) -> bytes:
    return ORDINARY[:-2] + line + b"\r\n\r\n"


def without(line: bytes) -> bytes:
    return ORDINARY.replace(line + b"\r\n", b"")


def test_an_ordinary_head_is_read():
    head = read_head(ORDINARY)

    assert head is not None
    assert head.path == b"/v1/chat/completions"
    assert head.fields == ((b"host", b"localhost:8080"), (b"Content-Length", b"12"), (b"accept", b"*/*"))
    assert head.length == 12


@pytest.mark.parametrize("line", [b"connection: Keep-Alive", b"x: ", b"x:  \t y \t", b"accept: twice", b"x: \xff\xe4"])
def test_what_else_is_ordinary(line):
    assert read_head(with_line(line)) is not None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        ORDINARY[:-2],
        ORDINARY + b"{",
        ORDINARY.replace(b"POST", b"GET"),
        ORDINARY.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ORDINARY.replace(b"/v1", b"http://qwen.example/v1"),
        ORDINARY.replace(b"/v1", b"/v1 "),
        ORDINARY.replace(b"/v1", b"/v1\xe4"),
        ORDINARY.replace(b"\r\n", b"\n"),
        ORDINARY.replace(b"12", b"012"),
        ORDINARY.replace(b"12", b"+12"),
        ORDINARY.replace(b"12", b"12, 12"),
        ORDINARY.replace(b"12", b""),
        without(b"Content-Length: 12"),
        with_line(b"content-length: 12"),
        with_line(b"transfer-encoding: chunked"),
        with_line(b"Transfer-Encoding: identity"),
        with_line(b"connection: close"),
        with_line(b"connection: keep-alive, upgrade"),
        with_line(b"upgrade: websocket"),
        with_line(b"expect: 100-continue"),
        with_line(b"trailer: x"),
        with_line(b" folded"),
        with_line(b"spaced : 1"),
        with_line(b": nameless"),
        with_line(b"nothing"),
        with_line(b"x: a\nb: c"),
        with_line(b"x: a\rb"),
        with_line(b"x: a\0b"),
        with_line(b"x\xe4: 1"),
    ],
)
def test_all_else_is_for_a_whole_parser(head):
    assert read_head(head) is None


PIECES = st.sampled_from(
    [
        b"POST ", b"GET ", b"/v1", b"/", b" ", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b"host: a",
        b"x:", b":",
        b"content-length: 5", b"Content-Length:0", b"content-length: 07", b"transfer-encoding: chunked", b"\t", b"\0",
        b"connection: keep-alive", b"connection: close", b"\xff", b"a", b"5", b",",
    ]
)  # fmt: skip


@given(st.one_of(st.binary(), st.lists(PIECES, max_size=20).map(b"".join)))
@example(b"host: a\r\n")
def test_what_is_read_is_what_mitmproxy_reads(middle):
    head = b"POST /v1 HTTP/1.1\r\ncontent-length: 5\r\n" + middle + b"\r\n"
    for candidate in (head, head.replace(b"content-length: 5\r\n", b"", 1), middle):
        found = read_head(candidate)
        if found is not None:
            theirs = http1.read_request_head(candidate[:-4].split(b"\r\n"))
            validate_headers(theirs)
            assert theirs.data.method == b"POST"
            assert theirs.data.path == found.path
            assert theirs.headers.fields == found.fields
            assert http1.expected_http_body_size(theirs) == found.length
            assert not http1.connection_close(theirs.http_version, theirs.headers)


@pytest.mark.parametrize(
    "head", [ORDINARY[:-2] + b"x: y\r\n" * 60 + b"bad header: x\r\n\r\n", with_line(b"x:" + b" " * 60_000 + b"\0")]
)
def test_a_head_that_is_almost_ordinary_is_refused_at_once(head):
    """In a process of its own: a pattern that tries all ways would not come back."""
    code = "import sys; from qwen_gateway.plain_request import read_head; print(read_head(sys.stdin.buffer.read()))"
    assert run_alone(code, input=head, timeout=20).strip() == b"None"
