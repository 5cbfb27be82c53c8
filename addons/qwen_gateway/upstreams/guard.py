"""Looks after what a client relies on, behind whatever decodes the answer: a stage (see `stages`) with an end.

Arguments of tool calls are JSON, those of strict tools conform, a required tool is called, a structured answer conforms
to its schema. What is not so is mended where it can be; else the call is asked once more, if nothing but thoughts was
shown; else the answer ends in an error, or, where OpenAI promises nothing either, as it is and with a notice.
"""

from collections.abc import Mapping
from dataclasses import replace

from qwen_gateway.codec.deltas import Delta, Extra, Fault, Finish, Refusal, Text, ToolCall, Unmet, Usage
from qwen_gateway.codec.json import dumps
from qwen_gateway.openai import usage as usages
from qwen_gateway.openai.notices import Notice
from qwen_gateway.openai.tools import FREEFORM_FIELD
from qwen_gateway.upstreams.arguments import Arguments, sound
from qwen_gateway.upstreams.schemas import complaint, repaired
from qwen_gateway.upstreams.tool_prompt.stage import MALFORMED
from qwen_gateway.upstreams.wants import Wants

CUT_OFF = frozenset({"length", "content_filter"})
"""Ends at which nothing is whole, and the client knows."""


class Guard:
    """Looks after one answer.

    Args:
        renamed: the upstream's name of a tool → the client's.
        stream: pieces are shown as they come, so that what was passed on cannot be taken back.
        final: it has been asked for again already.
        spent: tokens of the answer that was thrown away.
    """

    def __init__(
        self,
        wants: Wants,
        renamed: Mapping[str, str],
        *,
        stream: bool,
        final: bool = False,
        spent: Usage | None = None,
    ) -> None:
        self.notices: list[Notice] = []
        self._wants = wants
        self._renamed = renamed
        self._stream = stream
        self._final = final
        self._spent = spent
        self._usage: Usage | None = None
        self._shown = False
        self._held: list[Delta] = []
        self._text: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._unmet: Unmet | None = None

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        """What may be shown now."""
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, Usage):
                self._usage = delta
                out.append(usages.add([self._spent, delta]) if self._spent else delta)
            elif self._unmet is not None:
                continue  # thrown away; only what it cost counts
            elif isinstance(delta, Text | Refusal):
                self._say(delta, out)
            elif isinstance(delta, ToolCall):
                self._tool(delta, out)
            elif isinstance(delta, Finish):
                self._end(delta, out)
            elif isinstance(delta, Fault) and delta.code == MALFORMED and self._again():
                self._refuse(delta.message, WHOLE)
            else:
                self._shown = self._shown or isinstance(delta, Extra)
                out.append(delta)
        return out

    def close(self) -> list[Delta]:
        """The answer is over: what is wrong with it, if anything."""
        if self._unmet is None:
            return [] if self._usage or not self._spent else [self._spent]
        self._unmet.spent = self._usage
        return [self._unmet]

    def _say(self, delta: Text | Refusal, out: list[Delta]) -> None:
        """Text waits while it may turn out to be wrong."""
        wants = self._wants
        if isinstance(delta, Text):
            self._text.append(delta.text)
        waits = wants.required and not self._calls
        if wants.schema is not None and isinstance(delta, Text):
            waits = waits or wants.exact or not self._stream
        self._pass(delta, out, waits=waits)

    def _pass(self, delta: Delta, out: list[Delta], *, waits: bool) -> None:
        if waits or (self._held and not self._shown):
            self._held.append(delta)
        else:
            self._shown = True
            out.append(delta)

    def _tool(self, delta: ToolCall, out: list[Delta]) -> None:
        call = self._calls.get(delta.index)
        if call is None:
            if self._wants.only_first and self._calls:
                return
            if not self._calls and self._wants.required:
                self._flush(out)
            call = self._calls[delta.index] = _Call(delta.index)
        call.name = call.name or delta.name or ""
        name = self._renamed.get(call.name, call.name)
        call.waits = call.waits or not self._stream or name in self._wants.strict or name in self._wants.freeform
        call.waits = call.waits or (self._wants.prompted and not self._shown)
        call.problem = call.problem or delta.problem
        arguments = call.arguments.feed(delta.arguments)
        if call.waits or not call.name:
            call.id, call.text = call.id or delta.id, call.text + arguments
            return
        piece = replace(delta, arguments=call.text + arguments)
        if call.text or not call.told:
            piece.id, piece.name, call.text, call.told = call.id or delta.id, call.name, "", True
        if piece.arguments or piece.name:
            self._shown = True
            out.append(piece)

    def _end(self, finish: Finish, out: list[Delta]) -> None:
        if finish.reason in CUT_OFF:
            self._flush(out)
            for call in self._calls.values():
                call.flush(out)
            out.append(finish)
            return
        calls: list[Delta] = []
        for call in self._calls.values():
            if why := self._complete(call, calls):
                self._refuse(why, CALL.format(name=call.name, why=why))
                return
        if self._wants.required and not self._called():
            which = f"the tool `{self._wants.chosen}`" if self._wants.chosen else "one of the tools"
            if self._again():
                self._refuse(f"{which} was not called", CHOICE.format(names=", ".join(self._names())))
                return
            self.notices.append(Notice("dropped", "tool_choice", f"{which} was to be called, and was not"))
        if self._wants.schema is not None and not self._calls and not self._conforms():
            return
        self._flush(out)
        out.extend(calls)
        out.append(finish)

    def _called(self) -> bool:
        chosen = self._wants.chosen
        return any(not chosen or self._renamed.get(call.name, call.name) == chosen for call in self._calls.values())

    def _names(self) -> list[str]:
        """The tools of which one has to be called, by the upstream's names."""
        back = {client: upstream for upstream, client in self._renamed.items()}
        names = [self._wants.chosen] if self._wants.chosen else self._wants.names
        return [f"`{back.get(name, name)}`" for name in names]

    def _complete(self, call: "_Call", out: list[Delta]) -> str:
        """Bring a call to its end; what is wrong with it."""
        name = self._renamed.get(call.name, call.name)
        rest = call.arguments.finish()
        if not call.waits:
            if rest is None:
                return "its arguments are no JSON object"
            if rest:
                out.append(ToolCall(call.index, rest))
        else:
            text = call.arguments.whole() if rest is None else call.text + rest
            if text is None or not sound(text):
                if name not in self._wants.freeform:
                    return "its arguments are no JSON object"
                text = dumps({FREEFORM_FIELD: call.arguments.raw}).decode()
            schema = self._wants.strict.get(name)
            if schema is not None and (why := complaint(text, schema)):
                return f"its arguments do not conform to its schema: {why}"
            if call.problem and self._again():
                return call.problem
            call.text = text
            call.flush(out)
        if call.problem and name not in self._wants.strict:
            self.notices.append(
                Notice("emulated", "tools", f"the call of '{name}' stands as it is, though {call.problem}")
            )
        if call.arguments.mended:
            self.notices.append(Notice("emulated", "tools", f"the arguments of '{name}' were mended"))
        return ""

    def _conforms(self) -> bool:
        """Whether the text may be shown; mended where it can be."""
        schema = self._wants.schema
        assert schema is not None
        text = "".join(self._text)
        why = complaint(text, schema)
        if why is None:
            return True
        if any(isinstance(delta, Refusal) for delta in self._held):
            return True
        if not self._shown and (better := repaired(text, schema)) is not None:
            self._held = [delta for delta in self._held if not isinstance(delta, Text)]
            self._held.append(Text(better))
            self.notices.append(Notice("emulated", "response_format", "the answer's JSON was mended"))
            return True
        if self._again() or self._wants.exact:
            self._refuse(f"the answer does not conform to the schema: {why}", FORM.format(why=why))
            return False
        self.notices.append(Notice("dropped", "response_format", f"the answer does not conform: {why}"))
        return True

    def _again(self) -> bool:
        return not self._final and not self._shown

    def _refuse(self, why: str, demand: str) -> None:
        """The answer is not shown, or goes no further."""
        added: list[dict[str, str]] = []
        if self._again():
            said = "".join(self._text)
            said += "".join(f"\n{call.name}({call.arguments.raw})" for call in self._calls.values())
            if said.strip():
                added.append({"role": "assistant", "content": said.strip()})
            added.append({"role": "user", "content": demand})
        self._unmet = Unmet(0, "", why, origin="unmet", added=tuple(added))
        self._held.clear()

    def _flush(self, out: list[Delta]) -> None:
        if self._held:
            out.extend(self._held)
            self._shown = True
            self._held = []


CALL = (
    "Your call of the tool `{name}` was wrong: {why}. Call it again, with one JSON object that conforms to its schema."
)
WHOLE = "You began to call a tool and did not end the call. Write the whole call again, from its first tag to its last."
CHOICE = "You must call one of these tools now, and not answer with text: {names}."
FORM = "That does not conform to the JSON Schema: {why}. Answer again, with the corrected JSON value and nothing else."


class _Call:
    """A tool call while it comes. `text` is what was not shown yet of its arguments."""

    __slots__ = ("arguments", "id", "index", "name", "problem", "text", "told", "waits")

    def __init__(self, index: int) -> None:
        self.index = index
        self.arguments = Arguments()
        self.id: str | None = None
        self.name = ""
        self.problem = ""
        self.text = ""
        self.told = self.waits = False

    def flush(self, out: list[Delta]) -> None:
        """Show what waited, for the first time and whole."""
        if not self.told and self.name:
            out.append(ToolCall(self.index, self.text, self.id, self.name))
            self.told, self.text = True, ""
