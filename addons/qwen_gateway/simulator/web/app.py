"""The site as an application: find the endpoint, the visitor, the answer (upstream.md 3.2, 3.3)."""

import re
from collections.abc import Callable
from typing import Any

from ..log import Received
from ..state import Call
from ..wire import Reply
from . import endpoints, files, rows, turns
from .rows import Challenged, Refused
from .visitors import Visitor, cookies_of, presented

TURN = "/api/v2/chat/completions"
Handler = Callable[..., Reply]

OPEN: dict[tuple[str, str], Handler] = {
    ("POST", "/api/v1/auths/signin"): endpoints.sign_in,
    ("POST", "/api/v2/auths/refresh"): endpoints.refresh,
    ("GET", "/api/models"): endpoints.models_v1,
    ("GET", "/api/v2/models"): endpoints.models,
    ("GET", "/api/v2/configs"): endpoints.configs,
}
"""Of anybody."""

PRIVATE: list[tuple[str, str, Handler]] = [
    ("POST", TURN, turns.turn),
    ("POST", f"{TURN}/stop", endpoints.stop),
    ("POST", "/api/v2/chat/stop", endpoints.stop),
    ("POST", "/api/v2/chats/new", endpoints.new_chat),
    ("GET", "/api/v2/chats", endpoints.list_chats),
    ("GET", r"/api/v2/chats/([\w-]+)", endpoints.one_chat),
    ("DELETE", r"/api/v2/chats/([\w-]+)", endpoints.delete_chat),
    ("GET", r"/api/v2/chats/([\w-]+)/tags", endpoints.tags),
    ("POST", "/api/v2/files/getstsToken", endpoints.ticket),
    ("POST", "/api/v1/files/getstsToken", endpoints.ticket_v1),
    ("POST", "/api/v2/files/parse", endpoints.parse),
    ("POST", "/api/v2/files/parse/status", endpoints.parse_status),
    ("GET", r"/api/v1/tasks/status/([\w-]+)", endpoints.task),
    ("GET", "/api/v1/auths", endpoints.renew),
    ("GET", "/api/v2/user/info", endpoints.user),
    ("GET", "/api/v2/users/status", endpoints.user),
    ("GET", "/api/v2/users/user/settings", endpoints.settings),
    ("POST", "/api/v2/users/user/settings/update", endpoints.set_settings),
    ("POST", "/api/v2/memories/delete", endpoints.forget),
    ("GET", "/api/v2/library/list", endpoints.nothing),
    ("GET", "/api/v2/projects", endpoints.nothing),
]
"""Of visitors."""


def is_turn(received: Received) -> bool:
    """Whether the request is a turn."""
    return received.path.rstrip("/") == TURN


def in_store(received: Received) -> bool:
    """Whether the request is for the store of files: by its path, or by its host."""
    return received.path.startswith(f"/{files.BUCKET}/") or (received.header("host") or "").startswith(files.BUCKET)


def standing_fault(call_state: Any, received: Received) -> str:
    """The fault of the visitor or of the mood; both are for turns."""
    if not is_turn(received):
        return ""
    site = call_state.web
    visitor = site.visitors.known.get(site.visitors.name_of(received))
    return (visitor.fault if visitor is not None else "") or site.mood.fault


def answer(call: Call) -> Reply:
    """Answer a request to the site."""
    try:
        reply = _answer(call)
    except Refused as refused:
        reply = rows.reply(refused.row, call.request_id)
    except Challenged:
        return rows.challenge(call.state.web.mood.challenge or "json", call.received.path)
    _headers(call, reply)
    return reply


def _answer(call: Call) -> Reply:
    site, received = call.state.web, call.received
    if in_store(received):
        return files.store(site.files, received, call.now)
    mood = site.mood
    too_large = len(received.body) > mood.body_limit
    if mood.challenge or too_large or any(received.header(name) is None for name in mood.demands):
        raise Challenged
    path = received.path.rstrip("/")
    handler = OPEN.get((received.method, path))
    if handler is not None:
        return handler(call)
    for method, pattern, private in PRIVATE:
        found = re.fullmatch(pattern, path)
        if method == received.method and found is not None:
            visitor = site.visitors.identify(received, guests=mood.guests)
            reply = private(call, visitor, *found.groups())
            _renew_by_cookie(call, visitor, reply)
            return reply
    return Reply(404, [], b"")


def _renew_by_cookie(call: Call, visitor: Visitor, reply: Reply) -> None:
    site = call.state.web
    claims = site.visitors.claims(call.received)
    if not site.mood.renew_by_cookie or visitor.guest or claims is None:
        return
    if claims["exp"] - call.now < site.visitors.token_life / 2 and presented(call.received):
        token = site.visitors.token(visitor.name)
        reply.headers.append(("set-cookie", f"token={token}; Path=/; HttpOnly"))


def _headers(call: Call, reply: Reply) -> None:
    """What the site adds to its answers (3.2)."""
    given = call.received.header("x-request-id")
    reply.headers += [("x-request-id", given or call.request_id), ("ga-ap", "simulator")]
    reply.headers.append(("x-frame-options", "SAMEORIGIN"))
    if reply.header("x-actual-status-code") is None:
        reply.headers.append(("x-actual-status-code", str(reply.status)))
    if "acw_tc" not in cookies_of(call.received) or call.state.web.mood.rotate_cookies:
        reply.headers.append(("set-cookie", f"acw_tc={call.request_id[:8]}; Path=/; HttpOnly; Max-Age=1800"))
