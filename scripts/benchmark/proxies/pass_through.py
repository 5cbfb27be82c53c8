"""What a bare mitmproxy needs in order to stream: one line."""

from mitmproxy import http


def responseheaders(flow: http.HTTPFlow) -> None:
    """Hand every answer on as it comes."""
    if flow.response:
        flow.response.stream = True
