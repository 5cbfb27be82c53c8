"""The endpoints of the authorization server (upstream.md 2.2 to 2.4)."""

from ..state import Call
from ..wire import JsonObject, Reply, json_reply
from .logins import SCOPE, Login

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
JITTER = 0.05
"""A poll may be this much early, in seconds."""


def refused(status: int, error: str, description: str) -> Reply:
    """An error of the authorization server."""
    return json_reply(status, {"error": error, "error_description": description})


def device_code(call: Call) -> Reply:
    """`POST /api/v1/oauth2/device/code`."""
    logins, form = call.state.logins, call.received.form
    for name in ("client_id", "scope", "code_challenge", "code_challenge_method"):
        if not form.get(name):
            return refused(400, "invalid_request", f"Missing parameter: {name}")
    if form["client_id"] not in logins.client_ids:
        return refused(400, "invalid_request", "Invalid client_id")
    if form["code_challenge_method"] != "S256":
        return refused(400, "invalid_request", "code_challenge_method must be S256")
    if set(form["scope"].split()) - set(SCOPE.split()):
        return refused(400, "invalid_scope", "The requested scope is invalid")
    code = logins.begin(form["code_challenge"], form["scope"])
    call.received.note = f"device code for {code.user_code}"
    page = call.state.base_url + "/authorize"
    return json_reply(
        200,
        {
            "device_code": code.device_code,
            "user_code": code.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={code.user_code}&client=qwen-code",
            "expires_in": int(logins.code_life),
            "interval": logins.interval,
        },
    )


def token(call: Call) -> Reply:
    """`POST /api/v1/oauth2/token`, by either grant."""
    form = call.received.form
    if form.get("client_id") not in call.state.logins.client_ids and form.get("grant_type") == DEVICE_GRANT:
        return refused(401, "invalid_client", "Invalid client_id")
    if form.get("grant_type") == DEVICE_GRANT:
        return _poll(call, form)
    if form.get("grant_type") == "refresh_token":
        return _refresh(call, form)
    return refused(400, "unsupported_grant_type", f"Unsupported grant type: {form.get('grant_type')}")


def _poll(call: Call, form: dict[str, str]) -> Reply:
    logins = call.state.logins
    code = logins.code(device_code=form.get("device_code", "-"))
    if code is None or code.state == "used":
        return refused(401, "invalid_request", "The device code is expired or invalid")
    last, code.polled_at = code.polled_at, call.now
    code.polls += 1
    call.received.note = f"poll {code.polls} for {code.user_code}"
    if code.until <= call.now:
        return refused(400, "expired_token", "The device code has expired")
    if last is not None and call.now - last < logins.interval - JITTER:
        return refused(429, "slow_down", "Polling too frequently")
    if not code.verified_by(form.get("code_verifier", "")):
        return refused(400, "invalid_grant", "Invalid code_verifier")
    if code.state == "denied":
        return refused(400, "access_denied", "The user has denied the request")
    if code.state == "pending":
        return refused(400, "authorization_pending", "The authorization request is still pending")
    code.state = "used"
    login = Login(code.account, call.now + logins.refresh_life)
    logins.logins.append(login)
    return _granted(call, logins.grant(login))


def _refresh(call: Call, form: dict[str, str]) -> Reply:
    logins = call.state.logins
    body = None
    if form.get("client_id") in logins.client_ids:
        body = logins.refresh(form.get("refresh_token", ""))
    if body is None:
        call.received.note = "refused refresh"
        return refused(400, "invalid_request", "Invalid refresh token or client_id")
    login = logins.holder(str(body["access_token"]))
    if login is not None:
        call.received.note = f"refresh {login.refreshes} of {login.account}"
    return _granted(call, body)


def _granted(call: Call, body: JsonObject) -> Reply:
    names = call.faults.names
    if "oauth-no-resource-url" in names:
        del body["resource_url"]
    if "oauth-no-refresh-token" in names:
        del body["refresh_token"]
    return json_reply(200, body, [("cache-control", "no-store")])
