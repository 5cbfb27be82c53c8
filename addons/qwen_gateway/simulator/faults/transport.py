"""Faults of the transport: slowness, silence, broken connections, wrong framing, pages from the edge."""

import zlib
from collections.abc import Iterator
from itertools import chain

from ..wire import Drop, Pause, Raw, Reply, Step
from .table import Asked, Fault, Params

FOREVER = float("inf")


def _page(asked: Asked, params: Params) -> Reply:
    status, title = int(params["status"]), str(params["title"])
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1>"
        "</center>\r\n<hr><center>alibaba-ga</center>\r\n</body>\r\n</html>\r\n"
    )
    headers = [("content-type", "text/html"), ("server", "alibaba-ga")]
    return Reply(status, headers, page.encode())


def _text(_: Asked, params: Params) -> Reply:
    return Reply(int(params["status"]), [("content-type", "text/plain")], str(params["text"]).encode())


def _empty(_: Asked, params: Params) -> Reply:
    return Reply(int(params["status"]), [], b"")


def _slow(reply: Reply, params: Params) -> Reply:
    reply.before.append(Pause(float(params["headers"])))
    if params["first"] or params["chunk"]:
        reply.body = _paced(reply.steps(), float(params["first"]), float(params["chunk"]))
    return reply


def _paced(steps: Iterator[Step], first: float, chunk: float) -> Iterator[Step]:
    if first:
        yield Pause(first)
    for step in steps:
        yield step
        if chunk and isinstance(step, bytes):
            yield Pause(chunk)


def _stall_headers(reply: Reply, params: Params) -> Reply:
    reply.before.append(Pause(float(params["seconds"])))
    return reply


def _stall_body(reply: Reply, params: Params) -> Reply:
    reply.body = chain([Pause(float(params["seconds"]))], reply.steps())
    return reply


def _drop_before(reply: Reply, params: Params) -> Reply:
    reply.before.append(Drop(reset=bool(params["reset"]), connection=True))
    return reply


def _drop_in_headers(reply: Reply, params: Params) -> Reply:
    drop = Drop(reset=bool(params["reset"]), connection=True)
    reply.before += [Raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/ev"), drop]
    return reply


def _drop_after_headers(reply: Reply, params: Params) -> Reply:
    reply.body = iter((Drop(reset=bool(params["reset"])),))
    return reply


def _drop_body(reply: Reply, params: Params) -> Reply:
    if isinstance(reply.body, bytes):
        missing = len(reply.body) - len(reply.body) // 2
        reply.body = reply.body[:-missing] or b" "
        reply.lie = missing
    else:
        reply.body = chain(reply.body, [Drop(reset=bool(params["reset"]))])
    return reply


def _length(reply: Reply, params: Params) -> Reply:
    reply.body = b"".join(step for step in reply.steps() if isinstance(step, bytes))
    reply.lie = int(params["bytes"])
    return reply


def _content_type(reply: Reply, params: Params) -> Reply:
    reply.set_header("content-type", str(params["type"]))
    return reply


def _retry_after(reply: Reply, params: Params) -> Reply:
    reply.set_header("retry-after", str(params["seconds"]))
    return reply


def _gzip(reply: Reply, _: Params) -> Reply:
    reply.set_header("content-encoding", "gzip")
    press = zlib.compressobj(wbits=31)
    if isinstance(reply.body, bytes):
        reply.body = press.compress(reply.body) + press.flush()
    else:
        reply.body = _pressed(reply.steps())
    return reply


def _pressed(steps: Iterator[Step]) -> Iterator[Step]:
    press = zlib.compressobj(wbits=31)
    for step in steps:
        yield press.compress(step) + press.flush(zlib.Z_SYNC_FLUSH) if isinstance(step, bytes) else step
    yield press.flush()


_RESET: Params = {"reset": 0}
_STALL: Params = {"seconds": FOREVER}

FAULTS = [
    Fault(
        "slow",
        "",
        "delays in seconds before the headers, the first byte, and after each piece",
        {"headers": 0.0, "first": 0.0, "chunk": 0.0},
        whole=_slow,
    ),
    Fault("stall-headers", "", "no answer at all", _STALL, whole=_stall_headers),
    Fault("stall-body", "", "headers, then silence", _STALL, whole=_stall_body),
    Fault("drop-before-headers", "", "the connection breaks before the headers", _RESET, whole=_drop_before),
    Fault("reset", "", "RST in place of an answer", {"reset": 1}, whole=_drop_before),
    Fault("drop-in-headers", "", "it breaks inside the headers", _RESET, whole=_drop_in_headers),
    Fault("drop-after-headers", "", "it breaks after the headers", _RESET, whole=_drop_after_headers),
    Fault("truncated", "", "the body stops: no last chunk, or half of the length", _RESET, whole=_drop_body),
    Fault("length-too-long", "", "Content-Length says more than comes", {"bytes": 100}, whole=_length),
    Fault("length-too-short", "", "Content-Length says less than comes", {"bytes": -10}, whole=_length),
    Fault("wrong-content-type", "4.5", "another content type", {"type": "text/plain"}, whole=_content_type),
    Fault("retry-after", "4.4", "a Retry-After header", {"seconds": 7}, whole=_retry_after),
    Fault("gzip", "", "the answer is compressed, asked or not", whole=_gzip),
    Fault(
        "text-500",
        "",
        "a plain text error",
        {"status": 500, "text": "Internal Server Error"},
        reply=_text,
    ),
    Fault("empty-200", "", "a 200 without a body", {"status": 200}, reply=_empty),
    Fault("empty-404", "4.7", "404 without a body", {"status": 404}, reply=_empty),
    Fault("bad-gateway", "4.6", "502 from the edge, HTML", {"status": 502, "title": "Bad Gateway"}, reply=_page),
    Fault(
        "service-unavailable",
        "2.12",
        "503 from the edge, HTML",
        {"status": 503, "title": "Service Temporarily Unavailable"},
        reply=_page,
    ),
    Fault(
        "gateway-timeout", "2.12", "504 from the edge, HTML", {"status": 504, "title": "Gateway Time-out"}, reply=_page
    ),
]
