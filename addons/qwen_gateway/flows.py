"""The only file that converts between mitmproxy's flows and our types.

What a flow shows: as its request the Qwen call of the attempt that answered, without credentials; as its response what
the client got; in its comment the story; in its metadata the client's own request, for the twin view and for replays.
"""

import hashlib
import time
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import brotli
import zstandard
from mitmproxy import flow as mitmflow
from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.net.http import status_codes
from mitmproxy.net.http import url as urls

from qwen_gateway.engine.delivery import Client as Recipient
from qwen_gateway.engine.delivery import Headers
from qwen_gateway.exchange import Attempt, Exchange, Sent
from qwen_gateway.openai.errors import BadRequest, OpenAIError, TooLarge
from qwen_gateway.pseudo import header, headers_of

CLIENT, SENT, ATTEMPT, SURFACE = "qwen.client", "qwen.sent", "qwen.attempt", "qwen.surface"
"""Metadata, plain data or saving breaks: the client's own request; a digest of what was sent instead of it; the
exchange that an attempt's flow belongs to; the surface of a request that was let in."""

ATTEMPT_MARK = ":warning:"
"""What marks the flow of a failed attempt; another mark is somebody's own."""

CALLER = "qwen.caller"
"""Who calls: a name of the gateway key that was sent, from which the key cannot be told; not there without keys."""

SHOWN_LIMIT = 1024 * 1024
"""Bytes of a stream that stay with its flow."""

SECRET_HEADERS = frozenset(
    {
        b"authorization", b"x-api-key", b"api-key", b"cookie", b"proxy-authorization", b"openai-organization",
        b"openai-project",
    }
)  # fmt: skip
"""What a client's request carries that nobody else needs to see."""


def caller(flow: http.HTTPFlow) -> str:
    """Whose call it is: what is stored belongs to a key; the empty string where callers need none."""
    return str(flow.metadata.get(CALLER, ""))


def take_secrets(flow: http.HTTPFlow) -> dict[str, str]:
    """Take the client's credentials off the flow, before anyone looks at it.

    Returns:
        The headers, by lower-case name.
    """
    found: dict[str, str] = {}
    kept = []
    for field in flow.request.headers.fields:
        name = field[0].lower()
        if name in SECRET_HEADERS:
            found[name.decode()] = field[1].decode("utf-8", "surrogateescape")
        else:
            kept.append(field)
    if found:
        flow.request.headers.fields = tuple(kept)
    return found


def take_secret_parameters(flow: http.HTTPFlow) -> None:
    """Take credentials out of the URL, where some clients put them; nothing of ours reads them there."""
    if b"?" not in flow.request.data.path:
        return
    for name in ("api_key", "key", "access_token"):
        if name in flow.request.query:
            del flow.request.query[name]


def body_of(request: http.Request, limit: int) -> bytes:
    """The request's body, unpacked within the limit.

    Raises:
        TooLarge: packed or unpacked over the limit.
        BadRequest: a packing that is unknown or broken.
    """
    body = request.raw_content or b""
    for coding in reversed(header(request, b"content-encoding").lower().split(",")):
        name = coding.strip()
        if name in ("", "identity"):
            continue
        if name not in ("gzip", "x-gzip", "deflate", "br", "zstd"):
            raise BadRequest(f"The content encoding '{name[:40]}' is not understood; send gzip or none.", status=415)
        try:
            body = _unpack(body, name, limit)
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
            raise BadRequest(f"The body is not valid {name}: {error}.", code="invalid_encoding") from None
    if len(body) > limit:
        raise TooLarge(f"The body has {len(body)} bytes; the limit is {limit} (qwen_body_limit).")
    return body


