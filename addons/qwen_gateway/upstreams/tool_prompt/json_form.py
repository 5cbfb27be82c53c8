"""A call as JSON: `{"name": …, "arguments": {…}}` (upstream.md 3.12)."""

import re
from typing import Any

from qwen_gateway.codec.json import BadJSON, loads
from qwen_gateway.upstreams.tool_prompt.arguments import Settled, mend, settle_json
from qwen_gateway.upstreams.tool_prompt.forms import CLOSERS, Call, Done, More, NoCall, Step
from qwen_gateway.upstreams.tool_prompt.toolbox import Toolbox

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
