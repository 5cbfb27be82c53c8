"""A tool call's arguments while they come: what may be shown of them is always the beginning of a JSON object.

Models write JSON by heart. The usual slips are mended in passing: fences and words around the object, raw newlines and
quotes within strings, wrong escapes, single quotes, bare keys, commas too many, Python's constants. A closing quote or
a comma waits for what follows, which tells what it was. What cannot be read stops the showing; `finish` then says
whether the arguments can be made whole.
"""

import re
from typing import Any, Literal

from qwen_gateway.codec.json import BadJSON, dumps, loads
from qwen_gateway.upstreams.repair import repaired

Expected = Literal["start", "key", "colon", "value", "comma", "string", "over", "broken"]

BLOCK = 4_096
"""Characters that are looked at in one go."""

SPACE = re.compile(r"[ \t\r\n]*")
PLAIN = {'"': re.compile(r'[^"\\\x00-\x1f]+'), "'": re.compile(r"[^'\"\\\x00-\x1f]+")}
ESCAPE = re.compile(r"\\(?:[\"\\/bfnrt]|u[0-9a-fA-F]{4})")
HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
ATOM = re.compile(r"[^\s,:\]}{\[\"']+")
KEY = re.compile(r"[A-Za-z_$][\w$-]*")
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
CONSTANTS = {
    "true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null",
    "undefined": "null",
}  # fmt: skip
CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class Arguments:
    """One call's arguments.

    Attributes:
        mended: something was not as it should be.
    """

    def __init__(self) -> None:
        self.mended = False
        self._raw: list[str] = []
        self._rest = ""
        self._expected: Expected = "start"
        self._stack: list[str] = []
        self._quote = '"'
        self._is_key = False
        self._comma = False  # seen, and shown with what follows
        self._opened = False  # the outermost brace, likewise
        self._shown = False

    def feed(self, piece: str) -> str:
        """More of them; what may be shown now."""
        if not self._raw and sound(piece) and piece.strip() != "{}":
            self._raw.append(piece)
            self._expected, self._shown = "over", True
            return piece
        self._raw.append(piece)
        out: list[str] = []
        for start in range(0, len(piece), BLOCK):  # the rest is copied with each token: it must stay short
            self._rest += piece[start : start + BLOCK]
            while self._step(out):
                pass
        text = "".join(out)
        self._shown = self._shown or bool(text)
        return text

    @property
    def raw(self) -> str:
        """As they came."""
        return "".join(self._raw)

    def finish(self) -> str | None:
        """No more comes: what makes them whole, or None when they cannot be."""
        if self._expected == "over":
            self.mended = self.mended or bool(self._rest.strip())
            return ""
        if not self._shown:
            return self.whole()
        if self._expected == "broken":
            return None
        self.mended = True
        return self._close()

    def whole(self) -> str | None:
        """Where nothing was shown: one JSON object out of whatever can be read of the text."""
        text = self.raw.strip()
        if not text:
            return "{}"
        value = read(text)
        if isinstance(value, str):  # JSON within JSON
            value = read(value)
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            value = next((item for item in reversed(value) if item), {})  # `{}{"a": 1}`
        if not isinstance(value, dict):
            return None
        if sound(text):
            return text
        self.mended = True
        return dumps(value).decode()

    def _step(self, out: list[str]) -> bool:
        """Read one token; False when more must come first."""
        if self._expected == "string":
            return self._string(out)
        if self._expected in ("over", "broken"):
            return False
        if self._expected == "start":
            return self._start()
        space = SPACE.match(self._rest)
        assert space is not None
        rest = self._rest[space.end() :]
        if not rest:
            return False
        step = {"key": self._key, "colon": self._colon, "value": self._value, "comma": self._after}[self._expected]
        taken = step(rest, out, space[0])
        if taken == 0:
            return False
        self._rest = rest[taken:]
        return self._expected != "broken"

    def _start(self) -> bool:
        """What stands before the object is left out: fences, tags, words."""
        place = self._rest.find("{")
        quote = self._rest.find('"')
        if place < 0 or 0 <= quote < place:
            if quote >= 0:
                self._expected = "broken"  # JSON within JSON, perhaps: `finish` will see
            return False
        self.mended = self.mended or bool(self._rest[:place].strip())
        self._rest = self._rest[place + 1 :]
        self._opened, self._expected = True, "key"
        self._stack = ["}"]
        return True

    def _open(self, out: list[str]) -> None:
        """Show what waited for the next token."""
        if self._opened:
            out.append("{")
            self._opened = False
        if self._comma:
            out.append(",")
            self._comma = False

    def _key(self, rest: str, out: list[str], space: str) -> int:
        if rest[0] == "}":
            return self._pop(out, space)
        if rest[0] in "\"'":
            self._begin_string(rest[0], out, space, is_key=True)
            return 1
        found = KEY.match(rest)
        if found and found.end() == len(rest):
            return 0
        if found and rest[found.end() :].lstrip()[:1] in (":", ""):
            self._open(out)
            out.append(f'{space}"{found[0]}"')
            self.mended, self._expected = True, "colon"
            return found.end()
        return self._break()

    def _colon(self, rest: str, out: list[str], space: str) -> int:
        if rest[0] != ":":
            return self._break()
        out.append(space + ":")
        self._expected = "value"
        return 1

    def _value(self, rest: str, out: list[str], space: str) -> int:
        first = rest[0]
        if first == "]" and self._stack[-1] == "]":
            return self._pop(out, space)
        if first in "\"'":
            self._begin_string(first, out, space, is_key=False)
            return 1
        if first in "{[":
            self._open(out)
            out.append(space + first)
            self._stack.append("}" if first == "{" else "]")
            self._expected = "key" if first == "{" else "value"
            return 1
        atom = ATOM.match(rest)
        if atom is None:
            return self._break()
        if atom.end() == len(rest):
            return 0  # it may go on
        text = CONSTANTS.get(atom[0]) or (atom[0] if NUMBER.fullmatch(atom[0]) else "")
        if not text:
            return self._break()
        self.mended = self.mended or text != atom[0]
        self._open(out)
        out.append(space + text)
        self._expected = "comma"
        return atom.end()

    def _after(self, rest: str, out: list[str], space: str) -> int:
        first = rest[0]
        if first in "}]":
            return self._pop(out, space)
        self._expected = "key" if self._stack[-1] == "}" else "value"
        self._comma = True
        if first == ",":
            return 1
        if first in "\"'{[":  # a comma too few
            self.mended = True
            self._rest = rest
            return self._key(rest, out, space) if self._expected == "key" else self._value(rest, out, space)
        return self._break()

    def _pop(self, out: list[str], space: str) -> int:
        if self._rest.lstrip()[:1] != self._stack[-1]:
            return self._break()
        if self._opened:  # an empty object: something better may follow
            self._opened, self._expected = False, "start"
            self._stack = []
            return 1
        self.mended = self.mended or self._comma
        self._comma = False
        out.append(space + self._stack.pop())
        self._expected = "comma" if self._stack else "over"
        return 1

    def _break(self) -> int:
        self._expected = "broken"
        self.mended = True
        return 1

    def _begin_string(self, quote: str, out: list[str], space: str, *, is_key: bool) -> None:
        self._open(out)
        out.append(space + '"')
        self.mended = self.mended or quote == "'"
        self._quote, self._is_key, self._expected = quote, is_key, "string"

    def _string(self, out: list[str]) -> bool:
        """The next piece of a string."""
        rest = self._rest
        if not rest:
            return False
        if plain := PLAIN[self._quote].match(rest):
            out.append(plain[0])
            self._rest = rest[plain.end() :]
            return True
        first = rest[0]
        if first == "\\":
            if HALF_ESCAPE.match(rest):
                return False
            escape = ESCAPE.match(rest)
            taken = escape[0] if escape else rest[:2]
            if not escape:
                self.mended = True
            out.append(escape[0] if escape else "'" if taken == "\\'" else "\\\\")
            self._rest = rest[len(taken) if escape or taken == "\\'" else 1 :]
            return True
        if first == self._quote:
            closes = self._closes(rest[1:])
            if closes is None:
                return False
            if closes:
                out.append('"')
                self._expected = "colon" if self._is_key else "comma"
            else:
                out.append('\\"' if first == '"' else "'")
                self.mended = True
            self._rest = rest[1:]
            return True
        out.append('\\"' if first == '"' else CONTROLS.get(first) or f"\\u{ord(first):04x}")
        self.mended = True
        self._rest = rest[1:]
        return True

    def _closes(self, behind: str) -> bool | None:
        """Whether a quote ends the string, by what stands behind it; None: that has not come yet."""
        behind = behind.lstrip(" \t\r\n")
        if not behind:
            return None
        if self._is_key:
            return behind[0] == ":"
        if behind[0] == self._stack[-1]:
            return True
        if behind[0] == "," and self._stack[-1] == "}":
            after = behind[1:].lstrip(" \t\r\n")
            key = KEY.match(after)
            after = after[key.end() :].lstrip(" \t\r\n") if key else after
            return after[0] in (":" if key else "\"'}") if after else None
        return behind[0] == ","

    def _close(self) -> str | None:
        """Complete what was cut off; a name without its value cannot be."""
        end = ""
        if self._expected == "string":
            if self._is_key:
                return None
            end = '"'
        elif self._expected == "colon":
            return None
        elif self._expected == "value":
            rest = self._rest.strip()
            whole = next((word for word in CONSTANTS if rest and word.startswith(rest)), "")
            atom = CONSTANTS.get(whole) or (rest if NUMBER.fullmatch(rest) else "")
            if not atom and (rest or self._stack[-1] == "}"):
                return None
            end = ("," if self._comma and atom else "") + atom
        return end + "".join(reversed(self._stack))


def sound(text: str) -> bool:
    """Whether the text is one JSON object."""
    try:
        return isinstance(loads(text), dict)
    except BadJSON:
        return False


def read(text: str) -> Any:
    """The value in a text that should be JSON and need not be; None when there is none."""
    try:
        return loads(text)
    except BadJSON:
        return repaired(text) or None
