"""The stream of the Responses face (upstream.md 4.11): `id:`, `event:`, a status comment, `data:`; no `[DONE]`."""

from collections.abc import Iterator

from qwen_gateway.codec.json import dumps

from .echo import Speech
from .errors import Row
from .tokens import pieces
from .wire import JsonObject


def stream(response: JsonObject, speech: Speech) -> Iterator[bytes]:
    """A response as its events."""
    for number, (name, fields) in enumerate(_events(response, speech)):
        yield _write(number, name, fields)


def failed(response: JsonObject, row: Row) -> Iterator[bytes]:
    """A response that fails at once: the status line still says 200."""
    yield _write(0, "response.failed", {"response": response}, row.status)


def _write(number: int, name: str, fields: JsonObject, status: int = 200) -> bytes:
    payload = dumps({"sequence_number": number, "type": name, **fields})
    return b"id:%d\nevent:%b\n:HTTP_STATUS/%d\ndata:%b\n\n" % (number + 1, name.encode(), status, payload)


def _events(response: JsonObject, speech: Speech) -> Iterator[tuple[str, JsonObject]]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(response["output"]):
        place: JsonObject = {"item_id": item["id"], "output_index": index}
        started = {**item, "status": "in_progress"}
        if item["type"] == "function_call":
            yield "response.output_item.added", {"output_index": index, "item": {**started, "arguments": ""}}
        else:
            yield "response.output_item.added", {"output_index": index, "item": {**started, "content": []}}
            place["content_index"] = 0
            thoughts = item["type"] == "reasoning"
            yield from _text(place, item["content"][0], speech.thoughts if thoughts else speech.text)
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield f"response.{response['status']}", {"response": response}


def _text(place: JsonObject, part: JsonObject, text: str) -> Iterator[tuple[str, JsonObject]]:
    kind = part["type"]
    if kind == "output_text":
        yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
    for piece in pieces(text):
        yield f"response.{kind}.delta", {**place, "delta": piece}
    yield f"response.{kind}.done", {**place, "text": text}
    if kind == "output_text":
        yield "response.content_part.done", {**place, "part": part}
