"""Everything but the turn: sign-in, models, chats, files, settings (upstream.md 3.1, 3.3, 3.4, 3.9)."""

import hashlib
import hmac
from typing import Any

from ..state import Call
from ..wire import JsonObject, Reply, json_reply
from .chats import Chat
from .files import TYPES, File
from .line_up import MODELS
from .rows import refuse
from .turns import done
from .visitors import Visitor

PAGE = 50


def sign_in(call: Call) -> Reply:
    """`POST /api/v1/auths/signin`: the password comes as its SHA-256."""
    name = str(call.object.get("email", ""))
    visitor = call.state.web.visitors.known.get(name)
    expected = hashlib.sha256(visitor.password.encode()).hexdigest() if visitor is not None and visitor.password else ""
    if visitor is None or not expected or not hmac.compare_digest(expected, str(call.object.get("password", ""))):
        raise refuse("unauthorized", "401 The email or password is incorrect.")
    return _with_token(call, visitor, _session(call, visitor))


def renew(call: Call, visitor: Visitor) -> Reply:
    """`GET /api/v1/auths/`: who I am, and a new token."""
    if visitor.guest:
        raise refuse("unauthorized")
    visitor.renewals += 1
    call.received.note = f"renewal {visitor.renewals} of {visitor.name}"
    return _with_token(call, visitor, _session(call, visitor))


def refresh(call: Call) -> Reply:
    """`POST /api/v2/auths/refresh`: the refresh token is good once."""
    visitors = call.state.web.visitors
    visitor = visitors.spend_refresh(str(call.object.get("refresh_token", "")))
    if visitor is None:
        raise refuse("unauthorized")
    visitor.renewals += 1
    call.received.note = f"renewal {visitor.renewals} of {visitor.name}"
    session = {"token": visitors.token(visitor.name), "refresh_token": visitors.refresh_token(visitor.name)}
    reply = done(call, session)
    _set_token(call, reply, str(session["token"]))
    return reply


def _session(call: Call, visitor: Visitor) -> JsonObject:
    visitors = call.state.web.visitors
    return {
        **_user(visitor),
        "token": visitors.token(visitor.name),
        "refresh_token": visitors.refresh_token(visitor.name),
        "token_type": "Bearer",
        "expires_at": int(call.now + visitors.token_life),
        "permissions": {"workspace": {}, "chat": {"file_upload": True, "delete": True}},
    }


def _with_token(call: Call, visitor: Visitor, session: JsonObject) -> Reply:
    reply = json_reply(200, session)
    _set_token(call, reply, session["token"])
    return reply


def _set_token(call: Call, reply: Reply, token: str) -> None:
    life = int(call.state.web.visitors.token_life)
    reply.headers.append(("set-cookie", f"token={token}; Path=/; Max-Age={life}; HttpOnly; Secure; SameSite=Lax"))


def _user(visitor: Visitor) -> JsonObject:
    return {"id": visitor.id, "email": visitor.name, "name": visitor.name, "role": "guest" if visitor.guest else "user"}


def user(call: Call, visitor: Visitor) -> Reply:
    """`GET /api/v2/user/info` and `/api/v2/users/status`."""
    return done(call, _user(visitor))


def models_v1(call: Call) -> Reply:
    """`GET /api/models`, of anybody."""
    return json_reply(200, {"data": [model.as_json() for model in MODELS.values()]})


def models(call: Call) -> Reply:
    """`GET /api/v2/models/`, of anybody."""
    return done(call, {"data": [model.as_json() for model in MODELS.values()]})


