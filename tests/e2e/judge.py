"""Clients whose every answer is held against OpenAI's description, below the library that a test uses.

The transports here copy what comes back to a `Judge`. It validates objects, streams and errors when they are complete,
and each event of those that are not. Complaints fail the test that made the call (`conftest.no_complaints`).
"""

import base64
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import httpx2

from tests import referee

KINDS = (
    ("/models/", "model"),
    ("/models", "models"),
    ("/messages", "chat.completion.messages"),
    ("/items/", "conversation.item"),
    ("/items", "conversation.items"),
    ("/conversations", "conversation"),
    ("/input_tokens", "response.input_tokens"),
    ("/compact", "response.compaction"),
    ("/input_items", "response.items"),
    ("/responses", "response"),
    ("/embeddings", "embeddings"),
    ("/chat/completions", "chat.completion"),
    ("/completions", "text_completion"),
)
"""What a path answers with, by a part of the path; chat completions else."""


def unpack(embeddings: Any) -> None:
    """Vectors that were asked for as base64, as the numbers that OpenAI's description knows."""
    for row in embeddings["data"]:
        packed = base64.b64decode(row["embedding"], validate=True)
        row["embedding"] = list(struct.unpack(f"<{len(packed) // 4}f", packed))


class Judge:
    """Collects complaints about what the gateway emitted."""

    def __init__(self) -> None:
        self.complaints: list[str] = []

    def judge(
        self,
        path: str,
        asked: Any,
        status: int,
        content_type: str,
        body: bytes,
        *,
        complete: bool,
        method: str = "POST",
    ) -> None:
        """One answer: `asked` is the call's body, `complete` whether the client read to its end."""
        path = urlsplit(path).path
        if path.startswith(("/health", "/probe")) or method in ("HEAD", "OPTIONS"):
            return
        if content_type.startswith("text/event-stream"):
            if "/responses" in path:  # a GET may begin in the middle
                self._events(body, complete=complete and method == "POST")
            elif "/chat/" not in path and path.endswith("/completions"):
                self._texts(body, complete=complete)
            else:
                self._stream(body, asked, complete=complete)
        elif complete:
            self._object(path, asked, status, content_type, body)

    def _object(self, path: str, asked: Any, status: int, content_type: str, body: bytes) -> None:
        kind = "error"
        if status < 400:
            kind = next((kind for end, kind in KINDS if end in path), "chat.completion")
        try:
            parsed = json.loads(body)
        except ValueError:
            self.complaints.append(f"{path}: {status} is not JSON: {body[:120]!r}")
            return
        if isinstance(parsed, dict) and parsed.get("object") == "list" and path.endswith("/chat/completions"):
            kind = "chat.completion.list"
        if isinstance(parsed, dict) and parsed.get("object") == "conversation":
            kind = "conversation"  # also what is left when an item was deleted
        if isinstance(parsed, dict) and parsed.get("deleted") is True:
            kind = f"{str(parsed.get('object')).removesuffix('.deleted')}.deleted"
        if kind == "embeddings" and isinstance(asked, dict) and asked.get("encoding_format") == "base64":
            unpack(parsed)
        if not content_type.startswith("application/json"):
            self.complaints.append(f"{path}: {status} is of type {content_type!r}")
        self._add(f"{path} {status}", referee.check(parsed, kind))

    def _events(self, body: bytes, *, complete: bool) -> None:
        """A stream of the Responses API, which has no `[DONE]`."""
        if not complete:
            body = body[: body.rfind(b"\n\n") + 2] if b"\n\n" in body else b""
        try:
            events = referee.read_sse(body, done=False)
        except referee.SseError as error:
            self.complaints.append(f"stream: {error}")
            return
        if complete:
            self._add("stream", referee.check_responses_stream(events))
            return
        for event in events:
            self._add("stream", referee.check(event.json, "response.event"))

    def _stream(self, body: bytes, asked: Any, *, complete: bool) -> None:
        if not complete:
            body = body[: body.rfind(b"\n\n") + 2] if b"\n\n" in body else b""
        complete = complete or body.endswith(b"data: [DONE]\n\n")  # clients stop reading there
        failed = b'data: {"error"' in body
        try:
            events = [event.json for event in referee.read_sse(body, done=complete and not failed)]
        except referee.SseError as error:
            self.complaints.append(f"stream: {error}")
            return
        if complete:
            wanted = isinstance(asked, dict) and bool((asked.get("stream_options") or {}).get("include_usage"))
            self._add("stream", referee.check_chat_stream(events, include_usage=wanted, failed=failed))
            return
        for event in events:
            self._add("stream", referee.check(event, "error" if "error" in event else "chat.completion.chunk"))

    def _texts(self, body: bytes, *, complete: bool) -> None:
        """A stream of legacy completions: each choice ends once, and nothing of it comes after."""
        body = body if complete else body[: body.rfind(b"\n\n") + 2]
        failed = b'data: {"error"' in body
        ended: set[int] = set()
        for event in referee.read_sse(body, done=complete and not failed):
            self._add(
                "stream", referee.check(event.json, "error" if "error" in event.json else "text_completion.chunk")
            )
            for choice in event.json.get("choices", ()):
                if choice["index"] in ended:
                    self._add("stream", [f"choice {choice['index']} goes on after its end"])
                if choice["finish_reason"]:
                    ended.add(choice["index"])

    def _add(self, where: str, complaints: list[str]) -> None:
        self.complaints += [f"{where}: {complaint}" for complaint in complaints]


