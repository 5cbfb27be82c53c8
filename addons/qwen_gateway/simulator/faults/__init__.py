"""Faults by name: everything an upstream was seen to do wrong, and how to ask for it.

A fault is written `NAME` or `NAME;param=value;param=value`; several are joined by commas. Error rows
(`errors.ROWS`) are faults of their own names; the others stand in `streams.py`, `answers.py`,
`transport.py`, `oauth.py` and `web.py`. `ok` is the fault that changes nothing.
"""

from collections.abc import Iterator
from typing import Any

from ..chunks import Answer, Event
from ..wire import Reply, Step
from . import answers, errors, oauth, streams, transport, web
from .table import Asked, Fault, Params

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("ok", "", "nothing is wrong"),
        *errors.FAULTS,
        *streams.FAULTS,
        *answers.FAULTS,
        *transport.FAULTS,
        *oauth.FAULTS,
        *web.FAULTS,
    )
}


class UnknownFault(ValueError):
    """A test asks for a fault that is not in the table."""


class Faults:
    """The faults of one call, in the order they were written."""

    def __init__(self, active: list[tuple[Fault, Params]]) -> None:
        self.active = active

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """From `a;x=1, b`."""
        return cls([_parse_one(one) for one in text.split(",") if one.strip()])

    @property
    def names(self) -> list[str]:
        """What was asked for."""
        return [fault.name for fault, _ in self.active]

    def reply(self, asked: Asked) -> Reply | None:
        """The reply in place of any other."""
        for fault, params in self.active:
            if fault.reply is not None:
                made = fault.reply(asked, params)
                if made is not None:
                    return made
        return None

    def answer(self, answer: Answer) -> Answer:
        """The chat answer, changed before it is written."""
        for fault, params in self.active:
            if fault.answer is not None:
                answer = fault.answer(answer, params)
        return answer

    def events(self, asked: Asked, events: Iterator[Event]) -> Iterator[Event]:
        """The events of a stream, changed."""
        for fault, params in self.active:
            if fault.events is not None:
                events = fault.events(asked, events, params)
        return events

    def steps(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The bytes of a stream, changed."""
        for fault, params in self.active:
            if fault.steps is not None:
                steps = fault.steps(steps, params)
        return steps

    def whole(self, reply: Reply) -> Reply:
        """The finished reply, changed on its way out."""
        for fault, params in self.active:
            if fault.whole is not None:
                reply = fault.whole(reply, params)
        return reply


def make(name: str, params: dict[str, Any] | None = None) -> tuple[Fault, Params]:
    """A fault with its parameters; those not given have the defaults of the table."""
    fault = FAULTS.get(name)
    if fault is None:
        raise UnknownFault(f"the simulator knows no fault {name!r}; it knows: {', '.join(FAULTS)}")
    params = params or {}
    unknown = params.keys() - fault.params.keys()
    if unknown:
        known = ", ".join(fault.params) or "none"
        raise UnknownFault(f"fault {name!r} has no parameter {sorted(unknown)[0]!r}; it has: {known}")
    return fault, {**fault.params, **params}


def _parse_one(text: str) -> tuple[Fault, Params]:
    name, *pairs = (part.strip() for part in text.split(";"))
    params: dict[str, Any] = {}
    for pair in filter(None, pairs):
        key, _, value = pair.partition("=")
        params[key.strip().replace("-", "_")] = _number(value.strip())
    return make(name, params)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
