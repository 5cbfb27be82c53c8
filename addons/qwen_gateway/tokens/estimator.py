"""Estimates of prompts: at once by the bytes, in a thread with a vocabulary, corrected by what upstreams report."""

import asyncio
import logging
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from qwen_gateway.tokens import prompt, vocabulary
from qwen_gateway.tokens.correction import Correction
from qwen_gateway.tokens.prompt import Measure

logger = logging.getLogger(__name__)

WAITING_LIMIT = 200
"""Prompts that may wait for the thread, and in memory; the next ones keep their rough estimate."""


class Call(Protocol):
    """What has a prompt: a parsed call of any surface."""

    @property
    def body(self) -> dict[str, Any]: ...


class Estimator:
    """Shared by all exchanges. Without `use` everything goes by the bytes."""

    def __init__(self) -> None:
        self._correction = Correction()
        self._queue: SimpleQueue[_Task | None] | None = None

    @property
    def counting(self) -> bool:
        """Whether a vocabulary is at hand."""
        return self._queue is not None

    def use(self, file: Path | None) -> None:
        """Count with this vocabulary from now on; a thread loads it."""
        self.close()
        if file is not None:
            self._queue = SimpleQueue()
            threading.Thread(target=_work, args=(file, self._queue), name="count tokens", daemon=True).start()

    def close(self) -> None:
        """Let the thread end."""
        if self._queue is not None:
            self._queue.put(None)
            self._queue = None

    def measure(self, call: Call) -> Measure:
        """The size of a call: rough at once, counted as soon as a thread has done it. Never waits, never raises."""
        measure = prompt.measure(call.body)
        if self._queue is not None and self._queue.qsize() < WAITING_LIMIT:
            self._queue.put(_Task(call.body, measure))
        return measure

    def estimate(self, call: Call, model: str = "") -> int:
        """Tokens of a call's prompt, by its bytes and what is known of the upstream's model. Never waits."""
        return self.corrected(prompt.measure(call.body), model)

    async def count(self, call: Call, model: str = "") -> int:
        """The same, counted with a vocabulary where one is at hand, in a thread."""
        measure = prompt.measure(call.body)
        if self._queue is not None:
            loop = asyncio.get_running_loop()
            done: asyncio.Future[None] = loop.create_future()
            self._queue.put(_Task(call.body, measure, loop, done))
            await done
        return self.corrected(measure, model)

    def corrected(self, measure: Measure, model: str) -> int:
        """What an upstream will report for it, as far as can be told."""
        factor = self._correction.factor(model, counted=measure.counted is not None)
        return max(1, round(measure.tokens * factor))

    def learn(self, measure: Measure, model: str, reported: int) -> None:
        """An upstream reported the tokens of a prompt. Guessed pictures teach nothing about texts."""
        if not measure.pictures:
            self._correction.learn(model, measure.tokens, reported, counted=measure.counted is not None)


class _Task:
    """A prompt to count, and whom to wake."""

    __slots__ = ("body", "done", "loop", "measure")

    def __init__(
        self,
        body: dict[str, Any],
        measure: Measure,
        loop: asyncio.AbstractEventLoop | None = None,
        done: asyncio.Future[None] | None = None,
    ) -> None:
        self.body, self.measure, self.loop, self.done = body, measure, loop, done

    def finish(self) -> None:
        if self.loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_result(None)


def _work(file: Path, queue: "SimpleQueue[_Task | None]") -> None:
    """The thread: whatever goes wrong here leaves the rough estimates."""
    count: vocabulary.Count | None = None
    try:
        count = vocabulary.load(file)
    except vocabulary.BadVocabulary as error:
        logger.warning("tokens are estimated by their bytes: %s", error)
    except BaseException:  # a panic of tiktoken's is no Exception
        logger.exception("tokens are estimated by their bytes: the vocabulary %s does not load", file)
    while (task := queue.get()) is not None:
        try:
            if count is not None:
                around, _ = prompt.surroundings(task.body)
                task.measure.counted = around + sum(count(text) for text in prompt.texts(task.body))
        except BaseException:
            logger.exception("a prompt could not be counted")
        finally:
            task.finish()
