"""The control endpoints: `/__sim__/…`, for tests in other processes."""

from typing import Any

from .faults import FAULTS, UnknownFault
from .keys import Key
from .log import Received
from .state import State
from .wire import Reply, json_reply

PREFIX = "/__sim__/"
CONTROLS = "POST script, reset, keys, settings, and GET log, connections, script, faults"


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
            settings = received.json
            state.pace = float(settings.get("pace", state.pace))
            return {"pace": state.pace}
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
