"""`POST chat/completions` on every face (upstream.md 4.3, 4.4, 4.13)."""

from collections.abc import Iterator
from dataclasses import replace

from . import chunks, rules, variants
from .catalogue import ALIASES, CATALOGUES, EMBEDDINGS, OTHER_KINDS, Model
from .chunks import Answer
from .dialects import DIALECTS
from .echo import Wish, speak
from .errors import refuse
from .shapes import EVENTS
from .state import Call
from .wire import Pause, Reply, Step, json_reply


def chat(call: Call) -> Reply:
    """Answer a chat call."""
    model = find_model(call)
    enter(call, model.id)
    kind, body = call.face.kind, call.object
    if kind in {"dashscope", "portal"}:
        wish, prompt = rules.check(body, model), rules.prompt_tokens(body, model)
    else:
        wish, prompt = variants.check(kind, body, model), variants.prompt_tokens(kind, body, model)
    return give(call, make_answer(call, wish, prompt))


def find_model(call: Call) -> Model:
    """The model that is asked for, if the face has it and the key may call it."""
    name = call.object.get("model")
    if not isinstance(call.body, dict):
        raise refuse("invalid-parameter", "The request body is not valid JSON.")
    if not isinstance(name, str) or not name:
        raise refuse("invalid-parameter", "you must provide a model parameter")
    model = CATALOGUES[call.face.catalogue].get(name)
    if model is None and call.face.kind not in {"dashscope", "portal"}:
        raise variants.no_model(call.face.kind, name)
    if model is None and (call.face.plan in {"coding", "token"} or call.face.kind == "portal"):
        raise refuse("plan-model", model=name)
    if model is None and (name in EMBEDDINGS or name in OTHER_KINDS):
        raise refuse("model-not-supported", model=name)
    if model is None:
        raise refuse("model-not-found", model=name)
    if call.key.models is not None and name not in call.key.models:
        raise refuse("access-denied-unpurchased")
    return model


def enter(call: Call, model: str) -> None:
    """Count the call in its account's windows, or refuse it."""
    call.state.windows.enter(call.account, call.key, model, call.now)
    call.entered = True


def make_answer(call: Call, wish: Wish, prompt: int) -> Answer:
    """Let the engine speak."""
    body, dialect = call.object, DIALECTS[call.face.kind]
    wish = replace(wish, id_prefix=dialect.call_prefix)
    speeches = tuple(speak(wish, choice) for choice in range(int(body.get("n") or 1)))
    if variants.hides_thoughts(call.face.kind, body):
        speeches = tuple(replace(speech, thoughts="") for speech in speeches)
    options = body.get("stream_options")
    details = {"text_tokens": prompt}
    if dialect.usage_key:
        details |= call.state.cache.look(call.account, wish.model, body, call.now)
    return Answer(
        id=dialect.id_prefix + call.request_id,
        created=int(call.now),
        model=ALIASES.get(wish.model, wish.model),
        dialect=dialect,
        speeches=speeches,
        prompt_tokens=prompt,
        prompt_details=details,
        thinking=wish.thinking,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        top_logprobs=int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None,
    )


def give(call: Call, answer: Answer) -> Reply:
    """Write the answer, streamed or whole, with the faults that change it."""
    answer = call.faults.answer(answer)
    used = answer.prompt_tokens + sum(one.reasoning_tokens + one.text_tokens for one in answer.speeches)
    call.state.windows.spend(call.account, call.object["model"], call.now, used)
    headers = [("x-generation-id", answer.id)] if call.face.kind == "openrouter" else []
    if call.object.get("stream") is not True:
        return json_reply(200, chunks.completion(answer), headers)
    events = call.faults.events(call.asked, chunks.stream(answer))
    steps = call.faults.steps(pace(chunks.write(events), call.state.pace))
    kind = EVENTS if call.face.kind in {"dashscope", "portal"} else "text/event-stream"
    return Reply(200, [("content-type", kind), ("cache-control", "no-cache"), *headers], steps)


def pace(steps: Iterator[Step], seconds: float) -> Iterator[Step]:
    """The steps, with time between the words."""
    if seconds <= 0:
        return steps
    return _slowly(steps, seconds)


def _slowly(steps: Iterator[Step], seconds: float) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, bytes):
            yield Pause(seconds)
