"""Faults in the stream of chunks and in its bytes."""

import random
from collections.abc import Iterator
from math import inf

from ..chunks import DONE, Event
from ..wire import Drop, Pause, Raw, Step
from .table import Asked, Fault, Params, deltas, has_content


def _no_done(_: Asked, events: Iterator[Event], __: Params) -> Iterator[Event]:
    return (event for event in events if event != DONE)


def _only_done(_: Asked, __: Iterator[Event], ___: Params) -> Iterator[Event]:
    yield DONE


def _no_content(_: Asked, events: Iterator[Event], __: Params) -> Iterator[Event]:
    return (event for event in events if not has_content(event))


def _invalid_json(_: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    left = int(params["after"])
    for event in events:
        yield event
        if has_content(event):
            left -= 1
            if left == 0:
                yield b'data: {"choices":[{"delta":{"content":"broken\n\n'


def _huge_chunk(_: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    grown = False
    for event in events:
        if not grown and has_content(event):
            for delta in deltas(event):
                if delta.get("content"):
                    delta["content"] = "x" * int(params["bytes"])
                    grown = True
        yield event


def _comments(_: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    for event in events:
        yield b": %b\n\n" % str(params["text"]).encode()
        yield event


def _unknown_events(_: Asked, events: Iterator[Event], __: Params) -> Iterator[Event]:
    for number, event in enumerate(events):
        if number % 3 == 1:
            yield b'event: ping\ndata: {"type":"ping"}\n\n'
            yield b"retry: 3000\n\n"
        yield event


def _after_content(events: Iterator[Event], after: int) -> Iterator[Event]:
    """The events up to the given number of those with content."""
    for event in events:
        yield event
        after -= has_content(event)
        if after <= 0:
            return


def _stall(_: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    yield from _after_content(events, int(params["after"]))
    yield Pause(float(params["seconds"]))
    yield from events


def _drop_before_done(_: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    for event in events:
        if event == DONE:
            yield Drop(reset=bool(params["reset"]))
        yield event


def _drop_after(_: Asked, events: Iterator[Event], params: Params) -> Iterator[Event]:
    yield from _after_content(events, int(params["after"]))
    yield Drop(reset=bool(params["reset"]))


def _drop_mid_json(steps: Iterator[Step], params: Params) -> Iterator[Step]:
    left = int(params["after"])
    for step in steps:
        if isinstance(step, bytes) and step.startswith(b"data: {"):
            left -= 1
            if left < 0:
                yield step[: len(step) // 2]
                yield Drop(reset=bool(params["reset"]))
        yield step


def _drop_mid_chunk(steps: Iterator[Step], params: Params) -> Iterator[Step]:
    left = int(params["after"])
    for step in steps:
        if isinstance(step, bytes):
            left -= 1
            if left < 0:
                yield Raw(b"%x\r\n" % len(step) + step[: len(step) // 2])
                yield Drop(reset=bool(params["reset"]))
        yield step


def _drop_mid_utf8(steps: Iterator[Step], params: Params) -> Iterator[Step]:
    for step in steps:
        place = _inside_a_letter(step)
        if place:
            assert isinstance(step, bytes)
            yield step[:place]
            yield Drop(reset=bool(params["reset"]))
        yield step
    # No letter of several bytes came: the fault must not pass unseen.
    yield Drop(reset=bool(params["reset"]))


def _inside_a_letter(step: Step) -> int:
    if not isinstance(step, bytes):
        return 0
    return next((place for place, byte in enumerate(step) if 0x80 <= byte < 0xC0), 0)


def _empty(_: Iterator[Step], __: Params) -> Iterator[Step]:
    return iter(())


def _line_ends(steps: Iterator[Step], params: Params) -> Iterator[Step]:
    end = str(params["end"]).encode()
    for step in steps:
        yield step.replace(b"\n", end) if isinstance(step, bytes) else step


def _no_space(steps: Iterator[Step], _: Params) -> Iterator[Step]:
    for step in steps:
        yield step.replace(b"data: ", b"data:", 1) if isinstance(step, bytes) else step


def _bytewise(steps: Iterator[Step], params: Params) -> Iterator[Step]:
    size = int(params["size"])
    for step in steps:
        if isinstance(step, bytes):
            yield from (step[place : place + size] for place in range(0, len(step), size))
        else:
            yield step


def _ragged(steps: Iterator[Step], params: Params) -> Iterator[Step]:
    chance = random.Random(int(params["seed"]))  # noqa: S311
    waiting = b""
    for step in steps:
        if not isinstance(step, bytes):
            yield waiting
            yield step
            waiting = b""
            continue
        waiting += step
        size = chance.randint(1, 200)
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
            size = chance.randint(1, 200)
    if waiting:
        yield waiting


def _joined(steps: Iterator[Step], params: Params) -> Iterator[Step]:
    waiting: list[bytes] = []
    for step in steps:
        if isinstance(step, bytes):
            waiting.append(step)
            if len(waiting) >= int(params["events"]):
                yield b"".join(waiting)
                waiting.clear()
        elif not isinstance(step, Pause) or step.seconds == inf:
            # The time between words is what joining takes away; silence stays.
            yield b"".join(waiting)
            waiting.clear()
            yield step
    if waiting:
        yield b"".join(waiting)


_RESET: Params = {"reset": 0}


def _ends(name: str, end: str, text: str) -> Fault:
    return Fault(name, "", text, {"end": end}, steps=_line_ends)


FAULTS: list[Fault] = [
    Fault("no-done", "4.4", "the stream ends without [DONE]", events=_no_done),
    Fault("only-done", "", "a stream of [DONE] and nothing else", events=_only_done),
    Fault("no-content", "2.15", "a stream that says nothing and finishes", events=_no_content),
    Fault("empty-stream", "", "a 200 stream without one byte", steps=_empty),
    Fault("invalid-json-chunk", "", "one event is no JSON", {"after": 2}, events=_invalid_json),
    Fault("huge-chunk", "", "one chunk of many bytes", {"bytes": 1_000_000}, events=_huge_chunk),
    Fault("comments", "4.13", "a comment before each event", {"text": "OPENROUTER PROCESSING"}, events=_comments),
    Fault("unknown-events", "", "events of other names, and retry lines", events=_unknown_events),
    Fault("stall-mid", "", "some content, then silence", {"after": 3, "seconds": float("inf")}, events=_stall),
    Fault("drop-after", "", "the connection breaks after some content", {"after": 3, **_RESET}, events=_drop_after),
    Fault("drop-before-done", "", "the connection breaks before [DONE]", _RESET, events=_drop_before_done),
    Fault("drop-mid-json", "", "it breaks inside an event", {"after": 3, **_RESET}, steps=_drop_mid_json),
    Fault("drop-mid-chunk", "", "it breaks inside an HTTP chunk", {"after": 3, **_RESET}, steps=_drop_mid_chunk),
    Fault("drop-mid-utf8", "", "it breaks inside a letter", _RESET, steps=_drop_mid_utf8),
    _ends("crlf", "\r\n", "lines end in CR LF"),
    _ends("cr", "\r", "lines end in CR"),
    Fault("no-space", "4.5", "`data:` without a space", steps=_no_space),
    Fault("bytewise", "", "bytes come one at a time", {"size": 1}, steps=_bytewise),
    Fault("ragged", "", "pieces of random size", {"seed": 1}, steps=_ragged),
    Fault("joined", "", "many events in one write", {"events": 1_000_000}, steps=_joined),
]
