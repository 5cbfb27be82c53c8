"""An ordinary request over HTTP/1.1, read off a connection's bytes in one go.

Ordinary: a POST in origin form, headers of one line each, a body of known length, a connection that stays. Everything
else is for a whole parser: what is read here reads the same there (`tests/test_plain_request.py` compares them).
"""

import re
from typing import NamedTuple

START = b"POST /"

HEAD = re.compile(
    rb"POST (/[!-~]*) HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n)+)"
    rb"\r\n"
)  # fmt: skip
"""RFC 9112 2.1 without its leniencies: no folded lines, no bare LF, no space before a colon.

Each byte can be matched in one way only: with two, a bad line after forty good ones would take days to refuse.
"""

LENGTH = re.compile(rb"0|[1-9][0-9]{0,15}")

EXTRAORDINARY = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"http2-settings"})
"""Headers that say something about the message or the connection that needs more than reading so many bytes."""


class Head(NamedTuple):
    """A request's head.

    Attributes:
        fields: the headers as they came, without the space around their values.
        length: bytes of the body.
    """

    path: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    length: int


def read_head(head: bytes) -> Head | None:
    """Read a head, its empty line included; None when it is not ordinary."""
    found = HEAD.fullmatch(head)
    if found is None:
        return None
    fields = []
    length: bytes | None = None
    for line in found[2].split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        value = value.strip()
        fields.append((name, value))
        lower = name.lower()
        if lower == b"content-length":
            if length is not None:
                return None
            length = value
        elif lower in EXTRAORDINARY or (lower == b"connection" and value.lower() != b"keep-alive"):
            return None
    if length is None or not LENGTH.fullmatch(length):
        return None
    return Head(found[1], tuple(fields), int(length))
