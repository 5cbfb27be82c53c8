"""`POST /api/v2/chat/completions`: one turn of a chat (upstream.md 3.5, 3.6, 3.8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .. import tokens
from ..chat import pace
from ..chunks import Event, write
from ..state import Call
from ..wire import JsonObject, Reply, json_reply
from . import answers, phases
from .answers import Answer
from .chats import Chat
from .line_up import MODELS, WebModel
from .mood import Mood
from .rows import EVENTS, ROWS, Challenged, Refused, refuse
from .rows import event as error_event
from .visitors import Visitor

HOUR = 3_600
SILENT_MODES = {"Fast", "Disabled", "off"}
IMAGES = {"t2i", "image_edit"}


@dataclass(slots=True)
class Asked:
    """A turn, checked."""

    chat: Chat
    model: WebModel
    message: JsonObject
    text: str
    parent: str | None
    config: JsonObject
    kind: str


def turn(call: Call, visitor: Visitor) -> Reply:
    """Answer a turn."""
    site, mood = call.state.web, call.state.web.mood
    asked = _check(call, visitor)
    _count(call, visitor, mood)
    number = _depth(asked) + 1
    call.received.note = f"turn {number} of {asked.chat.id} by {visitor.name}"
    if asked.kind == "t2v":
        return _video(call, asked)
    if call.object.get("stream") is not True and mood.stream_only:
        raise refuse("bad-request")
    answer = site.answers.take(visitor.name, asked.text) or answers.echo(asked.text, asked.model.id, number)
    _complete(answer, asked, number)
    running = _begin(call, asked, answer)
    size = tokens.count_messages(asked.chat.history(running.user_id))
    running.input_tokens = size
    if size > (mood.context or asked.model.context):
        asked.chat.take_back(running.user_id, running.response_id)
        return _lone(error_event(ROWS["context-length"], running.response_id))
    if call.object.get("stream") is not True:
        return _whole(call, asked, running, answer)
    return _stream(call, asked, running, answer)


def _check(call: Call, visitor: Visitor) -> Asked:
    body, site, mood = call.object, call.state.web, call.state.web.mood
    number = call.received.query.get("chat_id")
    if not number or body.get("chat_id") != number:
        raise refuse("bad-request")
    chat = site.chats.find(number, visitor.name)
    if chat.busy(call.now):
        raise refuse("in-progress")
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise refuse("bad-request")
    first_of_two = len(messages) == 2 and mood.messages == 2 and not chat.messages
    if len(messages) != 1 and not (first_of_two and messages[0].get("role") == "system"):
        raise refuse("bad-request")
    message = messages[-1]
    if message.get("role") != "user" or body.get("incremental_output") is not True:
        raise refuse("bad-request")
    model = MODELS.get(str(body.get("model")))
    if model is None or not model.active or (visitor.guest and not model.guests):
        raise refuse("model-not-found")
    parent = body.get("parent_id")
    if {"parentId", "parent_id"} & message.keys() and {message.get("parentId"), message.get("parent_id")} != {parent}:
        raise refuse("bad-request", "internal error: the message has another parent than the turn")
    _check_files(call, visitor, message)
    config = message.get("feature_config")
    kind = str(message.get("sub_chat_type") or message.get("chat_type") or "t2t")
    # An array meets silence (3.5): its text is not read.
    content = message.get("content")
    text = "\n\n".join(str(one.get("content")) for one in messages) if isinstance(content, str) else ""
    parent = chat.find_parent(parent, mood)
    return Asked(chat, model, message, text, parent, config if isinstance(config, dict) else {}, kind)


def _check_files(call: Call, visitor: Visitor, message: JsonObject) -> None:
    files: Any = message.get("files") or []
    if not isinstance(files, list):
        raise refuse("bad-request")
    for one in files:
        file = call.state.web.files.by_id.get(str(one.get("id"))) if isinstance(one, dict) else None
        if file is None or file.owner != visitor.name or file.content is None:
            raise refuse("file-not-found")
        if file.type in {"file", "document"} and file.parse != "success":
            raise refuse("bad-request", "internal error: the document has not been parsed")


def _count(call: Call, visitor: Visitor, mood: Mood) -> None:
    """The day's quota of a visitor, and the burst of everybody (3.11)."""
    now, burst = call.now, call.state.web.burst
    while burst and burst[0] <= now - 60:
        burst.popleft()
    burst.append(now)
    if mood.burst is not None and len(burst) > mood.burst:
        raise Challenged
    limit, window = (mood.guest_turns, 6 * HOUR) if visitor.guest else (mood.per_day, 24 * HOUR)
    while visitor.turns and visitor.turns[0] <= now - window:
        visitor.turns.popleft()
    if limit is not None and len(visitor.turns) >= limit:
        hours = (visitor.turns[0] + window - now) // HOUR + 1 if visitor.turns else window // HOUR
        raise Refused(ROWS["rate-limited"].with_hours(int(hours)))
    visitor.turns.append(now)


