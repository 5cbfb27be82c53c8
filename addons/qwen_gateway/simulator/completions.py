"""`POST completions` of vLLM and Ollama (upstream.md 4.13): a prompt goes on, or code is filled in.

The model says what stands around the hole, so that a test sees that both sides arrived.
"""

import re
from collections.abc import Iterator

from . import chunks, tokens
from .chat import enter, find_model, pace
from .state import Call
from .variants import bad_request
from .wire import JsonObject, Reply, json_reply

TEMPLATE = re.compile(r"<\|fim_prefix\|>(.*)<\|fim_suffix\|>(.*)<\|fim_middle\|>", re.DOTALL)


def completions(call: Call) -> Reply:
    """Answer a completions call."""
    model = find_model(call)
    enter(call, model.id)
    body = call.object
    prompt = body.get("prompt")
    if not isinstance(prompt, str):
        raise bad_request("prompt: Input should be a valid string")
    text = _fill(call, prompt) or f" … {prompt[-40:]}"
    said = tokens.pieces(text)
    limit = body.get("max_tokens")
    finish = "length" if isinstance(limit, int) and limit < len(said) else "stop"
    said = said[: limit if isinstance(limit, int) else None]
    used = tokens.count(prompt)
    usage = {"prompt_tokens": used, "completion_tokens": len(said), "total_tokens": used + len(said)}
    call.state.windows.spend(call.account, model.id, call.now, used + len(said))
    head: JsonObject = {
        "id": f"cmpl-{call.request_id}", "object": "text_completion", "created": int(call.now), "model": model.id,
    }  # fmt: skip
    if body.get("stream") is not True:
        choice = {"index": 0, "text": "".join(said), "logprobs": None, "finish_reason": finish}
        return json_reply(200, {**head, "choices": [choice], "usage": usage})
    events = call.faults.events(call.asked, _stream(head, said, finish, usage))
    steps = call.faults.steps(pace(chunks.write(events), call.state.pace))
    return Reply(200, [("content-type", "text/event-stream")], steps)


def _stream(head: JsonObject, said: list[str], finish: str, usage: JsonObject) -> Iterator[chunks.Event]:
    for piece in said:
        yield {**head, "choices": [{"index": 0, "text": piece, "logprobs": None, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": finish}]}
    yield {**head, "choices": [], "usage": usage}
    yield chunks.DONE


def _fill(call: Call, prompt: str) -> str | None:
    """What stands in the hole: its last words before and its first words behind."""
    suffix = call.object.get("suffix")
    if call.face.kind == "ollama" and isinstance(suffix, str):
        before, behind = prompt, suffix
    elif call.face.kind == "vllm" and (found := TEMPLATE.fullmatch(prompt)):
        before, behind = found[1], found[2]
    else:
        return None
    return f"between {before[-20:]!r} and {behind[:20]!r}"
