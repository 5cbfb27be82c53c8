"""How a response goes out over HTTP/1.1, whoever wrote its head: as mitmproxy's `Http1Server` does it."""

from typing import NamedTuple

from mitmproxy import http
from mitmproxy.net.http import http1, status_codes


class Framing(NamedTuple):
    """How a body is sent: in chunks or as it is, and whether the connection ends with it."""

    chunked: bool
    closes: bool

    @property
    def last(self) -> bytes:
        """What ends the body."""
        return b"0\r\n\r\n" if self.chunked else b""


CHUNKS = Framing(chunked=True, closes=False)


def framing_of(request: http.Request, response: http.Response) -> Framing:
    """What `Http1Server` reads out of a head, whoever wrote it."""
    try:
        endless = http1.expected_http_body_size(request, response) == -1
    except ValueError:
        endless = False
    return Framing(
        chunked="chunked" in response.headers.get("transfer-encoding", "").lower(),
        closes=endless or http1.connection_close(response.http_version, response.headers),
    )


def as_http1(response: http.Response) -> http.Response:
    """A response that an addon took from another protocol, for HTTP/1.1."""
    if not (response.is_http2 or response.is_http3):
        return response
    response = response.copy()
    response.http_version = "HTTP/1.1"
    response.reason = status_codes.RESPONSES.get(response.status_code, "")
    return response
