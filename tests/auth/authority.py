"""Qwen's authorization server in memory, as upstream.md 2.2 to 2.4 describe it: refresh tokens work once.

Call it as a transport's handler (`httpx.MockTransport(authority)`), or `serve` it on loopback for other processes.
"""

import base64
import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import httpx

HTML = (504, "text/html", "<html><body>504 alibaba-ga</body></html>")


def json_answer(status, document):
    return status, "application/json", json.dumps(document)


class Authority:
    def __init__(self, life=21600):
        self.life = life
        self.alive = {"refresh-0"}  # the refresh tokens that still work
        self.refreshes = []  # those that were sent, in order
        self.dead = []  # those that were sent too late
        self.forms = []  # every form, as it arrived
        self.headers = []
        self.next_answers = []  # given instead, one per call
        self.resource_url = "portal.qwen.ai"
        self.page = "https://chat.qwen.ai/authorize"
        self.interval = 5
        self.pending = 1  # polls before the user approves
        self._lock = threading.Lock()
        self._count = 0

    def __call__(self, request):
        status, kind, body = self.answer(request.url.path, request.content.decode(), dict(request.headers))
        return httpx.Response(status, headers={"content-type": kind}, text=body, request=request)

    def connect(self, proxy=None):
        return httpx.AsyncClient(transport=httpx.MockTransport(self))

    def answer(self, path, content, headers):
        with self._lock:
            form = dict(parse_qsl(content))
            self.forms.append(form)
            self.headers.append(headers)
            if self.next_answers:
                return self.next_answers.pop(0)
            if form.get("grant_type") == "refresh_token":
                return self._refresh(form["refresh_token"])
            if path.endswith("/device/code"):
                return self._device(form)
            if form.get("grant_type", "").endswith(":device_code"):
                return self._poll(form)
            return json_answer(404, {"error": "not_found", "error_description": path})

    def _refresh(self, refresh_token):
        self.refreshes.append(refresh_token)
        if refresh_token not in self.alive:
            self.dead.append(refresh_token)
            words = "Invalid refresh token or client_id"
            return json_answer(400, {"error": "invalid_request", "error_description": words})
        self.alive.remove(refresh_token)
        return self._grant()

    def _device(self, form):
        self.challenge = form["code_challenge"]
        link = f"{self.page}?user_code=K7Q2X9_M&client=qwen-code"
        return json_answer(
            200,
            {
                "device_code": "canary-device",
                "user_code": "K7Q2X9_M",
                "verification_uri": self.page,
                "verification_uri_complete": link,
                "expires_in": 1800,
                "interval": self.interval,
            },
        )

    def _poll(self, form):
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return json_answer(400, {"error": "invalid_grant"})
        if self.pending:
            self.pending -= 1
            return json_answer(400, {"error": "authorization_pending"})
        return self._grant()

    def _grant(self):
        self._count += 1
        self.alive.add(f"refresh-{self._count}")
        return json_answer(
            200,
            {
                "access_token": f"access-{self._count}",
                "refresh_token": f"refresh-{self._count}",
                "token_type": "Bearer",
                "expires_in": self.life,
                "resource_url": self.resource_url,
            },
        )

    @contextlib.contextmanager
    def serve(self):
        """The same over a socket: the base URL."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers["content-length"])).decode()
                status, kind, body = authority.answer(
                    self.path, content, {name.lower(): value for name, value in self.headers.items()}
                )
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