JUDGE = Judge()
"""One for all clients of a test run; read and emptied after each test."""

type Told = Callable[[bytes, bool], None]


def listener(request: Any, response: Any) -> Told:
    """What is told the body of a response once it is read, or let go of."""
    try:
        asked = json.loads(request.content)
    except (ValueError, RecursionError, httpx.RequestNotRead, httpx2.RequestNotRead):
        asked = None
    path, method = request.url.path, request.method
    status, content_type = response.status_code, response.headers.get("content-type", "")

    def told(body: bytes, complete: bool) -> None:
        JUDGE.judge(path, asked, status, content_type, body, complete=complete, method=method)

    return told


class Copied:
    """A response's stream that remembers what went through."""

    def __init__(self, inner: Any, told: Told) -> None:
        self._inner = inner
        self._told: Told | None = told
        self._pieces: list[bytes] = []

    def _over(self, complete: bool) -> None:
        if self._told is not None:
            told, self._told = self._told, None
            told(b"".join(self._pieces), complete)


class CopiedSync(Copied, httpx.SyncByteStream, httpx2.SyncByteStream):
    """For clients without an event loop."""

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._inner:
            self._pieces.append(piece)
            yield piece
        self._over(True)

    def close(self) -> None:
        self._over(False)
        self._inner.close()


class CopiedAsync(Copied, httpx.AsyncByteStream, httpx2.AsyncByteStream):
    """For clients with one."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._pieces.append(piece)
            yield piece
        self._over(True)

    async def aclose(self) -> None:
        self._over(False)
        await self._inner.aclose()


class Judged(httpx.HTTPTransport):
    """httpx, judged."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.stream = CopiedSync(response.stream, listener(request, response))
        return response


class AsyncJudged(httpx.AsyncHTTPTransport):
    """httpx with an event loop, judged."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        response.stream = CopiedAsync(response.stream, listener(request, response))
        return response


class OpenAIJudged(httpx2.HTTPTransport):
    """What is below `OpenAI`, judged."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        response.stream = CopiedSync(response.stream, listener(request, response))
        return response


class AsyncOpenAIJudged(httpx2.AsyncHTTPTransport):
    """What is below `AsyncOpenAI`, judged."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        response.stream = CopiedAsync(response.stream, listener(request, response))
        return response
