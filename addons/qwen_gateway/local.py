"""Answer a request ourselves, without any upstream."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from mitmproxy import http
from mitmproxy.proxy.mode_specs import ReverseMode

from qwen_gateway import flows
from qwen_gateway.callers import cors_headers, origin_allowed
from qwen_gateway.codec.json import dumps
from qwen_gateway.engine.delivery import Client, Headers
from qwen_gateway.openai.errors import OpenAIError


def answer(flow: http.HTTPFlow, value: object, status: int = 200, headers: list[tuple[str, str]] | None = None) -> None:
    """Answer with JSON."""
    give(flow, flows.json_response(dumps(value), status, headers))


def give(flow: http.HTTPFlow, response: http.Response) -> None:
    """Answer; a HEAD gets the head alone, for its client would take the body for the next answer."""
    if flow.request.method == "HEAD":
        response.data.content = b""
    flow.response = response


def moment(seconds: float | None) -> str | None:
    """A time for people and programs; None for never."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


def refuse(flow: http.HTTPFlow, error: OpenAIError, headers: list[tuple[str, str]] | None = None) -> None:
    """Answer with an error in OpenAI's form; shown in the flow's comment as well."""
    give(flow, flows.error_response(error, headers))
    flow.comment = f"refused: {error.message}"


async def stream(
    flow: http.HTTPFlow, client: Client, pieces: AsyncIterator[bytes], headers: Headers | None = None
) -> None:
    """Answer with events as they come, through a leg."""
    shown = flows.Shown(client)
    await shown.begin(200, [("content-type", "text/event-stream; charset=utf-8"), *(headers or [])])
    try:
        async for piece in pieces:
            await shown.send(piece)
        if flow.response is not None:
            flow.response.data.content = shown.content()
    finally:
        await shown.end(torn=False)


def let_read(flow: http.HTTPFlow, configured: frozenset[str]) -> None:
    """Let the page that asked read the answer, as pages may that call a surface of OpenAI's."""
    everyone = not isinstance(flow.client_conn.proxy_mode, ReverseMode)
    allow_origin(flow, flow.request.headers.get("origin", ""), configured, everyone=everyone)


def allow_origin(flow: http.HTTPFlow, origin: str, configured: frozenset[str], *, everyone: bool = False) -> None:
    """Let the page that asked read the answer."""
    if flow.response is not None and origin and (everyone or origin_allowed(origin, configured)):
        for name, value in cors_headers(origin):
            flow.response.headers[name] = value
