"""The contract of a Responses stream: order, numbering, open and close, and an end that repeats the whole."""

from collections.abc import Sequence
from typing import Any

from tests.referee.parts import Item
from tests.referee.sse import Event
from tests.referee.verdict import check

type Node = dict[str, Any]

LIFE = ("response.created", "response.queued", "response.in_progress")
ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}


def check_responses_stream(events: Sequence[Node | Event]) -> list[str]:
    """Complaints about a whole stream, given as payloads or as the events of `read_sse`.

    Beside OpenAI's own contract this applies the rules of Codex's parser: no delta before its item was added,
    the last event is completed, incomplete or failed and carries the response, failures name their code.
    """
    found: list[str] = []
    payloads: list[Node] = []
    for place, event in enumerate(events):
        if isinstance(event, Event):
            payloads.append(event.json)
            if event.name != event.json.get("type"):
                found.append(f"event {place}: named {event.name!r} but of type {event.json.get('type')!r}")
        else:
            payloads.append(event)
    if not payloads:
        return ["stream: no events"]
    for place, payload in enumerate(payloads):
        found += [f"event {place}: {c}" for c in check(payload, "response.event")]
        if payload.get("sequence_number") != place:
            found.append(f"event {place}: sequence_number is {payload.get('sequence_number')!r}")
    return found + check_order(payloads) + check_responses(payloads) + Output().check(payloads)


def check_order(payloads: list[Node]) -> list[str]:
    """created, in_progress, what happens, one end."""
    types = [payload.get("type") for payload in payloads]
    found = []
    opening = [kind for kind in types if kind in LIFE]
    wanted = [kind for kind in LIFE if kind != "response.queued" or kind in types]
    if opening != wanted or types[: len(wanted)] != wanted:
        found.append(f"stream: must open with {wanted}, opens with {types[: len(wanted)]}")
    ends = [place for place, kind in enumerate(types) if kind in ENDS]
    if not ends:
        found.append("stream: closed before response.completed, response.incomplete or response.failed")
    elif ends != [len(types) - 1]:
        found.append(f"stream: must have one end, as its last event; ends at {ends} of {len(types)}")
    return found


def check_responses(payloads: list[Node]) -> list[str]:
    """The response object that some events carry: one id throughout, and the status of the moment."""
    carriers = [p for p in payloads if isinstance(p.get("response"), dict)]
    found = []
    for key in ("id", "created_at", "model", "object"):
        if len({repr(carrier["response"].get(key)) for carrier in carriers}) > 1:
            found.append(f"stream: response.{key} changes within the stream")
    for carrier in carriers:
        kind, response = carrier.get("type"), carrier["response"]
        status = ENDS.get(kind) or ("queued" if kind == "response.queued" else None)
        status = status or ("queued" if response.get("status") == "queued" else "in_progress")
        if response.get("status") != status:
            found.append(f"{kind}: status is {response.get('status')!r}, not {status!r}")
        if kind in LIFE and response.get("output") != []:
            found.append(f"{kind}: output is not empty yet")
        if kind in ("response.completed", "response.incomplete") and not response.get("usage"):
            found.append(f"{kind}: usage is missing")
        if kind == "response.failed" and not response.get("error"):
            found.append("response.failed: error is missing")
        if kind == "response.incomplete" and not (response.get("incomplete_details") or {}).get("reason"):
            found.append("response.incomplete: incomplete_details.reason is missing")
    return found


class Output:
    """The output items of the stream, opened and closed one by one."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def check(self, payloads: list[Node]) -> list[str]:
        """Complaints about everything between the opening and the end."""
        found: list[str] = []
        for place, payload in enumerate(payloads):
            kind = str(payload.get("type"))
            said = self.end(kind, payload) if kind in ENDS else self.feed(kind, payload)
            found += [f"event {place} ({kind}): {c}" for c in said]
        return found

    def feed(self, kind: str, payload: Node) -> list[str]:
        """The next event of an item."""
        if "output_index" not in payload:
            return []
        index = payload["output_index"]
        if kind == "response.output_item.added":
            if index != len(self.items):
                return [f"output_index {index} skips or repeats a number: {len(self.items)} items so far"]
            item = Item(payload.get("item") or {})
            if any(item.id == other.id for other in self.items):
                return [f"item id {item.id!r} is used twice"]
            self.items.append(item)
            return item.complaints_at_start()
        if not isinstance(index, int) or not 0 <= index < len(self.items):
            return [f"item {index} was never added"]
        return self.items[index].feed(kind, payload)

    def end(self, kind: str, payload: Node) -> list[str]:
        """The last event repeats every item, in order."""
        found = []
        still_open = [index for index, item in enumerate(self.items) if item.final is None]
        if still_open and kind != "response.failed":
            found.append(f"items {still_open} were never done")
        output = (payload.get("response") or {}).get("output")
        finals = [item.final for item in self.items if item.final is not None]
        if output != finals and not (kind == "response.failed" and still_open):
            found.append("response.output is not what the output_item.done events said")
        return found
