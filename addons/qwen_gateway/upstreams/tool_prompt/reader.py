"""The text of one answer, piece by piece, into what the client may see and the calls in it.

A tag that may begin a call is held back until it is clear that it does, or does not; what is no call comes out as it
came in. The result is the same however the text is cut.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qwen_gateway.upstreams.tool_prompt.arguments import settle_tags
from qwen_gateway.upstreams.tool_prompt.forms import CLOSERS, Call, Done, Form, More
from qwen_gateway.upstreams.tool_prompt.json_form import JsonForm
from qwen_gateway.upstreams.tool_prompt.prose import Prose
from qwen_gateway.upstreams.tool_prompt.tag_form import TagForm, function_opening
from qwen_gateway.upstreams.tool_prompt.toolbox import Toolbox

OPENERS = ("<tool_call>", "<tool_calls>", "<function_call>", "<function_calls>")
"""Beginnings of a block of calls."""
THINKING, THOUGHT = "<think>", "</think>"
RESULTS = ("<tool_response", "Tool Result from ")
"""Beginnings of a tool's answer, which only we may write."""


@dataclass(slots=True)
class Said:
    """Text for the client."""

    text: str


@dataclass(slots=True)
class Named:
    """A call has begun: its arguments follow with the next `Called` or `Torn`."""

    name: str


@dataclass(slots=True)
class Called:
    """A call is complete."""

    call: Call


@dataclass(slots=True)
class Torn:
    """The text ended within a call.

    Attributes:
        named: the call was told of.
        call: what there is of it.
    """

    named: bool
    call: Call | None = None


Piece = Said | Named | Called | Torn