def _depth(asked: Asked) -> int:
    return sum(message["role"] == "assistant" for message in asked.chat.history(asked.parent))


def _complete(answer: Answer, asked: Asked, number: int) -> None:
    """What the turn asks for and the answer does not say yet."""
    config = asked.config
    thinks = config.get("thinking_enabled") is True and config.get("thinking_mode") not in SILENT_MODES
    if answer.thoughts is None and thinks and asked.model.thinking:
        answer.thoughts = answers.thoughts(asked.text, number)
    if answer.search is None and (config.get("auto_search") is True or asked.kind == "search"):
        answer.search = answers.finds(asked.text)
    if asked.kind in IMAGES and not answer.images:
        answer.images, answer.text = [f"https://cdn.qwenlm.ai/output/{asked.chat.id}.png?key=simulated"], ""


def _begin(call: Call, asked: Asked, answer: Answer) -> phases.Turn:
    """Put both messages into the chat: the answer's id is good as a parent from now on."""
    chat, now = asked.chat, int(call.now)
    user_id, response_id = call.state.next_id(), call.state.next_id()
    common = {"models": [asked.model.id], "timestamp": now, "chat_type": asked.kind}
    files = asked.message.get("files") or []
    sent: JsonObject = {
        "id": user_id,
        "parentId": asked.parent,
        "childrenIds": [],
        "role": "user",
        "content": asked.text,
    }
    said: JsonObject = {"id": response_id, "parentId": user_id, "childrenIds": [], "role": "assistant"}
    whole = "".join(answer.pieces())
    parts = [{"content": whole, "phase": answer.phase, "status": "finished"}]
    chat.add({**sent, **common, "files": files})
    chat.add({**said, **common, "content": whole, "content_list": parts})
    chat.updated_at = now
    if chat.title == "New Chat":
        chat.title = " ".join(asked.text.split()[:6])
    return phases.Turn(
        chat.id,
        user_id,
        response_id,
        0,
        asked.config.get("thinking_format") == "summary",
        asked.config.get("output_schema") == "phase",
        now,
        mood=call.state.web.mood,
    )


def _stream(call: Call, asked: Asked, running: phases.Turn, answer: Answer) -> Reply:
    chat, mood = asked.chat, call.state.web.mood
    made = phases.events(running, answer if isinstance(asked.message.get("content"), str) else Answer(finished=False))
    chat.running, chat.stopped = True, False
    over = False

    def until_stopped() -> Iterator[Event]:
        nonlocal over
        for one in made:
            if chat.stopped:
                break
            yield one
        over = True

    def leave() -> None:
        chat.running = False
        if not over:
            chat.busy_until = call.state.now() + mood.linger

    events = call.faults.events(call.asked, until_stopped())
    steps = call.faults.steps(pace(write(events), call.state.pace))
    headers = [("content-type", EVENTS), ("cache-control", "no-cache"), ("x-actual-status-code", "200")]
    return Reply(200, headers, steps, after=leave)


def _whole(call: Call, asked: Asked, running: phases.Turn, answer: Answer) -> Reply:
    """One object, as of October 2025, without usage (3.6)."""
    message = {"role": "assistant", "content": "".join(answer.pieces())}
    data = {"chat_id": "", "parent_id": running.user_id, "message_id": running.response_id, "messages": None}
    return done(call, {**data, "choices": [{"message": message}]})


def _video(call: Call, asked: Asked) -> Reply:
    number = call.state.next_id()
    call.state.web.tasks[number] = call.state.web.mood.video_polls
    extra = {"wanx": {"task_id": number}}
    return done(call, {"chat_id": asked.chat.id, "messages": [{"role": "assistant", "extra": extra}]})


def _lone(event: bytes) -> Reply:
    return Reply(200, [("content-type", EVENTS)], iter((event,)))


def done(call: Call, data: Any) -> Reply:
    """An answer that is no stream."""
    return json_reply(200, {"success": True, "request_id": call.request_id, "data": data})