def _unpack(body: bytes, coding: str, limit: int) -> bytes:
    """At most one byte more than the limit comes out, whatever is in it."""
    if coding == "br":
        brotli_stream = brotli.Decompressor()
        out = brotli_stream.process(body, output_buffer_limit=limit + 1)
        while not brotli_stream.is_finished() and len(out) <= limit:
            more = brotli_stream.process(b"", output_buffer_limit=limit + 1)
            if not more:
                raise EOFError("it ends too early")
            out += more
    elif coding == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            out = reader.read(limit + 1)
    else:
        raw = coding == "deflate" and body[:1] != b"\x78"
        out, rest = b"", body
        while rest and len(out) <= limit:  # gzip may have several members (RFC 1952 2.2)
            stream = zlib.decompressobj(-15 if raw else 47)  # 47: gzip or zlib, told by the header
            out += stream.decompress(rest, limit + 1 - len(out))
            if not stream.eof and len(out) <= limit:
                raise EOFError("it ends too early")
            rest = stream.unused_data.lstrip(b"\0")
    if len(out) > limit:
        raise TooLarge(f"The body unpacks to more than {limit} bytes (qwen_body_limit).")
    return bytes(out)


def keep_client_request(flow: http.HTTPFlow, body: bytes) -> None:
    """Keep what the client asked, as plain data; its secrets are gone already."""
    flow.metadata[CLIENT] = {
        "method": flow.request.method,
        "url": url_of(flow.request),
        "headers": [
            [name.decode(), value.decode("utf-8", "replace")]
            for name, value in flow.request.headers.fields
            if name.lower() in SHOWN
        ],
        "body": body.decode("utf-8", "replace"),
    }


def url_of(request: http.Request) -> str:
    """What the client asked for, by the name it used; `pretty_url` takes many times as long."""
    host = request.headers.get("host")
    return f"{request.scheme}://{host}{request.path}" if host else request.pretty_url


SHOWN = frozenset({b"accept", b"content-type", b"user-agent", b"openai-beta", b"origin", b"idempotency-key"})
"""Headers of a client that are kept: those that are known to hold no secret."""


def body_to_serve(flow: http.HTTPFlow, limit: int) -> bytes:
    """The body to serve: the client's. A replay serves the client's again, unless someone edited what was sent.

    Raises:
        BadRequest, TooLarge: see `body_of`.
    """
    kept = flow.metadata.get(CLIENT)
    if flow.is_replay and isinstance(kept, dict) and flow.metadata.get(SENT) == digest(flow.request.raw_content):
        return str(kept["body"]).encode()
    return body_of(flow.request, limit)


def digest(body: bytes | None) -> str:
    """What tells an edited body from an unedited one."""
    return hashlib.sha256(body or b"").hexdigest()


@lru_cache(maxsize=256)
def destination(url: str) -> tuple[bytes, str, int, bytes, bytes]:
    """Scheme, host, port, path and Host header of an upstream's URL; there are few of them."""
    scheme, host, port, path = urls.parse(url)
    name = host.decode("idna")
    default = port == (443 if scheme == b"https" else 80)
    shown = f"[{name}]" if ":" in name else name
    return scheme, name, port, path, (shown if default else f"{shown}:{port}").encode()


def show_attempt(flow: http.HTTPFlow, attempt: Attempt) -> None:
    """Rewrite the flow's request to the Qwen call that the attempt makes."""
    data = flow.request.data
    data.method = attempt.method.encode()
    data.scheme, data.host, data.port, data.path, authority = destination(attempt.url)
    data.authority = b""
    fields = [(name.encode(), value.encode()) for name, value in attempt.headers.items()]
    data.headers = headers_of(((b"host", authority), *fields))
    data.content = attempt.body
    flow.metadata[SENT] = digest(attempt.body)


