"""The head of a request, to the byte, and what must never stand in one."""

import pytest

from qwen_gateway.engine.request_head import head_of, target_of

URL = "https://x.test:8443/v1/chat%20a?b=c%2Bd#there"


def head(method: str = "POST", headers: dict[str, str] | None = None, body: bytes = b"{}", url: str = URL) -> bytes:
    target = target_of(url)
    assert target is not None
    return head_of(method, target, headers or {}, body)


def test_a_head_to_the_byte() -> None:
    assert head(headers={"content-type": "application/json", "x-name": "Žižka"}) == (
        b"POST /v1/chat%20a?b=c%2Bd HTTP/1.1\r\nHost: x.test:8443\r\ncontent-type: application/json\r\n"
        b"x-name: \xc5\xbdi\xc5\xbeka\r\nContent-Length: 2\r\n\r\n"
    )


LENGTHS = [("GET", b"", None), ("GET", b"{}", 2), ("POST", b"", 0), ("DELETE", b"", 0)]
HOSTS = {"http://x.test/": "x.test", "https://x.test:443": "x.test", "http://[::1]:80/": "[::1]", "http://y:81": "y:81"}


@pytest.mark.parametrize(("method", "body", "length"), LENGTHS)
def test_a_length_is_told_where_one_is_expected(method: str, body: bytes, length: int | None) -> None:
    told = b"Content-Length: %d\r\n" % length if length is not None else b""

    assert head(method, {"a": "b"}, body).endswith(b"\r\na: b\r\n" + told + b"\r\n")


@pytest.mark.parametrize("url", HOSTS)
def test_a_host_is_told_without_the_usual_port(url: str) -> None:
    assert b"\r\nHost: %b\r\n" % HOSTS[url].encode() in head(url=url)


@pytest.mark.parametrize("url", ["ftp://x.test/", "http:///x", "/x", "http://user@x.test/", "http://u:p@x.test/"])
def test_an_unusual_url_has_no_target(url: str) -> None:
    assert target_of(url) is None


@pytest.mark.parametrize("bad", ["a\r\nb: c", "a\nb", "a\x00", "a\x7f"])
def test_nothing_gets_out_of_its_line(bad: str) -> None:
    with pytest.raises(ValueError, match="control"):
        head(headers={"x": bad})
    with pytest.raises(ValueError, match="control"):
        head(headers={bad: "x"})


def test_nor_out_of_the_request_line() -> None:
    assert head(url="http://x.test/?chat=a\r\nb: c").startswith(b"POST /?chat=ab: c HTTP/1.1\r\n")
    with pytest.raises(ValueError, match="control"):
        head(url="http://x.test/?chat=a\x00")
