"""A very fast upstream: Qwen's chat completions on loopback, with as little work per chunk as Python allows.

The wishes of the benchmark travel in the text of the call, since that is what every side leaves alone:
`nonce=17 chunks=100 pace=20` asks for 100 content chunks with 20 ms between them. The nonce comes back in the
answer, so that the client sees when answers are mixed up.
"""

import asyncio
import re
import sys

from benchmark.loop import run, until_stdin_closes

WISH = re.compile(rb"nonce=(\d+) chunks=(\d+) pace=(\d+)")
STREAM = re.compile(rb'"stream"\s*:\s*true')
LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:\s*chunked")

TAIL = b'"created":1790000000,"system_fingerprint":null,"model":"qwen-plus","id":"chatcmpl-6f0e8d2a-93b1-9f04-8c55"}'
USAGE = (
    b'{"prompt_tokens":17,"completion_tokens":5,"total_tokens":22,"completion_tokens_details":'
    b'{"reasoning_tokens":0,"text_tokens":5},"prompt_tokens_details":{"cached_tokens":0,"text_tokens":17}}'
)
ANSWER = (
    b'{"choices":[{"message":{"role":"assistant","content":"nonce=%s"},"finish_reason":"stop","index":0,'
    b'"logprobs":null}],"object":"chat.completion","usage":' + USAGE + b"," + TAIL
)
MODELS = b'{"object":"list","data":[{"id":"qwen-plus","object":"model","created":1790000000,"owned_by":"qwen"}]}'
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: bench\r\ncontent-length: %d\r\n\r\n"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream;charset=UTF-8\r\nx-request-id: bench\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def event(delta: bytes, finish: bytes = b"null") -> bytes:
    """One chunk of a stream, framed for HTTP/1.1."""
    choice = b'{"delta":{%s},"index":0,"logprobs":null,"finish_reason":%s}' % (delta, finish)
    return frame(b'data: {"choices":[%s],"object":"chat.completion.chunk","usage":null,%s\n\n' % (choice, TAIL))


def frame(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


FIRST = event(b'"content":"","role":"assistant","reasoning_content":""')
LAST = (
    event(b'"content":""', b'"stop"')
    + frame(b'data: {"choices":[],"object":"chat.completion.chunk","usage":%s,%s\n\n' % (USAGE, TAIL))
    + frame(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)
CONTENTS: list[bytes] = []


def content(number: int) -> bytes:
    """The chunk that says `number`; made once."""
    while number >= len(CONTENTS):
        CONTENTS.append(event(b'"content":"%d ","reasoning_content":null' % len(CONTENTS)))
    return CONTENTS[number]


class Upstream(asyncio.Protocol):
    """One connection of a client, kept alive."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None
        self.sent = self.wanted = 0
        self.due = self.pace = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone: stop talking."""
        if self.timer:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer every complete call."""
        self.buffer += data
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            start = head + 4
            if length := LENGTH.search(self.buffer, 0, start):
                end = start + int(length[1])
            elif CHUNKED.search(self.buffer, 0, start):
                end = self.buffer.find(b"\r\n0\r\n\r\n", start) + 7
                if end == 6:
                    return
            else:
                end = start
            if len(self.buffer) < end:
                return
            call, self.buffer = self.buffer[:end], self.buffer[end:]
            self.answer(call)

    def answer(self, call: bytes) -> None:
        """Answer one call, at once or piece by piece."""
        wish = WISH.search(call)
        if not wish or not STREAM.search(call):
            body = ANSWER % wish[1] if wish else MODELS
            self.transport.write(JSON_HEAD % len(body) + body)
            return
        self.sent, self.wanted, self.pace = 0, int(wish[2]), int(wish[3]) / 1000
        greeting = event(b'"content":"nonce=%s ","reasoning_content":null' % wish[1])
        self.transport.write(STREAM_HEAD + FIRST + greeting)
        self.due = self.loop.time()
        self.tick()

    def tick(self) -> None:
        """Send the next chunk when it is due."""
        self.transport.write(content(self.sent))
        self.sent += 1
        if self.sent >= self.wanted:
            self.transport.write(LAST)
            return
        self.due += self.pace
        self.timer = self.loop.call_at(self.due, self.tick)


async def main() -> None:
    """Serve on a free port, print it, and stop when stdin closes."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await until_stdin_closes()
    server.close()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run(main())
