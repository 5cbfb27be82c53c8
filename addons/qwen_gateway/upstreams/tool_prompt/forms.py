"""The forms in which models write a call, each read piece by piece (upstream.md 3.12).

`advance` is given all the text since the call's beginning, as much of it as there is, and answers whether the call is
complete, is none, or needs more. It answers the same for a text whichever way it came: nothing is decided before enough
is there to see.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.upstreams.tool_prompt.arguments import Settled, mend, settle_json, settle_tags
from qwen_gateway.upstreams.tool_prompt.toolbox import Tool, Toolbox, squeeze

CLOSERS = ("</tool_call>", "</tool_calls>", "</function_call>", "</function_calls>")
"""Ends of a block of calls."""


@dataclass(slots=True)
class Call:
    """One call, read to its end."""

    name: str
    settled: Settled


@dataclass(slots=True)
class More:
    """Nothing can be said yet, except perhaps whose call it is."""

    name: str | None = None


@dataclass(slots=True)
class Done:
    """Complete.

    Attributes:
        end: where the text goes on.
        torn: it was not complete, and the text is over.
    """

    end: int
    calls: list[Call] = field(default_factory=list)
    torn: bool = False


class NoCall:
    """Prose after all."""


Step = More | Done | NoCall


class Form(Protocol):
    """A call that is being read."""

    def advance(self, text: str, *, final: bool) -> Step:
        """Read on.

        Args:
            text: everything from the form's beginning on; it only grows.
            final: there will be no more.
        """


_NAME = re.compile(r'\{\s*"(?:name|tool_name)"\s*:\s*"([^"\\]{1,200})"\s*,')
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.:/-]{0,127}")
_STRUCTURE = re.compile(r'["{}\[\]<]|\\.', re.DOTALL)


_NEXT = ("<tool_call>", "<function_call>")
"""What follows a closing tag where a quote is missing: within a sound string a line end would be escaped."""


class JsonForm:
    """`{"name": …, "arguments": {…}}`, or a list of such objects.

    The end is where the brackets close; a closing tag outside of strings ends it as well. Where a quote is missing the
    brackets never close: then the first closing tag that a next call or the end of the text follows is taken.
    """

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._name: str | None = None
        self._at = 0
        self._depth = 0
        self._string = False
        self._closer: int | None = None  # the first closing tag within what looks like a string

    def advance(self, text: str, *, final: bool) -> Step:
        if self._name is None and (found := _NAME.match(text)) and (tool := self._toolbox.find(found[1])):
            self._name = tool.name
        end = self._scan(text, final=final)
        if end is None and final and self._string and self._closer is not None:
            end = self._closer
        if end is not None:
            calls = self._calls(text[:end], mended=False)
            return Done(end, calls) if calls else NoCall()
        if not final:
            return More(self._name)
        # The brackets are open and the text is over: what is missing is added, unless a string is cut.
        calls = self._calls(text, mended=True)
        return Done(len(text), calls, torn=self._string or not calls)

    def _scan(self, text: str, *, final: bool) -> int | None:
        while found := _STRUCTURE.search(text, self._at):
            sign, place = found[0], found.start()
            self._at = found.end()
            if sign == "<":
                tag = next((one for one in CLOSERS if text.startswith(one, place)), None)
                if tag is None:
                    if not final and any(one.startswith(text[place : place + len(one)]) for one in CLOSERS):
                        self._at = place
                        return None
                    continue
                after = text[place + len(tag) : place + len(tag) + 200].lstrip()
                if not self._string or after.startswith(_NEXT) or (final and not after):
                    return place
                if not final and (not after or any(one.startswith(after) for one in _NEXT)):
                    self._at = place
                    return None
                self._closer = place if self._closer is None else self._closer
            elif sign == '"':
                self._string = not self._string
            elif sign[0] != "\\" and not self._string:
                self._depth += 1 if sign in "{[" else -1
                if self._depth <= 0:
                    return found.end()
        # A backslash at the end of the text is looked at again, with what it escapes.
        self._at = max(self._at, len(text) - 1) if text.endswith("\\") else len(text)
        return None

    def _calls(self, text: str, *, mended: bool) -> list[Call]:
        try:
            value: Any = loads(text)
        except BadJSON:
            mended = True
            value, _ = mend(text)
        values = value if isinstance(value, list) else [value]
        calls = [call for one in values if (call := self._call(one, mended=mended))]
        if self._name is not None and not calls:
            return [Call(self._name, Settled("{}", "the arguments are no JSON", mended=True))]
        return calls

    def _call(self, value: Any, *, mended: bool) -> Call | None:
        if not isinstance(value, dict):
            return None
        name, arguments = _parts(value)
        if not name and len(self._toolbox.tools) == 1:
            name, arguments = next(iter(self._toolbox.tools)), value
        tool = self._toolbox.find(self._name or name)
        if tool is None and not _IDENTIFIER.fullmatch(name):
            return None
        return Call(tool.name if tool else name, settle_json(tool, arguments, mended=mended))


def _parts(value: dict[str, Any]) -> tuple[str, Any]:
    """Name and arguments, under the keys that models use for them."""
    function = value.get("function")
    if isinstance(function, dict):
        return _parts(function)
    name = next(
        (value[key] for key in ("name", "tool_name", "function", "tool") if isinstance(value.get(key), str)), ""
    )
    for key in ("arguments", "parameters", "args", "input", "tool_input", "params"):
        if key in value:
            return str(name), value[key]
    return str(name), {
        key: one for key, one in value.items() if key not in ("name", "tool_name", "function", "tool", "id", "type")
    }


_PARAMETER = re.compile(r"<parameter(?:=|\s+name\s*=\s*)\"?([^\s\">]{1,200})\"?\s*>")
_FUNCTION = re.compile(r"<function(?:=|\s+name\s*=\s*)\"?([^\s\">]{1,200})\"?\s*>")


class TagForm:
    """Parameters between tags, Qwen3-Coder's (`<function=NAME><parameter=KEY>`) or seed B's (`<NAME><KEY>`).

    A value may contain tags. So the closing tag of a parameter counts only when the next parameter or the end of the
    call follows it; a parameter that is never closed ends with the call.
    """

    def __init__(
        self, toolbox: Toolbox, tool: Tool | None, name: str, *, start: int, coder: bool, sure: bool, lone: bool = False
    ) -> None:
        self._tool = tool
        self._name = tool.name if tool else name
        self._coder = coder
        self._sure = sure  # whether it is a call beyond doubt: otherwise its first parameter must be a known one
        self._at = start
        self._key: str | None = None
        self._from = start
        self._pairs: list[tuple[str, str]] = []
        self._end = "</function>" if coder else f"</{name}>"
        self._ends = (self._end, *CLOSERS)
        self._toolbox = toolbox
        self._lone = lone  # text in place of the one parameter is a call as well

    def advance(self, text: str, *, final: bool) -> Step:
        while True:
            step = self._value(text, final=final) if self._key is not None else self._between(text, final=final)
            if step is not None:
                return step

    def _between(self, text: str, *, final: bool) -> Step | None:
        """Between two parameters: the next one, or the end."""
        place = _skip(text, self._at)
        rest = text[place : place + 220]
        if not rest or (not final and self._may_become(rest)):
            if not rest and final and not self._sure:
                return NoCall()
            if not final or not self._sure:
                return More(self._name if self._sure else None)
            lacking = not self._pairs and self._tool is not None and bool(self._tool.required)
            return self._finish(place, torn=lacking)
        if rest.startswith(self._end):
            if not self._sure and not self._pairs and self._tool is not None and self._tool.required:
                return NoCall()
            return self._finish(place + len(self._end))
        if self._sure and rest.startswith(CLOSERS):
            return self._finish(place)
        opening = _PARAMETER.match(rest) if self._coder else re.match(r"<([^\s<>/=]{1,200})(\s*/)?>", rest)
        if opening is None:
            return self._stray(text, place, final=final)
        key = opening[1]
        if not self._coder:
            known = self._tool is not None and (self._knows(key) or not self._tool.properties)
            if not known and (not self._sure or self._toolbox.find(key) is not None):
                return self._finish(place) if self._sure else NoCall()
            if opening[2]:
                self._pairs.append((key, ""))
                self._sure, self._at = True, place + opening.end()
                return None
        self._sure = True
        self._key, self._at = key, place + opening.end()
        self._from = self._at
        return None

    def _stray(self, text: str, place: int, *, final: bool) -> Step | None:
        """Something between parameters that is none: JSON in place of tags, the next call, or noise."""
        if text[place] == "{" and not self._pairs:
            end = _closing_tag(text, self._ends, place)
            if end is None and not final:
                return More(self._name if self._sure else None)
            if end is None and not self._sure:
                return NoCall()
            body = text[place : end if end is not None else len(text)]
            settled = settle_json(self._tool, body)
            if settled.arguments == "{}" and not self._sure:
                return NoCall()
            return self._done(end if end is not None else len(text), settled, text)
        if not self._sure:
            return self._bare_text(text, final=final) if self._lone else NoCall()
        if text[place] == "<":
            return self._finish(place)
        following = text.find("<", place)
        if following < 0:
            if final:
                return self._finish(len(text))
            return More(self._name)
        self._at = following
        return None

    def _bare_text(self, text: str, *, final: bool) -> Step:
        """`<execute_command>ls</execute_command>`: the tool's one parameter without its tags."""
        assert self._tool is not None
        others = "|".join(re.escape(name) for name in self._toolbox.tools)
        found = re.compile(rf"{re.escape(self._end)}|<(?:tool_call|{others})>").search(text, self._from)
        if found is None:
            return NoCall() if final else More()
        end = found.start()
        if found[0] != self._end:
            return NoCall()
        names = list(self._tool.required) or list(self._tool.properties)
        self._pairs.append((names[0], text[self._from : end]))
        return self._finish(end + len(self._end))

    def _knows(self, key: str) -> bool:
        return self._tool is not None and (
            key in self._tool.properties or squeeze(key) in {squeeze(name) for name in self._tool.properties}
        )

    def _value(self, text: str, *, final: bool) -> Step | None:
        """Within a value: its end, when what follows shows that it is."""
        assert self._key is not None
        closing = "</parameter>" if self._coder else f"</{self._key}>"
        place = self._at
        while True:
            found = text.find("<", place)
            if found < 0:
                break
            rest = text[found : found + 220]
            if rest.startswith(closing):
                after = found + len(closing)
                verdict = self._follows(text, after, final=final)
                if verdict is None:
                    self._at = found
                    return More(self._name)
                if verdict:
                    self._take(text[self._from : found], after)
                    return None
            elif self._coder and (opening := _PARAMETER.match(rest)) and self._is_next(opening[1], text, found):
                self._take(text[self._from : found], found)  # the closing tag was left out
                return None
            elif not final and self._partial(rest, closing):
                self._at = found
                return More(self._name)
            place = found + 1
        self._at = len(text)
        if not final:
            return More(self._name)
        return self._torn(text, closing)

    def _follows(self, text: str, after: int, *, final: bool) -> bool | None:
        """Whether the next parameter or the end of the call comes here; None: too little is there to see."""
        place = _skip(text, after)
        rest = text[place : place + 220]
        if not rest:
            return True if final else None
        if rest.startswith(self._ends):
            return True
        opening = _PARAMETER.match(rest) if self._coder else re.match(r"<([^\s<>/=]{1,200})(?:\s*/)?>", rest)
        if opening is not None and (self._coder or self._knows(opening[1])):
            return True
        return None if not final and self._may_become(rest) else False

    def _is_next(self, key: str, text: str, place: int) -> bool:
        before = text[max(0, place - 100) : place].rstrip(" \t")
        return key != self._key and self._knows(key) and before.endswith("\n")

    def _may_become(self, rest: str) -> bool:
        """Whether a tag that matters may be cut off here."""
        if rest[0] != "<":
            return False
        if any(end.startswith(rest) for end in self._ends):
            return True
        if self._coder:
            return _opens(rest, "<parameter")
        return len(rest) < 200 and ">" not in rest and re.fullmatch(r"<[^\s<>/=]*\s*/?", rest) is not None

    def _partial(self, rest: str, closing: str) -> bool:
        return closing.startswith(rest) or (self._coder and _opens(rest, "<parameter"))

    def _take(self, value: str, after: int) -> None:
        assert self._key is not None
        self._pairs.append((self._key, value))
        self._key, self._at = None, after

    def _torn(self, text: str, closing: str) -> Step:
        """The text is over within a value: a closing tag that nothing followed, or the call's own end, will do."""
        end = text.find(self._end, self._from)
        if end < 0:
            end = min((place for tag in CLOSERS if (place := text.find(tag, self._from)) >= 0), default=-1)
        closed = text.rfind(closing, self._from, end if end >= 0 else len(text))
        whole = closed if closed >= 0 else end if end >= 0 else len(text)
        after = end if end >= 0 else closed + len(closing) if closed >= 0 else len(text)
        self._take(text[self._from : whole], after)
        after += len(self._end) if text.startswith(self._end, after) else 0
        return self._finish(after, torn=end < 0 and closed < 0)

    def _finish(self, end: int, *, torn: bool = False) -> Step:
        return Done(end, [Call(self._name, settle_tags(self._tool, self._pairs))], torn)

    def _done(self, end: int, settled: Settled, text: str) -> Step:
        end += len(self._end) if text.startswith(self._end, end) else 0
        return Done(end, [Call(self._name, settled)])


def function_opening(text: str) -> re.Match[str] | None:
    """The opening tag of Qwen3-Coder's form."""
    return _FUNCTION.match(text)


def _opens(rest: str, head: str) -> bool:
    """Whether a tag with this head may be cut off here."""
    return head.startswith(rest) or (rest.startswith(head) and ">" not in rest and "\n" not in rest and len(rest) < 200)


def _skip(text: str, place: int) -> int:
    """The next place that is no blank."""
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _closing_tag(text: str, tags: tuple[str, ...], start: int) -> int | None:
    places = [place for tag in tags if (place := text.find(tag, start)) >= 0]
    return min(places) if places else None
