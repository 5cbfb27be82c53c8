"""A browser's "copy as cURL" → the session in it, and nothing else of the request.

Two forms: that for a POSIX shell, with `'…'` and `$'…'`, and that for Windows' cmd, where `^` escapes.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from qwen_auth.errors import AccountError
from qwen_auth.web.session import BROWSER, Session, parse_cookies

REMEDY = "in the browser's network tab, right-click a request to /api/v2/chat/completions, Copy, Copy as cURL"

_WORD = re.compile(
    r"""\$'(?P<ansi>(?:[^'\\]|\\.)*)' | '(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)"
      | \\(?P<escaped>.) | (?P<plain>[^\s'"\\])""",
    re.VERBOSE | re.DOTALL,
)
_ARGUMENTS = frozenset(
    {
        "-X", "--request", "-d", "--data", "--data-raw", "--data-binary", "--data-urlencode", "--data-ascii", "-x",
        "--proxy", "-e", "--referer", "-u", "--user", "-o", "--output", "-m", "--max-time", "--connect-timeout",
        "--cacert", "-F", "--form", "--json", "--resolve",
    }
)  # fmt: skip
"""Options with an argument that is none of our business."""


def parse_curl(text: str) -> tuple[str, Session]:
    """The address that the request went to (`https://host`), and the session.

    Raises:
        AccountError: it is no cURL command, or there is no session in it.
    """
    words = list(split(text))
    if not words or words[0].removesuffix(".exe") != "curl":
        raise AccountError(f"that is no cURL command: {REMEDY}")
    headers: dict[str, str] = {}
    url = ""
    rest = iter(words[1:])
    for word in rest:
        option, argument = word, ""
        if word.startswith("--") and "=" in word:
            option, _, argument = word.partition("=")
        elif word[:2] in ("-H", "-b", "-A") and len(word) > 2:
            option, argument = word[:2], word[2:]
        if option in ("-H", "--header", "-b", "--cookie", "-A", "--user-agent", "--url") or option in _ARGUMENTS:
            argument = argument or next(rest, "")
        if option in ("-H", "--header"):
            name, _, value = argument.partition(":")
            headers[name.strip().lower()] = value.strip()
        elif option in ("-b", "--cookie"):
            headers["cookie"] = argument.strip()
        elif option in ("-A", "--user-agent"):
            headers["user-agent"] = argument.strip()
        elif option == "--url" or not word.startswith("-"):
            url = url or argument or word
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AccountError(f"the command has no address: {REMEDY}")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", _session(headers)


def _session(headers: dict[str, str]) -> Session:
    """What of the headers makes a session (3.1); bodies, referers and ids stay behind."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    try:
        cookies = parse_cookies(headers.get("cookie", ""))
    except ValueError as error:
        raise AccountError(str(error)) from None
    kept = tuple((name, headers[name]) for name in BROWSER if headers.get(name))
    for name, value in (*kept, ("authorization", token), ("bx-umidtoken", headers.get("bx-umidtoken", ""))):
        if not (value.isprintable() and value.isascii()):
            raise AccountError(f"the header {name} has characters that no header carries; copy the command again")
    session = Session(
        bearer=token.strip() if scheme.lower() == "bearer" else "",
        umidtoken=headers.get("bx-umidtoken", ""),
        cookies=cookies,
        headers=kept,
    )
    if session.guest and not (session.umidtoken and session.cookies):
        raise AccountError(
            "the command carries no session: neither a token, nor bx-umidtoken with cookies. Copy a request that the "
            f"page itself made: {REMEDY}"
        )
    return session


def split(text: str) -> Iterator[str]:
    """The words of the command, as the shell it was copied for would see them."""
    text = text.strip().removeprefix("\ufeff").lstrip()
    if '^"' in text or re.search(r"\^\r?\n", text):
        text = re.sub(r"\^(\r?\n|.)", lambda found: " " if found[1][-1] == "\n" else found[1], text)
    text = re.sub(r"\\\r?\n", " ", text)
    word: list[str] | None = None
    position = 0
    while position < len(text):
        found = _WORD.match(text, position)
        if found is None:
            if not text[position].isspace():
                raise AccountError(f"a quote is open at character {position + 1}; copy the whole command: {REMEDY}")
            if word is not None:
                yield "".join(word)
            word = None
            position += 1
            continue
        word = [] if word is None else word
        kind = found.lastgroup or ""
        piece = found[kind]
        if kind == "ansi":
            piece = _unescape(piece)
        elif kind == "double":
            piece = re.sub(r'\\(["\\$`])', r"\1", piece)
        word.append(piece)
        position = found.end()
    if word is not None:
        yield "".join(word)


def _unescape(text: str) -> str:
    """The text of `$'…'`; what is no escape stays."""
    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[ntr'\"\\])",
        lambda found: str(codecs.decode(found[0], "unicode_escape")),
        text,
    )