def new_chat(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v2/chats/new`."""
    body, site, now = call.object, call.state.web, int(call.now)
    wanted = body.get("models")
    if not isinstance(wanted, list) or not wanted or body.get("chat_mode") not in {"normal", "guest", "local"}:
        raise refuse("bad-request")
    if any(model not in MODELS for model in wanted):
        raise refuse("model-not-found")
    number, title = call.state.next_id(), str(body.get("title") or "New Chat")
    kind, project = str(body.get("chat_type") or "t2t"), str(body.get("project_id") or "")
    chat = Chat(number, visitor.name, title, wanted, str(body["chat_mode"]), kind, now, now, project)
    site.chats.by_id[number] = chat
    call.received.note = f"new chat {number} of {visitor.name}"
    return done(call, {"id": number})


def list_chats(call: Call, visitor: Visitor) -> Reply:
    """`GET /api/v2/chats/?page=1` and `?limit=50`."""
    query = call.received.query
    page, limit = int(query.get("page") or 1), int(query.get("limit") or PAGE)
    chats = call.state.web.chats.of(visitor.name)[(page - 1) * limit : page * limit]
    return done(call, [chat.as_item() for chat in chats])


def one_chat(call: Call, visitor: Visitor, number: str) -> Reply:
    """`GET /api/v2/chats/{id}`."""
    return done(call, call.state.web.chats.find(number, visitor.name).as_object())


def delete_chat(call: Call, visitor: Visitor, number: str) -> Reply:
    """`DELETE /api/v2/chats/{id}`."""
    site = call.state.web
    site.chats.delete(site.chats.find(number, visitor.name).id)
    call.received.note = f"deleted chat {number} of {visitor.name}"
    return done(call, {"status": True})


def tags(call: Call, visitor: Visitor, number: str) -> Reply:
    """`GET /api/v2/chats/{id}/tags`."""
    call.state.web.chats.find(number, visitor.name)
    return done(call, [])


def stop(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v2/chat/completions/stop`; a chat without a generation has nothing to stop, and that is no error."""
    number = call.received.query.get("chat_id") or call.object.get("chat_id")
    site = call.state.web
    site.chats.find(number, visitor.name).stop(call.now, site.mood.settle)
    call.received.note = f"stop of {number} by {visitor.name}"
    return done(call, {"status": True})


def ticket(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v2/files/getstsToken`."""
    made = _ticket(call, visitor)
    return done(call, made)


def ticket_v1(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v1/files/getstsToken`: the fields at the top."""
    return json_reply(200, _ticket(call, visitor))


def _ticket(call: Call, visitor: Visitor) -> JsonObject:
    body, state = call.object, call.state
    name, size, kind = body.get("filename"), body.get("filesize"), body.get("filetype")
    if not isinstance(name, str) or not name or not isinstance(size, int | str) or kind not in TYPES:
        raise refuse("bad-request")
    if not str(size).isdecimal() or int(size) > TYPES[str(kind)]:
        raise refuse("bad-request", "The file is too large.")
    file = state.web.files.begin(state.next_id(), visitor, name, int(size), str(kind), call.now)
    call.received.note = f"ticket for {name} of {visitor.name}"
    return file.ticket(state.base_url.removeprefix("https://"))


def parse(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v2/files/parse`."""
    file = _file(call, visitor, call.object.get("file_id"))
    if file.content is None:
        raise refuse("file-not-found")
    file.parse = "pending"
    return done(call, {"file_id": file.id, "status": "pending"})


def parse_status(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v2/files/parse/status`."""
    wanted, mood = call.object.get("file_id_list"), call.state.web.mood
    if not isinstance(wanted, list):
        raise refuse("bad-request")
    files = [_file(call, visitor, number) for number in wanted]
    for file in files:
        if file.parse == "pending":
            file.polls += 1
            if file.polls > mood.parse_polls:
                file.parse = mood.parse_result
    return done(call, [{"file_id": file.id, "status": file.parse} for file in files])


def _file(call: Call, visitor: Visitor, number: Any) -> File:
    file = call.state.web.files.by_id.get(str(number))
    if file is None or file.owner != visitor.name:
        raise refuse("file-not-found")
    return file


def task(call: Call, visitor: Visitor, number: str) -> Reply:
    """`GET /api/v1/tasks/status/{id}`: a video in the making."""
    tasks = call.state.web.tasks
    if number not in tasks:
        raise refuse("file-not-found", "Task not found")
    tasks[number] -= 1
    if tasks[number] >= 0:
        return json_reply(200, {"task_status": "running", "content": ""})
    content = f"https://cdn.qwenlm.ai/output/{number}.mp4?key=simulated"
    return json_reply(200, {"task_status": "success", "content": content})


def settings(call: Call, visitor: Visitor) -> Reply:
    """`GET /api/v2/users/user/settings`."""
    return done(call, call.state.web.settings)


def set_settings(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v2/users/user/settings/update`."""
    call.state.web.settings |= call.object
    return done(call, call.state.web.settings)


def forget(call: Call, visitor: Visitor) -> Reply:
    """`POST /api/v2/memories/delete`."""
    return done(call, {"status": True})


def nothing(call: Call, visitor: Visitor) -> Reply:
    """The library and the projects: empty."""
    return done(call, [])


def configs(call: Call) -> Reply:
    """`GET /api/v2/configs/`."""
    return done(call, {"version": "0.3.11"})
