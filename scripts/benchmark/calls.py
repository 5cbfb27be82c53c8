"""The two calls of the benchmark, and the checks that make a wrong answer count as an error."""

import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Callable

CONTENT = re.compile(rb'"content":\s?"([^"]*)"')
BODY = (
    '{"model":"qwen-plus","messages":[{"role":"system","content":"You are a helpful assistant."},'
    '{"role":"user","content":"Say something. nonce=%d chunks=%d pace=%d"}]%s}'
)
STREAMED = ',"stream":true,"stream_options":{"include_usage":true}'
HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nauthorization: Bearer sk-client\r\n"
    "accept: */*\r\ncontent-type: application/json\r\nuser-agent: bench\r\ncontent-length: %d\r\n\r\n"
)
nonces = itertools.count(1)


def request(port: int, nonce: int, chunks: int = 0, pace: int = 0) -> bytes:
    """The bytes of a call."""
    body = BODY % (nonce, chunks, pace, STREAMED if chunks else "")
    return (HEAD % (port, len(body)) + body).encode()


class JsonCall:
    """A small call answered in one piece."""

    def __init__(self, port: int, problems: Counter[str]) -> None:
        self.problems = problems
        self.nonce = next(nonces)
        self.request = request(port, self.nonce)
        self.body = b""
        self.began = time.perf_counter()
        self.took = 0.0

    def feed(self, data: bytes) -> None:
        """Collect the body."""
        self.body += data

    def close(self, status: int, problem: str | None) -> None:
        """Check that it is the answer to this very call."""
        self.took = time.perf_counter() - self.began
        if problem or status != 200:
            self.problems[problem or f"status {status}: {self.body[:200]!r}"] += 1
            return
        try:
            said = json.loads(self.body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            said = "no JSON of a chat completion"
        if said != f"nonce={self.nonce}":
            self.problems[f"wrong answer: {str(said)[:60]}"] += 1


class StreamCall:
    """A call answered in a stream of numbered chunks."""

    def __init__(
        self, port: int, problems: Counter[str], chunks: int, pace: int, on_chunks: Callable[[int], None]
    ) -> None:
        self.problems = problems
        self.on_chunks = on_chunks
        self.wanted = chunks
        self.nonce = next(nonces)
        self.request = request(port, self.nonce, chunks, pace)
        self.mark = b"nonce=%d" % self.nonce
        self.buffer = b""
        self.seen = 0
        self.greeted = self.finished = self.done = self.broken = False
        self.began = time.perf_counter()
        self.first = 0.0  # seconds to the first event

    def feed(self, data: bytes) -> None:
        """Count the chunks, in order."""
        if not self.first:
            self.first = time.perf_counter() - self.began
        data = self.buffer + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            self.buffer = data
            return
        self.buffer = data[end:]
        events = data[:end]
        words = b"".join(CONTENT.findall(events)).split()
        if words and not self.greeted:
            self.greeted = words.pop(0) == self.mark
        for number, word in enumerate(words, self.seen):
            self.broken |= word != b"%d" % number
        self.seen += len(words)
        self.on_chunks(len(words))
        if self.seen >= self.wanted:
            self.finished = self.finished or b'"stop"' in events
            self.done = self.done or b"data: [DONE]" in events

    def close(self, status: int, problem: str | None) -> None:
        """Check that nothing is missing, doubled or out of order."""
        if problem or status != 200:
            self.problems[problem or f"status {status}: {self.buffer[:200]!r}"] += 1
            return
        faults = {
            "another call's stream": not self.greeted,
            "chunks out of order": self.broken,
            "chunks lost or doubled": self.seen != self.wanted,
            "no finish_reason": not self.finished,
            "no [DONE]": not self.done,
        }
        for fault, there in faults.items():
            self.problems[fault] += there

    @property
    def lost(self) -> int:
        """Chunks that never came."""
        return max(0, self.wanted - self.seen)
