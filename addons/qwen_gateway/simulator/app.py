"""The application: a request in, a reply out. Finds the face, the key, the faults, and the answer."""

from collections.abc import Callable

from . import control, faces, keys, responses
from .chat import chat
from .completions import completions
from .embeddings import embeddings
from .errors import ROWS, Refused
from .faces import FACES, Face
from .faults import Faults, UnknownFault
from .faults.table import Asked
from .keys import Key
from .log import Received
from .models import limits, list_models, native, one_model, permissions
from .oauth import endpoints, page, portal
from .oauth.web_search import web_search
from .shapes import error_reply
from .state import Call, State
from .tokenize import tokenize
from .web import app as web
from .wire import JsonObject, Reply

Handler = Callable[[Call], Reply]

ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "chat/completions"): chat,
    ("POST", "completions"): completions,
    ("POST", "embeddings"): embeddings,
    ("GET", "models"): list_models,
    ("POST", "responses"): responses.create,
}
TOKENIZE = "/vllm/v1/tokenize"
NATIVE_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "models"): native,
    ("GET", "models/limits"): limits,
    ("GET", "models/permissions"): permissions,
}


PORTAL_ROUTES: dict[tuple[str, str], Handler] = {("POST", "chat/completions"): portal.answer}
"""No model list, and embeddings never worked (2.7, 2.10)."""
OAUTH_ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "api/v1/oauth2/device/code"): endpoints.device_code,
    ("POST", "api/v1/oauth2/token"): endpoints.token,
    ("POST", "api/v2/oauth2/authorize"): page.hook,
    ("GET", "authorize"): page.show,
    ("POST", "authorize"): page.decide,
    ("POST", "api/v1/indices/plugin/web_search"): web_search,
}


class App:
    """Qwen, as far as a client can tell."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __call__(self, received: Received) -> Reply:
        """Answer a request."""
        if received.path.startswith(control.PREFIX):
            return control.control(self.state, received)
        try:
            return self._answer(received)
        except UnknownFault as error:
            return Reply(500, [("content-type", "text/plain")], str(error).encode())

    def _answer(self, received: Received) -> Reply:
        # vLLM has it beside `/v1`, not within.
        path = TOKENIZE if received.path == "/vllm/tokenize" else received.path
        found = (FACES["web"], path[1:]) if web.in_store(received) else faces.find(path)
        if found is None:
            return Reply(404, [], b"")
        face, rest = found
        received.face = face.name
        name = self.state.web.visitors.name_of(received) if face.kind == "web" else keys.presented(received)
        received.key = name or ""
        key = self._key(face, name)
        faults = self._faults(received, face, name or "", key)
        received.faults = faults.names
        call = self._call(received, face, rest, faults)
        reply = faults.reply(call.asked)
        if reply is None:
            try:
                if face.kind == "web":
                    return faults.whole(web.answer(call))
                call.key = _admit(call, key)
                reply = _handler(call)(call)
            except Refused as refused:
                reply = error_reply(refused.row, call.request_id, call.asked.shape)
        if call.entered:
            reply.after = lambda: self.state.windows.leave(call.account)
        if face.kind in {"dashscope", "portal"} and reply.header("server") is None:
            reply.headers += _gateway_headers(call)
        return faults.whole(reply)

    def _key(self, face: Face, name: str | None) -> Key | None:
        if not name or face.kind == "web":
            return None
        if face.kind in {"portal", "oauth"}:
            return self.state.logins.key(name)
        return self.state.keys.get(name) or keys.parse(name)

    def _faults(self, received: Received, face: Face, name: str, key: Key | None) -> Faults:
        asked = received.header("x-sim-fault")
        if asked is not None:
            return Faults.parse(asked)
        scripted = self.state.script.take(name, received.path)
        if scripted is not None:
            return scripted
        standing = self.state.portal.fault if face.kind == "portal" else ""
        if face.kind == "web":
            standing = web.standing_fault(self.state, received)
        return Faults.parse((key.fault if key is not None else "") or standing)

    def _call(self, received: Received, face: Face, rest: str, faults: Faults) -> Call:
        request_id = self.state.next_id()
        body = received.json
        given: JsonObject = body if isinstance(body, dict) else {}
        asked = Asked(
            request_id,
            _shape(face, rest, faults),
            stream=given.get("stream") is True and rest.rstrip("/") in {"chat/completions", web.TURN[1:]},
            model=str(given.get("model", "")),
            tools=bool(given.get("tools")),
        )
        return Call(
            self.state,
            received,
            face,
            rest,
            body,
            keys.presented(received),
            Key(),
            request_id,
            faults,
            asked,
            self.state.clock(),
        )


def _admit(call: Call, key: Key | None) -> Key:
    if call.face.kind == "oauth":
        return Key()
    if call.face.kind == "portal":
        return portal.admit(call, key)
    return keys.admit(call.face, call.key_name, key)


def _handler(call: Call) -> Handler:
    method, rest = call.received.method, call.rest.rstrip("/")
    routes = {"native": NATIVE_ROUTES, "portal": PORTAL_ROUTES, "oauth": OAUTH_ROUTES}.get(call.face.name, ROUTES)
    if call.face.kind == "vllm" and (method, rest) == ("POST", "tokenize"):
        return tokenize
    if rest == "responses" and call.face.kind != "dashscope":
        return _nowhere
    if rest == "completions" and call.face.kind not in {"vllm", "ollama"}:
        return _nowhere
    handler = routes.get((method, rest))
    if handler is not None:
        return handler
    if call.face.kind in {"ollama", "vllm", "openrouter"} and method == "GET" and rest.startswith("models/"):
        return one_model
    if rest.startswith("responses/") and call.face.kind == "dashscope":
        stored = {"GET": responses.retrieve, "DELETE": responses.delete}
        return stored.get(method, _wrong_method)
    known = {path for _, path in routes}
    return _wrong_method if rest in known else _nowhere


def _wrong_method(_: Call) -> Reply:
    raise Refused(ROWS["method-not-allowed"])


def _nowhere(call: Call) -> Reply:
    if call.face.plan in {"coding", "token"} or call.face.kind != "dashscope":
        return Reply(404, [], b"")
    raise Refused(ROWS["not-found"])


def _shape(face: Face, rest: str, faults: Faults) -> str:
    if face.kind == "vllm" and "old-errors" in faults.names:
        return "vllm-old"
    if face.kind == "dashscope" and (face.name == "native" or rest.startswith("responses")):
        return "flat"
    return "dashscope" if face.kind in {"portal", "oauth", "web"} else face.kind


def _gateway_headers(call: Call) -> list[tuple[str, str]]:
    """The headers of 4.4. No rate-limit headers, and no Retry-After by itself."""
    arrived = int(call.now * 1000)
    return [
        ("x-request-id", call.request_id),
        ("x-dashscope-call-gateway", "true"),
        ("x-dashscope-finished", "false" if call.asked.stream else "true"),
        ("x-dashscope-timeout", "298"),
        ("req-cost-time", "1"),
        ("req-arrive-time", str(arrived)),
        ("resp-start-time", str(arrived + 1)),
        ("x-envoy-upstream-service-time", "1"),
        ("server", "istio-envoy"),
    ]
