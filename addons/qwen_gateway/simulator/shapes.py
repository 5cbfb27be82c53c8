"""How an error travels: the four shapes of upstream.md 4.5 and the bodies of the variants of 4.13."""

from collections.abc import Callable
from http import HTTPStatus

from qwen_gateway.codec.json import dumps

from .errors import Row
from .wire import JsonObject, Reply, json_reply

JSON = "application/json"
EVENTS = "text/event-stream;charset=UTF-8"


def envelope(row: Row, request_id: str) -> JsonObject:
    """E1: the OpenAI-like error object of the compatible face."""
    body: JsonObject = {
        "error": {"message": row.message, "type": row.type, "param": None, "code": row.code},
    }
    if row.message.startswith("<") or row.status >= 500:
        # What comes from behind the model names the answer it was to become.
        body["id"] = "chatcmpl-" + request_id
    body["request_id"] = request_id
    return body


def flat(row: Row, request_id: str) -> JsonObject:
    """E2: the flat error object of the Responses and the native faces."""
    return {"code": row.flat, "message": row.message, "request_id": request_id}


def lines(row: Row, request_id: str) -> bytes:
    """E3: an error as lines of an event stream; the status sits in a comment."""
    payload = {"request_id": request_id, "code": row.flat, "message": row.message}
    return b"id:1\nevent:error\n:HTTP_STATUS/%d\ndata:%b\n\n" % (row.status, dumps(payload))


def vllm(row: Row, _request_id: str) -> JsonObject:
    """vLLM, newer form."""
    if row.status == 401:
        return {"error": "Unauthorized"}
    kind = {400: "BadRequestError", 404: "NotFoundError"}.get(row.status)
    kind = kind or HTTPStatus(row.status).phrase.replace(" ", "")
    return {"error": {"message": row.message, "type": kind, "param": None, "code": row.status}}


def vllm_old(row: Row, request_id: str) -> JsonObject:
    """vLLM, older form: the same fields at the top."""
    body = vllm(row, request_id)
    return {"object": "error", **body["error"]} if isinstance(body["error"], dict) else body


def ollama(row: Row, _request_id: str) -> JsonObject:
    """Ollama."""
    kind = {400: "invalid_request_error", 404: "not_found_error"}.get(row.status, "api_error")
    return {"error": {"message": row.message, "type": kind, "param": None, "code": None}}


def openrouter(row: Row, _request_id: str) -> JsonObject:
    """OpenRouter: the code is the status."""
    error: JsonObject = {"code": row.status, "message": row.message}
    if row.status in {429, 502, 503}:
        error["metadata"] = {"provider_name": "Alibaba", "raw": row.message}
    return {"error": error, "user_id": "user_simulated"}


Shape = Callable[[Row, str], JsonObject]

BODIES: dict[str, Shape] = {
    "dashscope": envelope,
    "flat": flat,
    "vllm": vllm,
    "vllm-old": vllm_old,
    "ollama": ollama,
    "openrouter": openrouter,
}


def event(row: Row, request_id: str, shape: str) -> bytes:
    """E4: an error inside a stream of chunks, in the words of the face."""
    body = BODIES[shape](row, request_id)
    if shape == "openrouter":
        # The model had started: the error comes beside a choice that ends with it (4.13).
        body |= {"object": "chat.completion.chunk", "provider": "Alibaba"}
        body["choices"] = [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    return b"data: %b\n\n" % dumps(body)


def error_reply(row: Row, request_id: str, shape: str) -> Reply:
    """An error as an answer of its own. Shapes: the names of `BODIES`, E1, E2, E3, E3-json, E3-status."""
    if shape == "E1":
        shape = "dashscope"
    elif shape == "E2":
        shape = "flat"
    if shape in BODIES:
        return json_reply(row.status, BODIES[shape](row, request_id))
    if shape == "E3":
        return Reply(200, [("content-type", EVENTS)], iter((lines(row, request_id),)))
    if shape == "E3-json":
        return Reply(200, [("content-type", JSON)], lines(row, request_id))
    if shape == "E3-status":
        return Reply(row.status, [("content-type", JSON)], lines(row, request_id))
    raise ValueError(f"no error shape {shape!r}; there are E1, E2, E3, E3-json, E3-status, {', '.join(BODIES)}")