def attempt_flow(parent: http.HTTPFlow, exchange: Exchange, attempt: Attempt) -> http.HTTPFlow:
    """A flow of its own for a failed attempt: what was sent, and what came back if anything did."""
    scheme, host, port, path, _ = destination(attempt.url)
    client: Client = parent.client_conn.copy()
    server = Server(address=(host, port))
    found = http.HTTPFlow(client, server)
    headers = http.Headers([(name.encode(), value.encode()) for name, value in attempt.headers.items()])
    ended = attempt.ended or time.time()
    found.request = http.Request(
        host, port, attempt.method.encode(), scheme, b"", path, b"HTTP/1.1", headers, attempt.body, None,
        attempt.started, attempt.started,
    )  # fmt: skip
    fault = attempt.fault
    said = fault.message if fault else ""
    if attempt.status is not None:
        found.response = http.Response(
            b"HTTP/1.1", attempt.status, status_codes.RESPONSES.get(attempt.status, "").encode(),
            answer_headers(attempt.answer_headers), attempt.answer, None, ended, ended,
        )  # fmt: skip
    if attempt.status is None:
        found.error = mitmflow.Error(said or "no answer", ended)
    found.marked = ATTEMPT_MARK
    found.comment = f"attempt {attempt.number} of {exchange.id} on {attempt.account}: {attempt.verdict} — {said[:300]}"
    found.metadata[ATTEMPT] = exchange.id
    return found


def answer_headers(headers: Mapping[str, str]) -> http.Headers:
    """An upstream's headers as a flow may show them: no cookies, and no encoding, for the body is shown unpacked."""
    kept = ((name, value) for name, value in headers.items() if name.lower() not in UNSHOWN)
    return http.Headers([(name.encode(), value.encode("latin-1", "replace")) for name, value in kept])


UNSHOWN = frozenset({"set-cookie", "content-encoding", "content-length", "transfer-encoding", "connection"})


def error_response(error: OpenAIError, headers: list[tuple[str, str]] | None = None) -> http.Response:
    """An error as the response of a flow."""
    return json_response(error.encode(), error.status, [*error.headers(), *(headers or [])])


def json_response(body: bytes, status: int = 200, headers: list[tuple[str, str]] | None = None) -> http.Response:
    """JSON as the response of a flow."""
    fields: dict[str, Any] = {"content-type": "application/json"}
    for name, value in headers or []:
        fields[name] = value
    return http.Response.make(status, body, fields)


class Shown:
    """Passes an answer on to the client and keeps the beginning of a stream, for whoever looks at the flow."""

    def __init__(self, client: Recipient, sent: Sent | None = None) -> None:
        self._client = client
        self._sent = sent or Sent()

    @property
    def streamed(self) -> bool:
        """Whether the answer is a stream."""
        return self._sent.streamed

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self._sent.status = status
        self._keep(body)
        await self._client.whole(status, headers, body)

    async def begin(self, status: int, headers: Headers) -> None:
        self._sent.status, self._sent.streamed = status, True
        await self._client.begin(status, headers)

    def send_now(self, data: bytes) -> bool:
        if self._client.send_now(data):
            self._keep(data)
            return True
        return False

    async def send(self, data: bytes) -> None:
        self._keep(data)
        await self._client.send(data)

    def _keep(self, data: bytes) -> None:
        sent = self._sent
        if sent.size < SHOWN_LIMIT:
            sent.pieces.append(data)
        sent.size += len(data)

    async def end(self, *, torn: bool) -> None:
        await self._client.end(torn=torn)

    def content(self) -> bytes:
        """The stream as the client got it, or its beginning and how much is missing."""
        kept = b"".join(self._sent.pieces)
        missing = self._sent.size - len(kept)
        return kept + b": %d more bytes were sent\n" % missing if missing else kept


class Collected:
    """An answer for nobody in particular: collected, then set as the response of a replayed flow."""

    def __init__(self) -> None:
        self._status = 200
        self._headers: Headers = []
        self._pieces: list[bytes] = []

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self._status, self._headers = status, headers
        self._pieces.append(body)

    async def begin(self, status: int, headers: Headers) -> None:
        self._status, self._headers = status, headers

    def send_now(self, data: bytes) -> bool:
        self._pieces.append(data)
        return True

    async def send(self, data: bytes) -> None:
        self._pieces.append(data)

    async def end(self, *, torn: bool) -> None:
        """Nothing waits for the end."""

    def response(self) -> http.Response:
        """What was collected."""
        return http.Response.make(self._status, b"".join(self._pieces), dict(self._headers))
