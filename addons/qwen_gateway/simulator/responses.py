"""The Responses face (upstream.md 4.11): stateful, with flat errors and a stream of its own."""

from collections.abc import Iterator
from typing import Any

from . import rules
from .catalogue import CATALOGUES, Model
from .chat import enter, pace
from .echo import Speech, Wish, speak, text_of
from .errors import Refused, invalid, refuse
from .response_events import failed, stream
from .shapes import EVENTS
from .state import Call
from .tokens import count_messages
from .wire import JsonObject, Reply, Step, json_reply

LIFE = 7 * 86_400
EFFORTS = rules.EFFORTS
_ECHOED = (
    "instructions max_output_tokens metadata parallel_tool_calls previous_response_id reasoning temperature "
    "text tool_choice tools top_p truncation"
)


def create(call: Call) -> Reply:
    """`POST responses`."""
    body = call.object
    wants_stream = body.get("stream") is True
    try:
        model = _model(call)
    except Refused as refused:
        if wants_stream and refused.row.status == 404:
            # A bad model is no error of HTTP in a stream.
            return _events(call, failed(_object(call, "failed", error=refused.row), refused.row))
        raise
    enter(call, model.id)
    items = _items(body.get("input"))
    messages = [*_history(call), *_messages(items)]
    wish = _wish(body, model, messages)
    speech = speak(wish)
    prompt = count_messages(messages, body.get("tools"))
    spent = prompt + speech.reasoning_tokens + speech.text_tokens
    call.state.windows.spend(call.account, model.id, call.now, spent)
    response = _object(call, "incomplete" if speech.finish == "length" else "completed")
    response["output"] = _output(call, speech)
    response["usage"] = _usage(prompt, speech)
    if speech.finish == "length":
        response["incomplete_details"] = {"reason": "max_output_tokens"}
    if body.get("store") is not False:
        spoken = {"role": "assistant", "content": speech.text, "tool_calls": _chat_calls(speech)}
        call.state.stored[response["id"]] = {
            "response": response,
            "messages": [*messages, spoken],
            "items": [{"id": f"msg_{number}", **item} for number, item in enumerate(items)],
            "until": call.now + LIFE,
        }
    return _events(call, stream(response, speech)) if wants_stream else json_reply(200, response)


def retrieve(call: Call) -> Reply:
    """`GET responses/{id}` and `GET responses/{id}/input_items`."""
    name, _, part = call.rest.removeprefix("responses/").partition("/")
    stored = _stored(call, name)
    if stored is None or part not in {"", "input_items"}:
        raise refuse("not-found", f"Not found response: {name}")
    if part:
        items = stored["items"]
        return json_reply(200, {"object": "list", "data": items[::-1], "has_more": False})
    return json_reply(200, stored["response"])


def delete(call: Call) -> Reply:
    """`DELETE responses/{id}`."""
    name = call.rest.removeprefix("responses/")
    if _stored(call, name) is None:
        raise refuse("not-found", f"Not found response: {name}")
    del call.state.stored[name]
    return json_reply(200, {"id": name, "object": "response.deleted", "deleted": True})


def _model(call: Call) -> Model:
    name = call.object.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("'model' is a required property")
    model = CATALOGUES[call.face.catalogue].get(name)
    if model is None:
        raise refuse("model-not-found", model=name)
    if model.has("no-agent"):
        raise invalid("Agent capabilities are not enabled for the current model")
    if call.key.models is not None and name not in call.key.models:
        raise refuse("access-denied-unpurchased")
    return model


def _stored(call: Call, name: str) -> JsonObject | None:
    stored = call.state.stored.get(name)
    return stored if stored is not None and stored["until"] > call.now else None


def _history(call: Call) -> list[JsonObject]:
    body = call.object
    before = body.get("previous_response_id")
    if before is not None and body.get("conversation") is not None:
        raise invalid("Mutually exclusive parameters: ['previous_response_id', 'conversation']")
    history: list[JsonObject] = []
    if before is not None:
        stored = _stored(call, str(before))
        if stored is None:
            raise invalid(f"Not found previous_response_id: {before}")
        history = [one for one in stored["messages"] if one.get("role") != "system"]
    if body.get("instructions"):
        history.insert(0, {"role": "system", "content": body["instructions"]})
    return history


def _items(given: Any) -> list[JsonObject]:
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise invalid("'input' must be a string or a non-empty array")
    return given


def _messages(items: list[JsonObject]) -> list[JsonObject]:
    made: list[JsonObject] = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            made.append({"role": "assistant", "content": "", "tool_calls": [call]})
        elif kind == "function_call_output":
            output = item.get("output")
            content = output if isinstance(output, str) else text_of(output)
            made.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
        elif kind == "message":
            made.append({"role": item.get("role"), "content": text_of(item.get("content"))})
    return made


def _wish(body: JsonObject, model: Model, messages: list[JsonObject]) -> Wish:
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    if effort is not None and effort not in EFFORTS:
        raise invalid(f"'{effort}' is not one of {list(EFFORTS)} - 'reasoning.effort'")
    limit = body.get("max_output_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < 16):
        raise invalid(f"Range of max_output_tokens should be [16, {model.output}]")
    tools: list[JsonObject] = []
    for number, tool in enumerate(body.get("tools") or []):
        if isinstance(tool, dict) and tool.get("type") == "function":
            if not isinstance(tool.get("name"), str):
                raise invalid(f"'name' is a required property - 'tools.{number}'")
            tools.append({"function": tool})
    thinking = rules.is_thinking({"reasoning_effort": effort}, model)
    return Wish(model.id, messages, thinking=thinking, tools=tuple(tools), whole_limit=limit)


def _object(call: Call, status: str, *, error: Any = None) -> JsonObject:
    body = call.object
    made: JsonObject = {
        "id": "resp_" + call.request_id,
        "object": "response",
        "created_at": int(call.now),
        "status": status,
        "model": body.get("model"),
        "output": [],
        "error": None if error is None else {"code": error.flat, "message": error.message},
        "incomplete_details": None,
        "usage": None,
    }
    # What the service does not know is accepted, echoed, and ignored.
    return made | {name: body[name] for name in _ECHOED.split() if name in body}


def _output(call: Call, speech: Speech) -> list[JsonObject]:
    made: list[JsonObject] = []
    if speech.thoughts:
        part: JsonObject = {"type": "reasoning_text", "text": speech.thoughts}
        made.append({"id": "rs_" + call.request_id, "type": "reasoning", "summary": [], "content": [part]})
    if speech.text:
        part = {"type": "output_text", "text": speech.text, "annotations": []}
        message = {"id": "msg_" + call.request_id, "type": "message", "role": "assistant"}
        made.append({**message, "status": "completed", "content": [part]})
    for number, one in enumerate(speech.calls):
        item = {"id": f"fc_{number}_{call.request_id}", "type": "function_call", "status": "completed"}
        made.append({**item, "call_id": one.id, "name": one.name, "arguments": one.arguments})
    return made


def _chat_calls(speech: Speech) -> list[JsonObject]:
    return [
        {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
        for one in speech.calls
    ]


def _usage(prompt: int, speech: Speech) -> JsonObject:
    output = speech.reasoning_tokens + speech.text_tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": speech.reasoning_tokens},
        "total_tokens": prompt + output,
        "x_details": [{"input_tokens": prompt, "output_tokens": output, "x_billing_type": "response_api"}],
    }


def _events(call: Call, events: Iterator[bytes]) -> Reply:
    steps: Iterator[Step] = call.faults.steps(pace(iter(events), call.state.pace))
    return Reply(200, [("content-type", EVENTS), ("cache-control", "no-cache")], steps)
