"""Ends an answer where the client wants it ended and the upstream would go on: stop sequences, `max_tokens`.

Stop sequences are found across the borders of deltas: text that may begin one is held back until more comes. Tokens
are counted by what the upstream tells on the way (its usage is cumulative), else by four bytes a token.
"""

from qwen_gateway.codec.deltas import Delta, Fault, Finish, Text, Thought, Usage

BYTES_PER_TOKEN = 4


class Cut:
    """A stage (see `stages`).

    Args:
        stops: sequences that end the text and are no part of it.
        limit: tokens of the answer, its thoughts included; None: as many as there are.
    """

    def __init__(self, stops: tuple[str, ...] = (), limit: int | None = None) -> None:
        self.done = False
        self.early = False
        """The upstream was not at its end."""
        self._stops = tuple(stop for stop in stops if stop)
        self._longest = max(map(len, self._stops), default=1) - 1
        self._limit = limit
        self._held = ""
        self._counted = 0.0  # by the upstream, or estimated
        self._told = 0
        self._usage: Usage | None = None

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        usage = next((delta for delta in reversed(deltas) if isinstance(delta, Usage)), None)
        length = sum(len(delta.text.encode()) for delta in deltas if isinstance(delta, Text | Thought))
        before = self._counted
        if usage is not None and usage.completion > self._told:
            self._told = usage.completion
            self._counted = float(usage.completion)
        elif not self._told:
            self._counted += length / BYTES_PER_TOKEN
        allowed = None
        if self._limit is not None and self._counted > self._limit:
            share = (self._limit - before) / (self._counted - before) if self._counted > before else 0.0
            allowed = max(0, round(length * share))
        for delta in deltas:
            if self.done:
                break
            if isinstance(delta, Text | Thought):
                if allowed is not None:
                    size = len(delta.text.encode())
                    if size > allowed:
                        delta.text = delta.text.encode()[:allowed].decode("utf-8", "ignore")
                        self._pass(delta, out)
                        self._end("length", out)
                        break
                    allowed -= size
                self._pass(delta, out)
            elif isinstance(delta, Finish | Fault):
                self._flush(out)
                out.append(delta)
            else:
                out.append(delta)
        if self.done and usage is not None and not any(isinstance(delta, Usage) for delta in out):
            out.append(usage)
        if self.done and self._limit is not None:
            for delta in out:
                if isinstance(delta, Usage) and delta.completion > self._limit:
                    delta.total -= delta.completion - self._limit
                    delta.completion = self._limit
        return out

    def _pass(self, delta: Text | Thought, out: list[Delta]) -> None:
        if isinstance(delta, Thought) or not self._stops:
            if delta.text:
                out.append(delta)
            return
        text = self._held + delta.text
        found = min((place for stop in self._stops if (place := text.find(stop)) >= 0), default=-1)
        if found >= 0:
            self._held = ""
            if found:
                out.append(Text(text[:found]))
            self._end("stop", out)
            return
        keep = self._possible(text)
        self._held = text[len(text) - keep :]
        if shown := text[: len(text) - keep]:
            out.append(Text(shown))

    def _possible(self, text: str) -> int:
        """Characters at the end of `text` that may begin a stop sequence."""
        for size in range(min(self._longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0

    def _flush(self, out: list[Delta]) -> None:
        if self._held:
            out.append(Text(self._held))
            self._held = ""

    def _end(self, reason: str, out: list[Delta]) -> None:
        if reason == "length":
            self._flush(out)
        out.append(Finish(reason))
        self.done = self.early = True
