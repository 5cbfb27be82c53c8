"""The control endpoints: `/__sim__/…`, for tests in other processes."""

from dataclasses import asdict, replace
from typing import Any

from .faults import FAULTS, UnknownFault
from .keys import Key
from .log import Received
from .state import State
from .wire import JsonObject, Reply, json_reply

PREFIX = "/__sim__/"
CONTROLS = (
    "POST script, reset, keys, settings, login, revoke, expire, web/say, web/browser, web/revoke, web/expire, "
    "and GET log, connections, script, faults, logins, web/chats, web/visitors"
)
OAUTH_SETTINGS = ("token_life", "refresh_life", "code_life", "interval")


def control(state: State, received: Received) -> Reply:
    """Answer a control call."""
    name = received.path.removeprefix(PREFIX)
    try:
        body = _act(state, name, received)
    except (UnknownFault, ValueError, TypeError, KeyError) as error:
        return json_reply(400, {"error": str(error)})
    if body is None:
        return json_reply(404, {"error": f"no control {received.method} {name!r}; there are {CONTROLS}"})
    return json_reply(200, body)


def _act(state: State, name: str, received: Received) -> Any:
    match received.method, name:
        case "POST", "script":
            written = received.json
            state.script.add(written if isinstance(written, list) else [written])
            return {"waiting": len(state.script.entries)}
        case "GET", "script":
            return {"waiting": len(state.script.entries)}
        case "POST", "reset":
            state.reset()
            return {}
        case "POST", "keys":
            state.keys |= {key: Key.from_json(settings) for key, settings in received.json.items()}
            return {"keys": sorted(state.keys)}
        case "POST", "settings":
            return _settings(state, received.json)
        case "POST", "login":
            return state.logins.login(**(received.json or {}))
        case "POST", "revoke":
            return {"revoked": state.logins.revoke(received.json["account"])}
        case "POST", "expire":
            state.logins.expire(received.json["account"])
            return {}
        case "GET", "logins":
            return [one.as_json() for one in state.logins]
        case "POST", "web/say":
            written = received.json
            state.web.lay_out(written if isinstance(written, list) else [written])
            return {"waiting": len(state.web.answers.waiting)}
        case "POST", "web/browser":
            return state.web.visitors.browser(**(received.json or {}))
        case "POST", "web/revoke":
            state.web.visitors.revoke(received.json["name"])
            return {}
        case "POST", "web/expire":
            state.web.visitors.expire(received.json["name"])
            return {}
        case "GET", "web/chats":
            return [{**chat.as_object(), "owner": chat.owner} for chat in state.web.chats]
        case "GET", "web/visitors":
            return [visitor.as_json() for visitor in state.web.visitors]
        case "GET", "log":
            return [one.as_json() for one in state.log]
        case "GET", "connections":
            return [one.as_json() for one in state.log.connections]
        case "GET", "faults":
            return {
                fault.name: {"section": fault.section, "text": fault.text, "params": fault.params}
                for fault in FAULTS.values()
            }
        case _:
            return None


def _settings(state: State, given: JsonObject) -> JsonObject:
    state.pace = float(given.pop("pace", state.pace))
    for name in OAUTH_SETTINGS:
        if name in given:
            setattr(state.logins, name, float(given.pop(name)))
    state.portal = replace(state.portal, **given.pop("portal", {}))
    state.web.mood = replace(state.web.mood, **given.pop("web", {}))
    if given:
        raise ValueError(f"no setting {sorted(given)[0]!r}; there are pace, portal, web, {', '.join(OAUTH_SETTINGS)}")
    return {"pace": state.pace, "portal": asdict(state.portal), "web": asdict(state.web.mood)} | {
        name: getattr(state.logins, name) for name in OAUTH_SETTINGS
    }
