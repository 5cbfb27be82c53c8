"""A call as tags: Qwen3-Coder's form and seed B's (upstream.md 3.12)."""

import re

from qwen_gateway.upstreams.tool_prompt.arguments import Settled, settle_json, settle_tags
from qwen_gateway.upstreams.tool_prompt.forms import CLOSERS, Call, Done, More, NoCall, Step
from qwen_gateway.upstreams.tool_prompt.toolbox import Tool, Toolbox, squeeze

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
