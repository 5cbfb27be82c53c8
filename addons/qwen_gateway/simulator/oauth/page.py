"""The page on which a person approves a device code, and the JSON way to do the same (upstream.md 2.2, 2.3)."""

import base64
import binascii
from html import escape
from typing import Any

from qwen_gateway.codec.json import loads

from ..keys import presented
from ..state import Call
from ..wire import Reply, json_reply

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem; }}
code {{ font-size: 1.6rem; letter-spacing: .15em; }}
button, input {{ font: inherit; padding: .5rem 1.5rem; margin: .5rem .5rem .5rem 0; }}
</style>
</head>
<body>
<h1>{title}</h1>
{content}
<p><small>This is the qwen-gateway simulator. No account of yours is involved.</small></p>
</body>
</html>
"""
_ASK = """<p><strong>{client}</strong> wants to use Qwen in your name. It shows this code:</p>
<p><code id="user-code">{code}</code></p>
<form method="post" action="/authorize">
<input type="hidden" name="user_code" value="{code}">
<button name="decision" value="approve" id="approve">Approve</button>
<button name="decision" value="deny" id="deny">Deny</button>
</form>"""
_ENTER = """<form method="get" action="/authorize">
<label>The code on your other screen: <input name="user_code" autofocus required></label>
<button>Continue</button>
</form>"""


def show(call: Call) -> Reply:
    """`GET /authorize`: ask for the code, or for the decision."""
    user_code = call.received.query.get("user_code", "").strip().upper()
    if not user_code:
        return _page(200, "Sign in", _ENTER)
    code = call.state.logins.code(user_code=user_code)
    if code is None or code.until <= call.now or code.state != "pending":
        return _unknown()
    client = call.received.query.get("client", "A program")
    return _page(200, "Sign in", _ASK.format(client=escape(client), code=escape(user_code)))


def decide(call: Call) -> Reply:
    """`POST /authorize`: a button was pressed."""
    form, logins = call.received.form, call.state.logins
    try:
        if form.get("decision") == "approve":
            logins.approve(form.get("user_code", ""), form.get("account", "user"))
            return _page(200, "Approved", "<p>You are signed in. You may close this window.</p>")
        logins.deny(form.get("user_code", ""))
    except KeyError:
        return _unknown()
    return _page(200, "Denied", "<p>The program was not given access. You may close this window.</p>")


def hook(call: Call) -> Reply:
    """`POST /api/v2/oauth2/authorize`: a logged-in web account decides without a page."""
    bearer = presented(call.received)
    if not bearer:
        return _web(call, 401, "Unauthorized", "401 Unauthorized")
    body: Any = call.received.json
    if not isinstance(body, dict) or not isinstance(body.get("user_code"), str):
        return _web(call, 400, "Bad_Request", "user_code is required")
    try:
        if body.get("approved") is True:
            call.state.logins.approve(body["user_code"], _account(bearer))
        else:
            call.state.logins.deny(body["user_code"])
    except KeyError:
        return _web(call, 400, "Bad_Request", "Invalid user_code")
    return json_reply(200, {"success": True, "request_id": call.request_id, "data": {}})


def _account(bearer: str) -> str:
    """The user of a web JWT (upstream.md 3.1); the token itself when it is none."""
    parts = bearer.split(".")
    if len(parts) == 3:
        try:
            payload = loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return str(payload["id"])
        except (binascii.Error, ValueError, KeyError, TypeError):
            pass
    return bearer


def _page(status: int, title: str, content: str) -> Reply:
    text = _PAGE.format(title=title, content=content)
    return Reply(status, [("content-type", "text/html; charset=utf-8")], text.encode())


def _unknown() -> Reply:
    return _page(404, "Unknown code", "<p>This code is not known, has expired, or was used. Start again.</p>")


def _web(call: Call, status: int, code: str, details: str) -> Reply:
    data = {"code": code, "details": details}
    return json_reply(status, {"success": False, "request_id": call.request_id, "data": data})
