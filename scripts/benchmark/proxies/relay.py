"""The least that any gateway must do within mitmproxy's own hooks: read the call, put in a key, stream the answer."""

import json

from mitmproxy import http


def request(flow: http.HTTPFlow) -> None:
    """Read the call and give it the account's key."""
    call = json.loads(flow.request.get_content() or b"{}")
    call["stream"] = bool(call.get("stream"))
    flow.request.content = json.dumps(call).encode()
    flow.request.headers["authorization"] = "Bearer sk-bench"


def responseheaders(flow: http.HTTPFlow) -> None:
    """Hand every answer on as it comes."""
    if flow.response:
        flow.response.stream = True