class Reader:
    """Reads one answer.

    Args:
        tags: tools may be called by tags of their names (seed B's convention); otherwise only by `<tool_call>` and
            `<function=NAME>`, which nobody writes by chance.
    """

    def __init__(self, toolbox: Toolbox, *, tags: bool = True) -> None:
        self.called = 0
        self._toolbox = toolbox
        self._tags = tags
        names = tuple(f"<{name}" for name in toolbox.tools)
        self._heads = (*OPENERS, *CLOSERS, "<function", *(names if tags else ()))
        self._block_heads = (*CLOSERS, *OPENERS, "<function", "json", *names)
        self._prose = Prose()
        self._text = ""  # what is not decided yet
        self._held = ""  # blanks that are shown only when text follows
        self._form: Form | None = None
        self._named = False
        self._block: str | None = None  # the opening tag of the block we are in; "" when a call has come in it
        self._thinking = False
        self._muted = False  # what comes is the model's own invention of a tool's answer
        self._at_start = True  # nothing but blanks so far
        self._spoken = True  # text was shown since the last call

    def feed(self, text: str) -> list[Piece]:
        """What more text brings to light."""
        self._text += text
        return self._go(final=False)

    def close(self) -> list[Piece]:
        """What the end of the text means."""
        pieces = self._go(final=True)
        if self._held and not self.called:
            pieces.append(Said(self._held))
        self._held = ""
        return pieces

    def _go(self, *, final: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while True:
            go: Callable[..., bool] = self._read_prose
            if self._form is not None:
                go = self._read_form
            elif self._block is not None:
                go = self._read_block
            if not go(pieces, final=final):
                return pieces

    # Each of the following reads on and returns whether there is more to read now.

    def _read_prose(self, pieces: list[Piece], *, final: bool) -> bool:
        """Text outside of calls."""
        if self._muted:
            self._text = ""
            return False
        if self._thinking:
            return bool(self._text) and self._think(pieces, final=final)
        if self._at_start and not self._bare_json(final=final):
            return self._form is not None
        if not self._text:
            return False
        if self.called and not self._spoken and (invented := self._invented(final=final)) != "no":
            self._muted = invented == "yes"
            return self._muted
        place = self._prose.walk(self._text, 0, final=final)
        self._say(pieces, self._text[:place])
        self._text = self._text[place:]
        if not self._text.startswith("<"):
            return False
        if fence := self._prose.fence:
            return self._in_fence(pieces, fence, final=final)
        if self._text.startswith(THINKING):
            return self._think(pieces, final=final)
        return self._tag(pieces, final=final)

    def _think(self, pieces: list[Piece], *, final: bool) -> bool:
        """Thoughts in the text: nothing in them is meant for us, fences and quotes in them least of all."""
        place = self._text.find(THOUGHT)
        self._thinking = place < 0
        end = place + len(THOUGHT)
        if self._thinking:
            end = len(self._text) if final else _before_partial(self._text, THOUGHT)
        self._say(pieces, self._text[:end])
        self._text = self._text[end:]
        self._prose = Prose()
        return not self._thinking

    def _in_fence(self, pieces: list[Piece], fence: str, *, final: bool) -> bool:
        """A tag at the beginning of a line in a code fence: an example, unless the fence is never closed, for a model
        that stops with its call does not close it; or unless a call is demanded."""
        text = self._text
        if not self._opens_call(text):
            if not final and _partial(text, *self._heads):
                return False
            return self._plain(pieces)
        closing = re.compile(rf"\n[ \t]*{re.escape(fence)}").search(text)
        if self._toolbox.demand == "required" or (closing is None and final):
            self._prose.leave_fence()
            return True
        if closing is None:
            return False
        example = text[: closing.start()]
        self._say(pieces, example)
        self._prose.pass_over(example)
        self._text = text[closing.start() :]
        return True

    def _opens_call(self, text: str) -> bool:
        """Whether a call may begin with this tag."""
        if _starts(text, OPENERS) or (self._tags and self._tool_tag(text)):
            return True
        function = function_opening(text)
        return function is not None and self._toolbox.find(function[1]) is not None

    def _invented(self, *, final: bool) -> Literal["yes", "maybe", "no"]:
        """Whether the model goes on with the tool's answer, as some do; then nothing that follows is true."""
        begun = self._text.lstrip()
        if begun.startswith(RESULTS):
            return "yes"
        return "maybe" if not final and any(mark.startswith(begun) for mark in RESULTS) else "no"

    def _tag(self, pieces: list[Piece], *, final: bool) -> bool:
        """A tag that may begin a call."""
        text = self._text
        if opener := _starts(text, OPENERS):
            after = text[len(opener) :].lstrip()
            if not after or (len(after) < 3 and "```".startswith(after)):
                if final:
                    self._text = ""
                    pieces.append(Torn(named=False))
                return False
            if after.startswith(("{", "[", "<", "```")):
                self._block, self._text = opener, text[len(opener) :]
                return True
            return self._plain(pieces)
        if function := function_opening(text):
            tool = self._toolbox.find(function[1])
            if tool is not None:
                self._form = TagForm(self._toolbox, tool, tool.name, start=function.end(), coder=True, sure=False)
                return True
        if self._tags and (name := self._tool_tag(text)):
            tool = self._toolbox.tools[name]
            lone = self._prose.at_line_start and 1 in (len(tool.required), len(tool.properties))
            start = len(name) + 2
            self._form = TagForm(self._toolbox, tool, name, start=start, coder=False, sure=False, lone=lone)
            return True
        if self._tags and (empty := re.match(r"<([^\s<>/]+)\s*/>", text)) and empty[1] in self._toolbox.tools:
            tool = self._toolbox.tools[empty[1]]
            if not tool.required:
                self._call(pieces, Call(tool.name, settle_tags(tool, [])))
                self._text = text[empty.end() :]
                return True
        if not self._spoken and (closer := _starts(text, (*CLOSERS, "</function>"))):
            self._text = text[len(closer) :]  # one end too many
            return True
        if _partial(text, THINKING, *self._heads):
            if not final:
                return False
            if (
                len(text) > 4 and ">" not in text and any(head.startswith(text) for head in self._heads)
            ):  # half a tag is no answer
                self._text = ""
                return False
        return self._plain(pieces)

    def _plain(self, pieces: list[Piece]) -> bool:
        """The first character is prose after all."""
        self._say(pieces, self._text[:1])
        self._prose.pass_over(self._text[:1])
        self._text = self._text[1:]
        return True

    def _read_block(self, pieces: list[Piece], *, final: bool) -> bool:
        """Within `<tool_call>`, before a call or behind one."""
        assert self._block is not None
        text = self._text.lstrip(" \t\r\n,;`")
        if not text:
            if final:
                if self._block:
                    pieces.append(Torn(named=False))
                self._text, self._block = "", None
            return False
        if closer := _starts(text, CLOSERS):
            self._block, self._text, self._spoken = None, text[len(closer) :], False
            return True
        if opener := _starts(text, OPENERS):
            self._text = text[len(opener) :]
            return True
        if text[0] in "{[":
            self._form, self._text = JsonForm(self._toolbox), text
            return True
        if (function := function_opening(text)) and _IDENTIFIER.fullmatch(function[1]):
            self._text, name, start = text, function[1], function.end()
            tool = self._toolbox.find(name)
            self._form = TagForm(self._toolbox, tool, name, start=start, coder=True, sure=True)
            return True
        if text[0] in "}]":  # a bracket too many
            self._text = text[1:]
            return True
        if text.startswith("json"):  # the info string of a fence
            self._text = text[4:]
            return True
        if name := self._tool_tag(text):
            self._text, tool = text, self._toolbox.tools[name]
            self._form = TagForm(self._toolbox, tool, name, start=len(name) + 2, coder=False, sure=True)
            return True
        if not final and _partial(text, *self._block_heads):
            return False
        self._leave_block(pieces)
        return True

    def _leave_block(self, pieces: list[Piece]) -> None:
        """What comes is not what a block has: with no call in it, its opening tag was prose."""
        if self._block:
            self._say(pieces, self._block)
            self._prose.pass_over(self._block)
        self._block = None

    def _read_form(self, pieces: list[Piece], *, final: bool) -> bool:
        """Within a call."""
        assert self._form is not None
        step = self._form.advance(self._text, final=final)
        if isinstance(step, More):
            self._name(pieces, step.name)
            return False
        self._form = None
        if not isinstance(step, Done):
            self._leave_block(pieces)
            return self._plain(pieces)
        if step.torn:
            pieces.append(Torn(self._named, step.calls[0] if step.calls else None))
            self._named = False
        else:
            for call in step.calls:
                self._call(pieces, call)
        self._text = self._text[step.end :]
        if self._block:
            self._block = ""
        return True

    def _call(self, pieces: list[Piece], call: Call) -> None:
        self._name(pieces, call.name)
        pieces.append(Called(call))
        self._named = self._spoken = False
        self.called += 1

    def _name(self, pieces: list[Piece], name: str | None) -> None:
        if name and not self._named:
            self._named = True
            self._held = ""
            pieces.append(Named(name))

    def _bare_json(self, *, final: bool) -> bool:
        """Whether the answer's beginning is prose: some models leave out the tag before `{"name": …`."""
        text = self._text.lstrip()
        if not text or (not final and len(text) < LONGEST_HEAD and _BARE_PARTIAL.fullmatch(text)):
            return not text and final
        self._at_start = False
        found = _BARE.match(text)
        if found and self._toolbox.find(found[1]) is not None:
            self._form, self._text = JsonForm(self._toolbox), text
            return False
        return True

    def _tool_tag(self, text: str) -> str:
        """The tool whose opening tag this is."""
        end = text.find(">", 0, LONGEST_HEAD)
        name = text[1:end] if end > 0 else ""
        return name if name in self._toolbox.tools else ""

    def _say(self, pieces: list[Piece], text: str) -> None:
        """Show text; blanks at its end wait for more."""
        whole = self._held + text
        shown = whole.rstrip()
        self._held = whole[len(shown) :]
        if shown:
            self._spoken = True
            if pieces and isinstance(before := pieces[-1], Said):
                before.text += shown
            else:
                pieces.append(Said(shown))


LONGEST_HEAD = 300
"""Characters within which the beginning of a call shows what it is."""
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.:/-]{0,127}")
_BARE = re.compile(r'\{\s*"name"\s*:\s*"([^"\\]+)"\s*,\s*"(?:arguments|parameters)"\s*:')
_BARE_PARTIAL = re.compile(
    r'\{\s*(?:"(?:n|na|nam|name"?)?)?(?:(?<=name")\s*(?::\s*(?:"[^"\\]*(?:"\s*(?:,\s*(?:"\w*"?\s*)?)?)?)?)?)?'
)


def _starts(text: str, tags: tuple[str, ...]) -> str:
    return next((tag for tag in tags if text.startswith(tag)), "")


def _before_partial(text: str, tag: str) -> int:
    """Where a tag may begin at the end of a text."""
    size = next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-size:])), 0)
    return len(text) - size


def _partial(text: str, *heads: str) -> bool:
    """Whether the text may become a tag with one of these heads: it is cut within the head, or before the `>`."""
    if ">" not in text and any(head.startswith(text) for head in heads):
        return True
    if ">" in text or "\n" in text or len(text) >= LONGEST_HEAD:
        return False
    return any(text.startswith(head) and (text[len(head)] in "=/ " or head[-1] == ">") for head in heads)
