"""Calls as the tests write them, and answers taken apart."""

import json
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import httpx2
from openai import AsyncOpenAI

from tests import referee
from tests.e2e.judge import AsyncJudged, AsyncOpenAIJudged, Judged
from tests.e2e.mitm import Mitm

MODEL = "qwen3.7-plus"
HI: list[Any] = [{"role": "user", "content": "Say hi"}]
PATIENCE = 20.0  # seconds until a test gives up on an answer
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
# Reading the authorities of the system takes longer than a test.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def body(**fields: Any) -> dict[str, Any]:
    """A chat call."""
    return {"model": MODEL, "messages": HI, **fields}


class Http2Context(ssl.SSLContext):
    """TLS that offers HTTP/2 alone; httpx would put HTTP/1.1 first, and mitmproxy takes what comes first."""

    def set_alpn_protocols(self, _: Iterable[str]) -> None:
        super().set_alpn_protocols(["h2"])


def trusting(ca_file: Path) -> Http2Context:
    """TLS for HTTP/2 that trusts this authority only."""
    context = Http2Context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_file)
    return context


def http(gateway: Mitm, **settings: Any) -> httpx.Client:
    """httpx over HTTP/1.1, judged."""
    return httpx.Client(base_url=gateway.url, transport=Judged(verify=NO_AUTHORITIES), timeout=PATIENCE, **settings)


def ahttp(gateway: Mitm, **settings: Any) -> httpx.AsyncClient:
    """httpx over HTTP/1.1 with an event loop, judged."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    transport = AsyncJudged(verify=NO_AUTHORITIES, limits=limits)
    return httpx.AsyncClient(base_url=gateway.url, transport=transport, timeout=PATIENCE, **settings)


def http2(gateway: Mitm) -> httpx.AsyncClient:
    """httpx over HTTP/2 and TLS, judged."""
    transport = AsyncJudged(verify=trusting(gateway.ca_file), http1=False, http2=True)
    return httpx.AsyncClient(base_url=gateway.tls_url, transport=transport, timeout=PATIENCE)


def openai(gateway: Mitm, *, key: str = "sk-client", max_retries: int = 0) -> AsyncOpenAI:
    """The official library, judged."""
    return AsyncOpenAI(
        base_url=gateway.url + "/v1",
        api_key=key,
        max_retries=max_retries,
        http_client=httpx2.AsyncClient(transport=AsyncOpenAIJudged(verify=NO_AUTHORITIES), timeout=PATIENCE),
    )


def ask(gateway: Mitm, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    """A chat call by plain HTTP."""
    with http(gateway) as client:
        return client.post("/v1/chat/completions", json=body(**fields), headers=headers)


def ask_with(gateway: Mitm, content: bytes, **headers: str) -> httpx.Response:
    """A chat call of these very bytes."""
    given = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    with http(gateway) as client:
        return client.post("/v1/chat/completions", content=content, headers=given)


def error(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer."""
    found: dict[str, Any] = answer.json()["error"]
    return found


def events(answer: httpx.Response) -> list[Any]:
    """The events of a stream; the referee has read it already."""
    return [event.json for event in referee.read_sse(answer.content, done=b'data: {"error"' not in answer.content)]


def text(answer: httpx.Response) -> str:
    """What an answer says, streamed or not."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        choices = [choice for event in events(answer) for choice in event.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    return str(answer.json()["choices"][0]["message"]["content"])


def notices(answer: httpx.Response) -> list[str]:
    """What the gateway changed."""
    return [part for part in answer.headers.get("x-gateway-notice", "").split("; ") if part]


def dumped(value: Any) -> bytes:
    """JSON as a client writes it."""
    return json.dumps(value).encode()
