"""What stands between an upstream's decoder and the client's writer: deltas in, deltas out.

A stage is for what the upstream cannot do itself: tool calls written in prose, stop sequences, an end after so many
tokens. Like a decoder it has no I/O and never raises; `done` says that the answer is over, whatever the upstream still
has to say.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from qwen_gateway.codec.deltas import Delta
from qwen_gateway.upstreams.decoders import Decoder


class Stage(Protocol):
    """One change to a stream of deltas."""

    @property
    def done(self) -> bool:
        """The answer is over; what comes after says nothing."""

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        """What becomes of these; a `Finish` among them flushes what was held back."""


Stages = tuple[Callable[[], Stage], ...]
"""What makes stages: each attempt needs its own."""


class Staged:
    """A decoder with stages behind it."""

    def __init__(self, decoder: Decoder, stages: Sequence[Stage]) -> None:
        self._decoder = decoder
        self._stages = stages

    @property
    def done(self) -> bool:
        return self._decoder.done or self._over()

    def feed(self, data: bytes) -> list[Delta]:
        return [] if self._over() else self._through(self._decoder.feed(data))

    def close(self) -> list[Delta]:
        return [] if self._over() else self._through(self._decoder.close())

    def _over(self) -> bool:
        for stage in self._stages:  # noqa: SIM110 - for every chunk of a stream, and cheaper than `any`
            if stage.done:
                return True
        return False

    def _through(self, deltas: list[Delta]) -> list[Delta]:
        for stage in self._stages:
            if deltas:
                deltas = stage.feed(deltas)
        return deltas
